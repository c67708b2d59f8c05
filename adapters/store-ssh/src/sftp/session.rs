//! One conversation with an SFTP server.
//!
//! Requests that do not depend on each other's answers are sent together, so that a chunk costs two round
//! trips.

use std::collections::{HashMap, VecDeque};
use std::io::{Read as _, Write as _};
use std::process::Command;
use std::time::Duration;

use desync_store::ErrorKind;

use super::packet::{Attributes, LEN_MAX, Malformed, Reader, Writer, answer, ask, open, status};
use crate::process::Peer;
use crate::sessions::Failure;

/// The version of the protocol.
const VERSION: u32 = 3;

/// How long logging in may take: people type passwords.
const LOGIN: Duration = Duration::from_secs(180);

/// Bytes that are asked for or sent at once, which every server must take.
const PIECE: u32 = 32 << 10;

/// Pieces on their way at once.
const PIECES_AHEAD: usize = 16;

/// Bytes of a server's words that are shown.
const WORDS_MAX: usize = 200;

/// How many pieces are asked for at once of so many bytes, and one more byte to see where they end.
fn pieces_of(len: u64) -> u64 {
    len.saturating_add(1).div_ceil(u64::from(PIECE)).clamp(1, PIECES_AHEAD as u64)
}

const POSIX_RENAME: &str = "posix-rename@openssh.com";
const FSYNC: &str = "fsync@openssh.com";

/// A conversation.
pub(crate) struct Session {
    peer: Peer,
    /// That of the last request.
    number: u32,
    /// Requests without an answer, the oldest first.
    expected: VecDeque<Expected>,
    /// Answers that came before those to older requests.
    early: HashMap<u32, Vec<u8>>,
    /// The last answer.
    packet: Vec<u8>,
    has_posix_rename: bool,
    has_fsync: bool,
}

/// An answer that has to come.
struct Expected {
    number: u32,
    /// Whether anybody wants to know.
    is_heard: bool,
}

/// A file that is open over there.
pub(super) struct Handle(Vec<u8>);

/// A file in a directory listing.
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) attributes: Attributes,
}

