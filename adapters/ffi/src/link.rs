//! A host at the other end of a line, as a source of updates: the peer of `desync serve-link`.

use core::ffi::{c_int, c_void};

use desync_core::Limits;
use desync_core::chunk_source::{self, WantedLen};
use desync_core::digest::ChunkId;
use desync_core::protocol::link::{LinkClient, Timing};
use desync_core::update::{LinkError, LinkPort, LinkSource, Stored, UpdateSource, block_on};

use crate::arguments;
use crate::boot::answer;
use crate::settings::{Offer, digest};
use crate::source::{Source, Wanted};
use crate::status::Status;

/// A line to the host and a clock: a UART and a timer. Callbacks get `context` as it is here and must not call
/// this library. The line may lose, double and damage bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Handed to the callbacks.
    pub context: *mut c_void,
    /// Milliseconds since some moment. Never goes back.
    pub now: Option<unsafe extern "C" fn(context: *mut c_void) -> u64>,
    /// Writes all of these bytes to the line; returns 0, or any other number for a failure.
    pub send: Option<unsafe extern "C" fn(context: *mut c_void, bytes: *const u8, len: usize) -> c_int>,
    /// Puts what has come into `into`, at most `len` bytes, and returns how many; waits for the first one, but
    /// not beyond `deadline`, a time of `now`: 0 then. Negative for a failure.
    pub receive:
        Option<unsafe extern "C" fn(context: *mut c_void, into: *mut u8, len: usize, deadline: u64) -> isize>,
    /// Opens the line anew after a long silence; returns 0. May be null where there is nothing to open.
    pub reopen: Option<unsafe extern "C" fn(context: *mut c_void) -> c_int>,
    /// Milliseconds to wait for an answer before asking again: what question and answer spend on the line, and
    /// what the host needs to find it. Doubled after each silence, up to 32 times as long.
    pub answer_ms: u32,
    /// Milliseconds without any answer before the line is opened anew.
    pub silence_ms: u32,
    /// After how many such silences in a row it is given up, up to 255; 0 counts as 1.
    pub silences_max: u32,
    /// The largest zstd window that can be decoded with, in bytes, as in `desync_config`. The host sends chunks
    /// in a form that fits; 0 asks for plain ones.
    pub zstd_window_max: u32,
    /// Begins the count of questions; should not be the same after each start. The low 16 bits count.
    pub first_number: u32,
}

/// A link to a host. Opaque; lies in memory of the caller. There is nothing to free: between calls the memory
/// may be given up, and the link with it.
pub struct Link {
    source: LinkSource<'static, Port>,
}

/// A line whose callbacks are all there.
struct Port(Line);

impl LinkPort for Port {
    type Error = ();

    fn now(&mut self) -> u64 {
        // SAFETY: `desync_link_new` was promised what the callback does.
        self.0.now.map_or(u64::MAX, |now| unsafe { now(self.0.context) })
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), ()> {
        let context = self.0.context;
        // SAFETY: `desync_link_new` was promised that the callback only reads the bytes.
        match self.0.send.map(|send| unsafe { send(context, bytes.as_ptr(), bytes.len()) }) {
            Some(0) => Ok(()),
            _ => Err(()),
        }
    }

    async fn receive(&mut self, into: &mut [u8], deadline: u64) -> Result<usize, ()> {
        let (context, receive) = (self.0.context, self.0.receive.ok_or(())?);
        // SAFETY: `desync_link_new` was promised that the callback writes at most that many bytes.
        let got = unsafe { receive(context, into.as_mut_ptr(), into.len(), deadline) };
        usize::try_from(got).ok().filter(|got| *got <= into.len()).ok_or(())
    }

    async fn reopen(&mut self) -> Result<(), ()> {
        let context = self.0.context;
        // SAFETY: `desync_link_new` was promised what the callback does.
        match self.0.reopen.map(|reopen| unsafe { reopen(context) }) {
            None | Some(0) => Ok(()),
            Some(_) => Err(()),
        }
    }
}

impl From<LinkError<()>> for Status {
    fn from(error: LinkError<()>) -> Self {
        match error {
            LinkError::Port(()) => Self::Line,
            LinkError::Silent => Self::Silent,
            LinkError::Missing => Self::Missing,
            LinkError::HostFailed => Self::HostFailed,
            LinkError::OtherVersion { .. } => Self::OtherVersion,
            LinkError::Changed => Self::Changed,
            LinkError::NothingBegun => Self::InvalidArgument,
        }
    }
}

/// Bytes of memory that a link needs which asks for pieces of up to `piece_len` bytes at a time. Longer pieces
/// cost less on a good line; 256 are a good choice.
#[unsafe(no_mangle)]
pub extern "C" fn desync_link_memory_len(piece_len: u16) -> usize {
    size_of::<Link>() + LinkClient::buffer_len(piece_len)
}

