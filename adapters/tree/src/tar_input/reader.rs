//! The bytes of a tar stream to entries, and the bytes of its files to where they can be read again.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use desync_engine::Context;
use tar_core::parse::{Limits, ParseEvent, Parser};
use tar_core::{EntryType, PaxExtensions};

use super::entry::{Entry, Globals, entry};
use super::{Bytes, TarSource};
use crate::{Error, Owners};

/// Bytes read at a time.
const PIECE_LEN: usize = 1 << 20;

/// Bytes of headers that one entry may have: metadata of a megabyte and its blocks.
const HEADERS_LEN_MAX: usize = 4 << 20;

const BLOCK: u64 = 512;

/// What was found.
pub(super) enum Found {
    Entry(Box<Entry>),
    /// An entry of a type that nobody knows.
    Unknown {
        path: Vec<u8>,
        kind: u8,
    },
}

/// A stream, and where it is.
pub(super) struct Reader {
    input: Box<dyn Read + Send>,
    name: PathBuf,
    buffer: Vec<u8>,
    /// Bytes of the buffer that have been used.
    used: usize,
    /// Where the unused part of the buffer begins in the stream.
    position: u64,
}

/// Where bytes of files are kept.
pub(super) enum Spool {
    /// In the input itself.
    Input(File),
    /// In a file without a name, which has this length.
    Temporary(File, u64),
}

impl Reader {
    pub(super) fn new(source: TarSource, name: &Path) -> Result<(Self, Spool), Error> {
        let (input, spool): (Box<dyn Read + Send>, _) = match source {
            TarSource::File(file) => {
                let again = file.try_clone().map_err(Error::file("open", name))?;
                (Box::new(file), Spool::Input(again))
            }
            TarSource::Stream(stream) => {
                let temporary =
                    tempfile::tempfile().map_err(Error::file("make a temporary file for", name))?;
                (stream, Spool::Temporary(temporary, 0))
            }
        };
        let reader = Self { input, name: name.to_owned(), buffer: Vec::new(), used: 0, position: 0 };
        Ok((reader, spool))
    }

    /// Reads to the end marker and hands each entry to `found`.
    pub(super) fn read_all(
        mut self,
        mut spool: Spool,
        owners: &Owners,
        context: &Context<'_>,
        mut found: impl FnMut(Found) -> Result<(), Error>,
    ) -> Result<File, Error> {
        let mut parser = Parser::new(Limits { max_path_len: Some(1 << 16), ..Limits::default() });
        // Times before 1970 count as errors there; what else could be wrong is checked by `entry`.
        parser.set_ignore_pax_errors(true);
        let mut globals = Globals::default();
        loop {
            context.cancel.check()?;
            let (name, position) = (&self.name, self.position);
            let refused = |error: &dyn std::fmt::Display| Error::Input {
                path: name.clone(),
                reason: format!("tar, byte {position}: {error}"),
            };
            let event = parser.parse(&self.buffer[self.used..]).map_err(|error| refused(&error))?;
            let (consumed, mut entry, map) = match event {
                ParseEvent::NeedData { min_bytes } => {
                    if !self.fill(min_bytes)? {
                        return Err(self.ends_early());
                    }
                    continue;
                }
                ParseEvent::End { .. } => return self.drain(spool),
                ParseEvent::GlobalExtensions { consumed, pax_data } => {
                    globals.merge(PaxExtensions::new(pax_data)).map_err(|error| refused(&error))?;
                    self.consume(consumed);
                    continue;
                }
                ParseEvent::Entry { consumed, entry: parsed } => {
                    (consumed, entry(&parsed, None, &globals, owners).map_err(|error| refused(&error))?, None)
                }
                ParseEvent::SparseEntry { consumed, entry: parsed, sparse_map, real_size } => {
                    let map: Vec<_> = sparse_map.iter().map(|range| (range.offset, range.length)).collect();
                    let made = entry(&parsed, Some((&map, real_size)), &globals, owners);
                    (consumed, made.map_err(|error| refused(&error))?, Some(map))
                }
            };
            self.consume(consumed);
            let len = entry.stored_len;
            let start = self.keep(&mut spool, len, entry.kind == EntryType::Regular, context)?;
            entry.bytes = Some(Bytes { start, map });
            found(match entry.kind {
                EntryType::Other(kind) => Found::Unknown { path: entry.path, kind },
                _ => Found::Entry(Box::new(entry)),
            })?;
        }
    }

    fn ends_early(&self) -> Error {
        let reason = format!("tar, byte {}: it ends without its end marker", self.position);
        Error::Input { path: self.name.clone(), reason }
    }

    fn consume(&mut self, len: usize) {
        self.used += len;
        self.position += len as u64;
    }