/// The body of an answer.
enum Answer<'a> {
    Status { code: u32, words: &'a [u8] },
    Handle(&'a [u8]),
    Data(&'a [u8]),
    Names(u32, Reader<'a>),
    Attributes(Attributes),
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::Broken("the SFTP server makes no sense".into())
    }
}

impl Session {
    /// Logs in.
    pub(super) fn open(command: Command, silence: Option<Duration>) -> Result<Self, Failure> {
        let peer = Peer::start(command, silence.map(|_| LOGIN));
        // A program that is not there will not be there the next time.
        let peer = peer.map_err(|error| Failure::Refused(ErrorKind::Permanent, error.to_string()))?;
        let mut session = Self::new(peer);
        session.send(&Writer::new(ask::INIT).u32(VERSION).finish())?;
        session.receive()?;
        let mut reader = Reader::new(&session.packet);
        if reader.u8()? != answer::VERSION || reader.u32()? < VERSION {
            return Err(Failure::Refused(ErrorKind::Permanent, "no SFTP server of version 3".into()));
        }
        let (mut has_posix_rename, mut has_fsync) = (false, false);
        while !reader.is_at_end() {
            let name = reader.string()?;
            reader.string()?;
            has_posix_rename |= name == POSIX_RENAME.as_bytes();
            has_fsync |= name == FSYNC.as_bytes();
        }
        session.peer.set_silence(silence);
        session.has_posix_rename = has_posix_rename;
        session.has_fsync = has_fsync;
        Ok(session)
    }

    fn new(peer: Peer) -> Self {
        let (expected, early) = (VecDeque::new(), HashMap::new());
        Self {
            peer,
            number: 0,
            expected,
            early,
            packet: Vec::new(),
            has_posix_rename: false,
            has_fsync: false,
        }
    }

    /// What is at a path, links followed; `None` if nothing.
    pub(super) fn stat(&mut self, path: &str) -> Result<Option<Attributes>, Failure> {
        self.ask(ask::STAT, |packet| packet.string(path.as_bytes()))?;
        match self.answer()? {
            Answer::Attributes(found) => Ok(Some(found)),
            Answer::Status { code: status::NO_SUCH_FILE, .. } => Ok(None),
            other => Err(other.refused(path)),
        }
    }

    /// A file for reading; `None` if there is none.
    pub(super) fn open_file(&mut self, path: &str) -> Result<Option<Handle>, Failure> {
        self.ask(ask::OPEN, |packet| packet.string(path.as_bytes()).u32(open::READ).attributes(None))?;
        match self.answer()? {
            Answer::Handle(handle) => Ok(Some(Handle(handle.to_vec()))),
            Answer::Status { code: status::NO_SUCH_FILE, .. } => Ok(None),
            other => Err(other.refused(path)),
        }
    }

    /// A whole file of `len_max` bytes at most; `None` if there is none.
    pub(super) fn read_file(&mut self, path: &str, len_max: u64) -> Result<Option<Vec<u8>>, Failure> {
        let Some(handle) = self.open_file(path)? else { return Ok(None) };
        let read = self.read_open(&handle, path, len_max);
        if !matches!(read, Err(Failure::Broken(_))) {
            self.close_unheard(&handle)?;
        }
        read.map(Some)
    }

    /// Asks for the length and the first pieces at once: most files are no longer.
    fn read_open(&mut self, handle: &Handle, path: &str, len_max: u64) -> Result<Vec<u8>, Failure> {
        self.ask(ask::FSTAT, |packet| packet.string(&handle.0))?;
        let mut count = pieces_of(len_max);
        self.ask_pieces(handle, 0, count)?;
        let len = match self.answer()? {
            Answer::Attributes(found) => Ok(found.size),
            other => Err(other.refused(path)),
        };
        let mut bytes = Vec::new();
        let mut more = self.take_pieces(path, &mut bytes, count)?;
        let len = len?;
        loop {
            let longest = len.unwrap_or(0).max(bytes.len() as u64);
            if longest > len_max {
                let cause = format!("{path} has {longest} bytes or more, {len_max} at most are possible");
                return Err(Failure::Refused(ErrorKind::Invalid, cause));
            }
            if !more || len == Some(bytes.len() as u64) {
                return Ok(bytes);
            }
            count = pieces_of(len.unwrap_or(len_max) - bytes.len() as u64);
            self.ask_pieces(handle, bytes.len() as u64, count)?;
            more = self.take_pieces(path, &mut bytes, count)?;
        }
    }

    fn ask_pieces(&mut self, handle: &Handle, first: u64, count: u64) -> Result<(), Failure> {
        for piece in 0..count {
            let offset = first + piece * u64::from(PIECE);
            self.ask(ask::READ, |packet| packet.string(&handle.0).u64(offset).u32(PIECE))?;
        }
        Ok(())
    }

    /// Appends the pieces that were asked for; answers whether there may be more.
    fn take_pieces(&mut self, path: &str, bytes: &mut Vec<u8>, count: u64) -> Result<bool, Failure> {
        // A piece that is shorter than asked for leaves a gap before the next, which has to be asked for again.
        let (mut has_gap, mut is_end, mut failed) = (false, false, None);
        for _ in 0..count {
            match self.answer()? {
                Answer::Data(data) if !has_gap => {
                    bytes.extend_from_slice(data);
                    has_gap = data.len() < PIECE as usize;
                }
                Answer::Data(_) => {}
                Answer::Status { code: status::EOF, .. } => is_end |= !has_gap,
                other => {
                    failed.get_or_insert(other.refused(path));
                }
            }
        }
        failed.map_or(Ok(!is_end), Err)
    }

    /// Some bytes of a file from `offset` on; none at its end.
    pub(super) fn read_part(&mut self, path: &str, offset: u64) -> Result<Vec<u8>, Failure> {
        let gone = || Failure::Refused(ErrorKind::Permanent, format!("{path} is not there any more"));
        let handle = self.open_file(path)?.ok_or_else(gone)?;
        let count = PIECES_AHEAD as u64;
        self.ask_pieces(&handle, offset, count)?;
        let mut bytes = Vec::new();
        let taken = self.take_pieces(path, &mut bytes, count);
        if !matches!(taken, Err(Failure::Broken(_))) {
            self.close_unheard(&handle)?;
        }
        taken.map(|_| bytes)
    }

    /// Creates a file that was not there; `None` if its directory is not there.
    pub(super) fn create(&mut self, path: &str) -> Result<Option<Handle>, Failure> {
        let flags = open::WRITE | open::CREATE | open::EXCLUSIVE;
        self.ask(ask::OPEN, |packet| packet.string(path.as_bytes()).u32(flags).attributes(Some(0o644)))?;
        match self.answer()? {
            Answer::Handle(handle) => Ok(Some(Handle(handle.to_vec()))),
            Answer::Status { code: status::NO_SUCH_FILE, .. } => Ok(None),
            other => Err(other.refused(path)),
        }
    }

    /// Writes bytes of a file from `offset` on.
    pub(super) fn write_all(
        &mut self,
        handle: &Handle,
        path: &str,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let mut offset = offset;
        for batch in bytes.chunks(PIECE as usize * PIECES_AHEAD) {
            let pieces = batch.chunks(PIECE as usize);
            let count = pieces.len();
            for piece in pieces {
                self.ask(ask::WRITE, |packet| packet.string(&handle.0).u64(offset).string(piece))?;
                offset += piece.len() as u64;
            }
            let mut failed = None;
            for _ in 0..count {
                if let Err(failure) = self.done(path) {
                    failed.get_or_insert(failure);
                }
            }
            failed.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Makes a file durable, as far as the server can, and closes it.
    pub(super) fn finish(&mut self, handle: &Handle, path: &str) -> Result<(), Failure> {
        if self.has_fsync {
            self.ask(ask::EXTENDED, |packet| packet.string(FSYNC.as_bytes()).string(&handle.0))?;
            self.done(path)?;
        }
        self.close(handle)
    }

    /// Closes a file.
    pub(super) fn close(&mut self, handle: &Handle) -> Result<(), Failure> {
        self.ask(ask::CLOSE, |packet| packet.string(&handle.0))?;
        self.done("closing a file")
    }

    /// Renames a file over what may have the name.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), Failure> {
        let names = |packet: Writer| packet.string(from.as_bytes()).string(to.as_bytes());
        if self.has_posix_rename {
            self.ask(ask::EXTENDED, |packet| names(packet.string(POSIX_RENAME.as_bytes())))?;
            return self.done(to);
        }
        // A plain rename refuses to replace; for a moment nothing has the name then.
        self.ask(ask::RENAME, names)?;
        if self.done(to).is_ok() {
            return Ok(());
        }
        self.remove(to)?;
        self.ask(ask::RENAME, names)?;
        self.done(to)
    }

    /// Removes a file; answers whether it was there.
    pub(super) fn remove(&mut self, path: &str) -> Result<bool, Failure> {
        self.ask(ask::REMOVE, |packet| packet.string(path.as_bytes()))?;
        match self.answer()? {
            Answer::Status { code: status::OK, .. } => Ok(true),
            Answer::Status { code: status::NO_SUCH_FILE, .. } => Ok(false),
            other => Err(other.refused(path)),
        }
    }

    /// Makes a directory, unless it is there.
    pub(super) fn make_directory(&mut self, path: &str) -> Result<(), Failure> {
        self.ask(ask::MKDIR, |packet| packet.string(path.as_bytes()).attributes(Some(0o755)))?;
        match self.done(path) {
            // Version 3 has no code for what is there already.
            Err(failure @ Failure::Refused(..)) => match self.stat(path)? {
                Some(found) if found.is_directory() => Ok(()),
                _ => Err(failure),
            },
            done => done,
        }
    }

    /// Closes a file; what the server says to that, is read with the next answer.
    pub(super) fn close_unheard(&mut self, handle: &Handle) -> Result<(), Failure> {
        self.ask(ask::CLOSE, |packet| packet.string(&handle.0))?;
        self.expected.back_mut().expect("it was just asked").is_heard = false;
        Ok(())
    }

    /// Calls `found` for each entry of a directory, until it answers `false`.
    pub(super) fn list(&mut self, path: &str, found: &mut dyn FnMut(Entry) -> bool) -> Result<(), Failure> {
        self.ask(ask::OPENDIR, |packet| packet.string(path.as_bytes()))?;
        let handle = match self.answer()? {
            Answer::Handle(handle) => Handle(handle.to_vec()),
            other => return Err(other.refused(path)),
        };
        let mut goes_on = true;
        while goes_on {
            self.ask(ask::READDIR, |packet| packet.string(&handle.0))?;
            match self.answer()? {
                Answer::Names(count, mut names) => {
                    for _ in 0..count {
                        let name = names.string()?.to_vec();
                        // How `ls` would show it.
                        names.string()?;
                        let attributes = names.attributes()?;
                        goes_on = goes_on && found(Entry { name, attributes });
                    }
                }
                Answer::Status { code: status::EOF, .. } => goes_on = false,
                other => return Err(other.refused(path)),
            }
        }
        self.close(&handle)
    }

    fn ask(&mut self, kind: u8, body: impl FnOnce(Writer) -> Writer) -> Result<(), Failure> {
        self.number = self.number.wrapping_add(1);
        self.expected.push_back(Expected { number: self.number, is_heard: true });
        self.send(&body(Writer::new(kind).u32(self.number)).finish())
    }

    /// Whether the last request succeeded that has no other answer.
    fn done(&mut self, what: &str) -> Result<(), Failure> {
        match self.answer()? {
            Answer::Status { code: status::OK, .. } => Ok(()),
            other => Err(other.refused(what)),
        }
    }

    /// The answer to the oldest request that has none yet.
    fn answer(&mut self) -> Result<Answer<'_>, Failure> {
        loop {
            let expected = self.expected.pop_front().expect("whoever waits for an answer has asked");
            self.receive_number(expected.number)?;
            if expected.is_heard {
                break;
            }
        }
        let mut reader = Reader::new(&self.packet);
        let kind = reader.u8()?;
        reader.u32()?;
        Ok(match kind {
            answer::STATUS => {
                let code = reader.u32()?;
                // Older servers say no words.
                Answer::Status { code, words: reader.string().unwrap_or_default() }
            }
            answer::HANDLE => Answer::Handle(reader.string()?),
            answer::DATA => Answer::Data(reader.string()?),
            answer::NAME => Answer::Names(reader.u32()?, reader),
            answer::ATTRS => Answer::Attributes(reader.attributes()?),
            _ => return Err(Malformed.into()),
        })
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), Failure> {
        self.peer.write_all(packet).map_err(|error| self.broken(&error))
    }

    /// Receives the answer with this number; servers may answer in any order.
    fn receive_number(&mut self, number: u32) -> Result<(), Failure> {
        if let Some(packet) = self.early.remove(&number) {
            self.packet = packet;
            return Ok(());
        }
        loop {
            self.receive()?;
            let found = Reader::new(self.packet.get(1..).unwrap_or_default()).u32()?;
            if found == number {
                return Ok(());
            }
            if !self.expected.iter().any(|expected| expected.number == found) {
                return Err(Malformed.into());
            }
            self.early.insert(found, std::mem::take(&mut self.packet));
        }
    }

    fn receive(&mut self) -> Result<(), Failure> {
        let mut len = [0; 4];
        self.fill(&mut len)?;
        let len = u32::from_be_bytes(len);
        if len == 0 || len > LEN_MAX {
            return Err(Malformed.into());
        }
        let mut packet = std::mem::take(&mut self.packet);
        packet.resize(len as usize, 0);
        let filled = self.fill(&mut packet);
        self.packet = packet;
        filled
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        self.peer.read_exact(buffer).map_err(|error| self.broken(&error))
    }

    fn broken(&mut self, error: &std::io::Error) -> Failure {
        Failure::Broken(match error.kind() {
            std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::UnexpectedEof => self.peer.last_words(),
            _ => error.to_string(),
        })
    }
}

impl Answer<'_> {
    /// The failure that an answer is which was not wanted.
    fn refused(self, what: &str) -> Failure {
        match self {
            Answer::Status { code: code @ (status::NO_CONNECTION | status::CONNECTION_LOST), .. } => {
                Failure::Broken(format!("{what}: connection lost (SFTP status {code})"))
            }
            Answer::Status { code, words } => {
                let words = String::from_utf8_lossy(&words[..words.len().min(WORDS_MAX)]);
                let shown: String = words.chars().filter(|c| !c.is_control()).collect();
                Failure::Refused(ErrorKind::Permanent, format!("{what}: {shown} (SFTP status {code})"))
            }
            _ => Malformed.into(),
        }
    }
}