/// Makes a link at the start of `memory`, which must be aligned to 8 bytes, and puts it into `link`. Nothing is
/// sent yet. The library keeps a copy of `line`; the memory and whatever its `context` points to must stay as
/// long as the link is used.
///
/// # Safety
/// Pointers are null or point to what their types say; the memory is writable and used by nobody else; the
/// callbacks do what `desync_line` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn desync_link_new(
    memory: *mut u8,
    memory_len: usize,
    line: *const Line,
    link: *mut *mut Link,
) -> Status {
    answer(|| {
        // SAFETY: the caller's promise.
        let line = unsafe { *arguments::read(line)? };
        if line.now.is_none() || line.send.is_none() || line.receive.is_none() {
            return Err(Status::NullPointer);
        }
        arguments::memory(memory, memory_len, size_of::<Link>())?;
        let silences_max = u8::try_from(line.silences_max).map_err(|_| Status::InvalidArgument)?;
        let limits = Limits { zstd_window_max: line.zstd_window_max.into(), ..Limits::HOST };
        let timing = Timing { answer: line.answer_ms, silence: line.silence_ms };
        let buffer_len = memory_len - size_of::<Link>();
        // SAFETY: the memory behind the link is the caller's promise; it is zeroed before it is Rust's.
        let buffer = unsafe {
            let start = memory.add(size_of::<Link>());
            start.write_bytes(0, buffer_len);
            arguments::elements(start, buffer_len)
        };
        // Truncation is meant: only the low bits count.
        let client = LinkClient::new(buffer, timing, line.first_number as u16);
        let client = client.ok_or(Status::MemoryTooShort)?;
        let made = Link { source: LinkSource::new(Port(line), client, limits, silences_max) };
        let place = memory.cast::<Link>();
        // SAFETY: the memory is long enough and aligned for it, and the caller's promise makes it ours.
        unsafe {
            arguments::put(link, place)?;
            arguments::put(place, made)
        }
    })
}

/// Asks the host what it serves. Whoever does not trust the line compares it with a signed manifest.
///
/// # Safety
/// Pointers are null or point to what their types say; `link` came from `desync_link_new`, and its memory was
/// not used otherwise since.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn desync_link_offer(link: *mut Link, offer: *mut Offer) -> Status {
    answer(|| {
        // SAFETY: the caller's promise.
        let link = unsafe { arguments::write(link)? };
        let found = block_on(link.source.offer())?;
        // SAFETY: the caller's promise.
        unsafe { arguments::put(offer, Offer::from(&found)) }
    })
}

/// Fills in a source that fetches over this link, for as long as the link is used. Where it fails, the number in
/// `desync_failure.callback` is a status with its sign turned.
///
/// # Safety
/// Pointers are null or point to what their types say; `link` came from `desync_link_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn desync_link_source(link: *mut Link, source: *mut Source) -> Status {
    answer(|| {
        // SAFETY: the caller's promise.
        unsafe { arguments::write(link)? };
        let (index, open, read) = (Some(index as _), Some(open as _), Some(read as _));
        // SAFETY: the caller's promise.
        unsafe { arguments::put(source, Source { context: link.cast(), index, open, read }) }
    })
}

/// Tells the host that nothing more is wanted: 0 if all went well, else a number that it shows.
///
/// # Safety
/// `link` is null or came from `desync_link_new`, and its memory was not used otherwise since.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn desync_link_close(link: *mut Link, status: u8) -> Status {
    answer(|| {
        // SAFETY: the caller's promise.
        let link = unsafe { arguments::write(link)? };
        block_on(link.source.close(status)).map_err(Status::from)
    })
}

/// A count for C: bytes, or a status with its sign turned.
fn count(result: Result<usize, Status>) -> isize {
    result.map_or_else(|status| -(status as isize), |len| len.cast_signed())
}

unsafe extern "C" fn index(context: *mut c_void, offset: u64, into: *mut u8, len: usize) -> isize {
    // SAFETY: `desync_link_source` put the link there; the buffer is the updater's.
    let (link, into) = unsafe { (arguments::write(context.cast::<Link>()), arguments::elements(into, len)) };
    count(link.and_then(|link| Ok(block_on(link.source.index(offset, into))?)))
}

unsafe extern "C" fn open(context: *mut c_void, wanted: *const Wanted) -> i32 {
    // SAFETY: `desync_link_source` put the link there; what is wanted is the updater's.
    let (link, wanted) = unsafe { (arguments::write(context.cast::<Link>()), arguments::read(wanted)) };
    let opened = link.and_then(|link| {
        let Wanted { id, len_max, digest: number } = *wanted?;
        let len = WantedLen::Exactly(len_max);
        let wanted = chunk_source::Wanted { id: ChunkId(id), digest: digest(number)?, len };
        Ok(block_on(link.source.open(&wanted))?)
    });
    match opened {
        Ok(Stored::Plain) => 0,
        Ok(Stored::Zstd) => 1,
        Err(status) => -(status as i32),
    }
}

unsafe extern "C" fn read(context: *mut c_void, into: *mut u8, len: usize) -> isize {
    // SAFETY: `desync_link_source` put the link there; the buffer is the updater's.
    let (link, into) = unsafe { (arguments::write(context.cast::<Link>()), arguments::elements(into, len)) };
    count(link.and_then(|link| Ok(block_on(link.source.read(into))?)))
}
