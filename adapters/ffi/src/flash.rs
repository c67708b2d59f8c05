//! A flash of C callbacks.

use core::ffi::{c_int, c_void};

use desync_core::update::{self, Geometry};

use crate::progress::Watch;
use crate::status::Status;

/// A flash device: units and callbacks. Callbacks get `context` as it is here and return 0, or any other
/// number for a failure, which `desync_updater_failure` then tells. They must not call this library.
///
/// Power may fail at any time. What is relied upon: after a cut program, some of the bits that were to be
/// cleared are cleared, and it reads the same ever after; after a cut erase, the sector may hold anything, also
/// something else each time, until an erase completes; bytes outside the range of an operation keep their
/// value. Programming clears bits only, and a unit is programmed at most once between erases.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Flash {
    /// Handed to the callbacks.
    pub context: *mut c_void,
    /// Bytes of a sector: what one erase sets to `0xff`. A multiple of 32.
    pub erase_len: u32,
    /// Bytes of a unit: programs start and end on a multiple of it. Divides 32.
    pub write_len: u32,
    /// Fills `into` from address `at` on; neither need be aligned.
    pub read: Option<unsafe extern "C" fn(context: *mut c_void, at: u64, into: *mut u8, len: usize) -> c_int>,
    /// Programs erased units; address and length are multiples of `write_len`.
    pub program:
        Option<unsafe extern "C" fn(context: *mut c_void, at: u64, bytes: *const u8, len: usize) -> c_int>,
    /// Erases the sector that begins at this address.
    pub erase: Option<unsafe extern "C" fn(context: *mut c_void, sector: u64) -> c_int>,
    /// Returns once everything done so far survives a power cut.
    pub sync: Option<unsafe extern "C" fn(context: *mut c_void) -> c_int>,
}

/// A flash whose callbacks are all there, watched for progress.
pub(crate) struct Device<'w> {
    flash: Flash,
    watch: Option<&'w Watch>,
}

impl Flash {
    pub(crate) const fn geometry(&self) -> Geometry {
        Geometry { erase_len: self.erase_len, write_len: self.write_len }
    }

    pub(crate) const fn check(&self) -> Result<(), Status> {
        let all =
            self.read.is_some() && self.program.is_some() && self.erase.is_some() && self.sync.is_some();
        if all { Ok(()) } else { Err(Status::NullPointer) }
    }
}

impl<'w> Device<'w> {
    /// # Safety
    /// The callbacks do what [`Flash`] says, for as long as this lives.
    pub(crate) const unsafe fn new(flash: Flash, watch: Option<&'w Watch>) -> Self {
        Self { flash, watch }
    }
}

/// The number that a callback returned; what is missing is refused before it is called.
const fn verdict(returned: Option<c_int>) -> Result<(), c_int> {
    match returned {
        Some(0) => Ok(()),
        Some(number) => Err(number),
        None => Err(-1),
    }
}

impl update::Flash for Device<'_> {
    type Error = c_int;

    fn geometry(&self) -> Geometry {
        self.flash.geometry()
    }

    async fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), c_int> {
        let context = self.flash.context;
        // SAFETY: `new` was promised that the callback fills the bytes and no more.
        verdict(self.flash.read.map(|read| unsafe { read(context, at, into.as_mut_ptr(), into.len()) }))
    }

    async fn erase(&mut self, sector: u64) -> Result<(), c_int> {
        let context = self.flash.context;
        // SAFETY: `new` was promised that the callback touches nothing but the flash.
        verdict(self.flash.erase.map(|erase| unsafe { erase(context, sector) }))?;
        self.watch.iter().for_each(|watch| watch.erased());
        Ok(())
    }

    async fn program(&mut self, at: u64, bytes: &[u8]) -> Result<(), c_int> {
        let context = self.flash.context;
        let program = self.flash.program;
        // SAFETY: `new` was promised that the callback only reads the bytes.
        verdict(program.map(|program| unsafe { program(context, at, bytes.as_ptr(), bytes.len()) }))?;
        self.watch.iter().for_each(|watch| watch.programmed(at, bytes.len()));
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), c_int> {
        let context = self.flash.context;
        // SAFETY: `new` was promised that the callback touches nothing but the flash.
        verdict(self.flash.sync.map(|sync| unsafe { sync(context) }))
    }
}
