//! Where an update comes from, as C callbacks.

use core::ffi::c_void;

use desync_core::chunk_source;
use desync_core::update::{Stored, UpdateSource};

use crate::progress::Watch;
use crate::settings::digest_number;
use crate::status::Status;

/// A chunk that is wanted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Its name: the digest of its plain bytes.
    pub id: [u8; 32],
    /// The most plain bytes that it can have.
    pub len_max: u64,
    /// Which digest.
    pub digest: u32,
}

/// Where an update comes from: a network, a link, a file. Nothing of what it gives is believed before its
/// digest is right. Callbacks get `context` as it is here and fail with a negative number, which
/// `desync_updater_failure` then tells. They must not call this library, those of a `desync_link` aside.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Handed to the callbacks.
    pub context: *mut c_void,
    /// Puts bytes of the index from `offset` on into `into`, at most `len`; returns how many, 0 only at its end.
    pub index:
        Option<unsafe extern "C" fn(context: *mut c_void, offset: u64, into: *mut u8, len: usize) -> isize>,
    /// Begins a chunk; one that was under way is forgotten. Returns 0 if its stored bytes are the plain ones,
    /// 1 if they are one zstd frame.
    pub open: Option<unsafe extern "C" fn(context: *mut c_void, wanted: *const Wanted) -> i32>,
    /// Puts the next stored bytes of the chunk into `into`, at most `len`; returns how many, 0 only at its end.
    pub read: Option<unsafe extern "C" fn(context: *mut c_void, into: *mut u8, len: usize) -> isize>,
}

impl Source {
    pub(crate) const fn check(&self) -> Result<(), Status> {
        let all = self.index.is_some() && self.open.is_some() && self.read.is_some();
        if all { Ok(()) } else { Err(Status::NullPointer) }
    }
}

/// What a callback returned that means nothing, such as more bytes than there was room for.
const NONSENSE: i32 = i32::MIN;

/// A source whose callbacks are all there, watched for progress.
pub(crate) struct Feed<'w> {
    source: Source,
    watch: &'w Watch,
}

impl<'w> Feed<'w> {
    /// # Safety
    /// The callbacks do what [`Source`] says, for as long as this lives.
    pub(crate) const unsafe fn new(source: Source, watch: &'w Watch) -> Self {
        Self { source, watch }
    }

    /// The number of bytes that a callback returned, if it can be.
    fn count(&self, returned: Option<isize>, room: usize) -> Result<usize, i32> {
        let returned = returned.unwrap_or(NONSENSE as isize);
        let len = usize::try_from(returned).map_err(|_| i32::try_from(returned).unwrap_or(NONSENSE))?;
        if len > room {
            return Err(NONSENSE);
        }
        self.watch.fetched(len);
        Ok(len)
    }
}

impl UpdateSource for Feed<'_> {
    type Error = i32;

    async fn index(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, i32> {
        let (context, index) = (self.source.context, self.source.index);
        // SAFETY: `new` was promised that the callback writes at most that many bytes.
        let got = index.map(|index| unsafe { index(context, offset, into.as_mut_ptr(), into.len()) });
        self.count(got, into.len())
    }

    async fn open(&mut self, wanted: &chunk_source::Wanted) -> Result<Stored, i32> {
        let chunk_source::Wanted { id, digest, len } = wanted;
        let wanted = Wanted { id: id.0, len_max: len.max(), digest: digest_number(*digest) };
        let (context, open) = (self.source.context, self.source.open);
        // SAFETY: `new` was promised that the callback only reads what is wanted.
        match open.map(|open| unsafe { open(context, &raw const wanted) }) {
            Some(0) => Ok(Stored::Plain),
            Some(1) => Ok(Stored::Zstd),
            Some(number) if number < 0 => Err(number),
            _ => Err(NONSENSE),
        }
    }

    async fn read(&mut self, into: &mut [u8]) -> Result<usize, i32> {
        let (context, read) = (self.source.context, self.source.read);
        // SAFETY: `new` was promised that the callback writes at most that many bytes.
        let got = read.map(|read| unsafe { read(context, into.as_mut_ptr(), into.len()) });
        self.count(got, into.len())
    }
}