    /// Reads until so many unused bytes are there, and at least one more; whether they are. Without that one more
    /// a parser that asks for what is there already would be asked again for ever.
    fn fill(&mut self, wanted: usize) -> Result<bool, Error> {
        let wanted = wanted.max(self.buffer.len() - self.used + 1);
        if wanted > HEADERS_LEN_MAX {
            let reason = format!("tar, byte {}: headers of {wanted} bytes", self.position);
            return Err(Error::Input { path: self.name.clone(), reason });
        }
        self.buffer.drain(..self.used);
        self.used = 0;
        while self.buffer.len() < wanted {
            let before = self.buffer.len();
            self.buffer.resize(before + PIECE_LEN, 0);
            let read = loop {
                match self.input.read(&mut self.buffer[before..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            let read = read.map_err(Error::file("read", &self.name))?;
            self.buffer.truncate(before + read);
            if read == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Passes the bytes of an entry and their padding; where they are kept, if they are wanted.
    fn keep(
        &mut self,
        spool: &mut Spool,
        len: u64,
        wanted: bool,
        context: &Context<'_>,
    ) -> Result<u64, Error> {
        let start = match spool {
            Spool::Input(_) => self.position,
            Spool::Temporary(_, end) => *end,
        };
        let padded = len.checked_next_multiple_of(BLOCK).ok_or_else(|| self.ends_early())?;
        let mut left = padded;
        while left > 0 {
            context.cancel.check()?;
            if let Spool::Input(file) = spool
                && self.used == self.buffer.len()
            {
                self.skip(file, left)?;
                break;
            }
            if self.used == self.buffer.len() && !self.fill(1)? {
                return Err(self.ends_early());
            }
            let count = ((self.buffer.len() - self.used) as u64).min(left) as usize;
            if let Spool::Temporary(file, end) = spool {
                let data = len.saturating_sub(padded - left).min(count as u64) as usize;
                if wanted && data > 0 {
                    file.write_all(&self.buffer[self.used..self.used + data])
                        .map_err(Error::file("write a temporary file for", &self.name))?;
                    *end += data as u64;
                }
            }
            self.consume(count);
            left -= count as u64;
        }
        Ok(start)
    }

    /// Jumps over bytes of a file that nobody reads now.
    fn skip(&mut self, file: &mut File, len: u64) -> Result<(), Error> {
        let target = self.position.checked_add(len).ok_or_else(|| self.ends_early())?;
        let end = file.metadata().map_err(Error::file("read", &self.name))?.len();
        if target > end {
            return Err(self.ends_early());
        }
        // The reader's descriptor shares its position with this one.
        file.seek(SeekFrom::Start(target)).map_err(Error::file("read", &self.name))?;
        self.position = target;
        Ok(())
    }

    /// Reads a pipe to its end: what fills up its last record comes behind the end marker, and whoever writes it
    /// must not be told that nobody listens.
    fn drain(mut self, spool: Spool) -> Result<File, Error> {
        match spool {
            Spool::Input(file) => Ok(file),
            Spool::Temporary(file, _) => {
                io::copy(&mut self.input, &mut io::sink()).map_err(Error::file("read", &self.name))?;
                Ok(file)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use desync_engine::{Cancel, Kernels, NoProgress};

    use super::*;

    /// The header of an entry.
    fn header(kind: u8, len: usize) -> Vec<u8> {
        let mut block = vec![0; BLOCK as usize];
        block[..4].copy_from_slice(b"name");
        block[100..107].copy_from_slice(b"0000644");
        for field in [108, 116] {
            block[field..field + 7].copy_from_slice(b"0000000");
        }
        block[124..135].copy_from_slice(format!("{len:011o}").as_bytes());
        block[136..147].copy_from_slice(b"00000000000");
        block[156] = kind;
        block[257..265].copy_from_slice(b"ustar\x0000");
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    /// A sparse file whose map, decimal lines before its data, begins here.
    fn sparse_file() -> Vec<u8> {
        let attributes = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n27 GNU.sparse.realsize=100\n";
        let mut stream = header(b'x', attributes.len());
        stream.extend(attributes);
        stream.resize(2 * BLOCK as usize, 0);
        stream.extend(header(b'0', 1 << 30));
        stream
    }

    fn refusal(stream: impl Read + Send + 'static) -> String {
        let cancel = Cancel::default();
        let context = Context {
            workers: std::num::NonZeroUsize::MIN,
            progress: &NoProgress,
            cancel: &cancel,
            kernels: Kernels::SCALAR,
        };
        let source = TarSource::Stream(Box::new(stream));
        let (reader, spool) = Reader::new(source, Path::new("in.tar")).unwrap();
        let read = reader.read_all(spool, &Owners::default(), &context, |_| Ok(()));
        read.unwrap_err().to_string()
    }

    /// The parser asks for bytes that it had already.
    #[test]
    fn a_sparse_map_whose_line_does_not_end_is_refused() {
        let mut stream = sparse_file();
        stream.extend([b'1'; 2 * BLOCK as usize]);
        assert_eq!(refusal(io::Cursor::new(stream)), "in.tar: tar, byte 0: it ends without its end marker");
        let endless = io::Cursor::new(sparse_file()).chain(io::repeat(b'1'));
        let text = refusal(endless);
        assert!(text.starts_with("in.tar: tar, byte 0: headers of "), "{text}");
    }
}
