//! An updater in memory of the caller.
//!
//! The memory, from its start: the [`Updater`], then for each run 16 bytes or more for each chunk of the offered
//! index, a sector, and what the decoder of compressed chunks takes.

use core::cell::Cell;
use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, Ordering};

use desync_core::codec::stream_memory;
use desync_core::update::{self, UpdateError, Workspace, words_needed};
use desync_core::{plan, update as core_update};

use crate::arguments::{self, ALIGNMENT};
use crate::boot::answer;
use crate::flash::{Device, Flash};
use crate::progress::{Callback, Watch};
use crate::settings::{Config, Offer};
use crate::source::{Feed, Source};
use crate::status::Status;

/// An updater. Opaque; lies in memory of the caller. There is nothing to free: between calls the memory may be
/// given up, and the updater with it.
pub struct Updater {
    config: core_update::Config,
    flash: Flash,
    memory_len: usize,
    failure: Cell<Failure>,
    /// Whether a run is under way.
    busy: AtomicBool,
}

/// Chunks, and the bytes in them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Amount {
    /// Chunks.
    pub chunks: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Where the bytes of an image came from, and what it cost.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Lay right in the slot that was written.
    pub in_place: Amount,
    /// Copied from the active slot, or from earlier in the new image.
    pub copied: Amount,
    /// Chunks of zeros.
    pub zero: Amount,
    /// Fetched from the source.
    pub fetched: Amount,
    /// Sectors of the slot that were erased.
    pub sectors_erased: u32,
    /// Sectors of the slot that were programmed.
    pub sectors_programmed: u32,
}

/// What is known of a failed run. What does not apply is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// What the run came to.
    pub status: Status,
    /// What the callback returned that failed; `INT32_MIN` if it made no sense.
    pub callback: i32,
    /// Which chunk of the index it was about, counted from 0.
    pub chunk: u32,
    /// What is needed: bytes of memory, chunks, bytes of a slot or of a window.
    pub needed: u64,
    /// What there is of it.
    pub given: u64,
}

const fn aligned(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT)
}

/// Bytes before the part that depends on the offer.
const HEAD_LEN: usize = aligned(size_of::<Updater>());

/// Bytes of memory for an index of so many chunks; saturates.
fn memory_needed(config: &core_update::Config, erase_len: u32, chunks: u32) -> usize {
    let words = words_needed(chunks).saturating_mul(size_of::<u64>());
    HEAD_LEN.saturating_add(words).saturating_add(sector_len(erase_len)).saturating_add(zstd_len(config))
}

const fn sector_len(erase_len: u32) -> usize {
    aligned(erase_len as usize)
}

/// What the decoder takes; nothing where all chunks come plain.
fn zstd_len(config: &core_update::Config) -> usize {
    match usize::try_from(config.limits.zstd_window_max) {
        Ok(0) => 0,
        Ok(window) => stream_memory(window),
        Err(_) => usize::MAX,
    }
}

/// Puts into `needed` how many bytes of memory an updater needs for an index of `index_len` bytes: its own,
/// 16 for each chunk, a sector, and the decoder's: 9 KiB and three times `zstd_window_max`, nothing if that is 0.
/// With more, more of a larger active image is recognised. The length of chunks does not matter.
///
/// # Safety
/// Pointers are null or point to what their types say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn desync_updater_memory_len(
    config: *const Config,
    flash: *const Flash,
    index_len: u64,
    needed: *mut usize,
) -> Status {
    answer(|| {
        // SAFETY: the caller's promise.
        let (config, flash) = unsafe { (arguments::read(config)?.to_core()?, arguments::read(flash)?) };
        let chunks = chunks_in(index_len)?;
        // SAFETY: the caller's promise.
        unsafe { arguments::put(needed, memory_needed(&config, flash.erase_len, chunks)) }
    })
}

fn chunks_in(index_len: u64) -> Result<u32, Status> {
    let chunks = desync_core::format::index::chunks_in(index_len);
    chunks.and_then(|chunks| u32::try_from(chunks).ok()).ok_or(Status::NoIndexLen)
}

/// Makes an updater at the start of `memory`, which must be aligned to 8 bytes, and puts it into `updater`.
/// Nothing of the flash is touched; a layout that does not fit it is refused. The library keeps copies of
/// `config` and `flash`; the memory and whatever `context` points to must stay as long as the updater is used.
///
/// # Safety
/// Pointers are null or point to what their types say; the memory is writable and used by nobody else; the
/// callbacks do what `desync_flash` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn desync_updater_new(
    memory: *mut u8,
    memory_len: usize,
    config: *const Config,
    flash: *const Flash,
    updater: *mut *mut Updater,
) -> Status {
    answer(|| {
        // SAFETY: the caller's promise.
        let (config, flash) = unsafe { (arguments::read(config)?.to_core()?, *arguments::read(flash)?) };
        flash.check()?;
        config.layout.check(flash.geometry())?;
        arguments::memory(memory, memory_len, memory_needed(&config, flash.erase_len, 0))?;
        let (failure, busy) = (Cell::new(Failure::of(Status::Ok)), AtomicBool::new(false));
        let place = memory.cast::<Updater>();
        // SAFETY: the memory is long enough and aligned for it, and the caller's promise makes it ours.
        unsafe {
            arguments::put(updater, place)?;
            arguments::put(place, Updater { config, flash, memory_len, failure, busy })
        }
    })
}

/// Brings the offered image into the slot that does not boot, proves it and puts it on trial: after the next
/// reset a bootloader starts it. Returns when that is done, or has failed.
///
/// Whatever stops it, a cut as much as a failure, the device boots as before; called again with the same offer it goes
/// on where it stopped. An offer of the image that is confirmed gives `DESYNC_STATUS_CURRENT`, and nothing of it is
/// fetched. `progress`, if not null, is called with `progress_context` after each fetch, erase and program, and must
/// not call this library. `report`, if not null, is filled in when the status is 0. The memory that the index needs is
/// checked before anything is erased.
///
/// # Safety
/// Pointers are null or point to what their types say; `updater` came from `desync_updater_new`, and its memory
/// was not used otherwise since; the callbacks do what `desync_flash` and `desync_source` say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn desync_updater_run(
    updater: *mut Updater,
    offer: *const Offer,
    source: *const Source,
    progress: Option<unsafe extern "C" fn(context: *mut c_void, progress: *const crate::Progress)>,
    progress_context: *mut c_void,
    report: *mut Report,
) -> Status {
    answer(|| {
        // SAFETY: the caller's promise.
        let (offer, source) = unsafe { (arguments::read(offer)?.to_core()?, *arguments::read(source)?) };
        source.check()?;
        // SAFETY: the caller's promise.
        let done = unsafe { Updater::run(updater, &offer, source, progress, progress_context)? };
        if !report.is_null() {
            // SAFETY: the caller's promise.
            unsafe { arguments::put(report, done.into())? };
        }
        Ok(())
    })
}

impl Updater {
    /// # Safety
    /// As [`desync_updater_run`].
    unsafe fn run(
        this: *mut Self,
        offer: &update::Offer,
        source: Source,
        progress: Option<Callback>,
        progress_context: *mut c_void,
    ) -> Result<update::Report, Status> {
        let chunks = chunks_in(offer.index_len)?;
        // SAFETY: the caller's promise; who else holds it now shares it, as a callback may.
        let updater = unsafe { arguments::read(this)? };
        let _turn = Turn::take(&updater.busy)?;
        let erase_len = updater.flash.erase_len;
        let needed = memory_needed(&updater.config, erase_len, chunks);
        let Some(spare) = updater.memory_len.checked_sub(needed) else {
            let (needed, given) = (needed as u64, updater.memory_len as u64);
            updater.failure.set(Failure { needed, given, ..Failure::of(Status::MemoryTooShort) });
            return Err(Status::MemoryTooShort);
        };
        let words = words_needed(chunks) + spare / size_of::<u64>();
        let sector_at = HEAD_LEN + words * size_of::<u64>();
        let zstd_at = sector_at + sector_len(erase_len);
        let zstd_len = zstd_len(&updater.config);
        let start = this.cast::<u8>();
        // SAFETY: the memory is `needed` bytes or more, aligned to 8: so each part lies in it, and none
        // overlaps another or the updater. All of it is zeroed before it is Rust's, and it is this run's turn.
        let workspace = unsafe {
            start.add(HEAD_LEN).write_bytes(0, zstd_at + zstd_len - HEAD_LEN);
            Workspace {
                words: arguments::elements(start.add(HEAD_LEN), words),
                sector: arguments::elements(start.add(sector_at), erase_len as usize),
                zstd: arguments::elements(start.add(zstd_at), zstd_len),
            }
        };
        // SAFETY: the caller's promise, which lasts until this returns.
        let watch = unsafe { Watch::new(progress, progress_context, &updater.config.layout) };
        // SAFETY: the caller's promise, which lasts until this returns.
        let (device, mut feed) =
            unsafe { (Device::new(updater.flash, Some(&watch)), Feed::new(source, &watch)) };
        update_once(device, updater.config, offer, &mut feed, workspace).map_err(|error| {
            let failure = Failure::explaining(&error);
            updater.failure.set(failure);
            failure.status
        })
    }
}

/// The right to run an updater, until dropped.
struct Turn<'b>(&'b AtomicBool);

impl<'b> Turn<'b> {
    fn take(busy: &'b AtomicBool) -> Result<Self, Status> {
        if busy.swap(true, Ordering::Acquire) { Err(Status::Busy) } else { Ok(Self(busy)) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Failure {
    const fn of(status: Status) -> Self {
        Self { status, callback: 0, chunk: 0, needed: 0, given: 0 }
    }

    fn explaining(error: &UpdateError<i32, i32>) -> Self {
        let mut failure = Self::of(Status::from(error));
        let (needed, given) = match *error {
            UpdateError::TooFewWords { needed, given } | UpdateError::SectorBuffer { needed, given } => {
                (needed as u64, given as u64)
            }
            UpdateError::IndexTooLong { chunks, room } => (chunks.into(), room.into()),
            UpdateError::ImageTooLong { len, room } => (len, room),
            UpdateError::WindowTooLarge { window, limit } => (window, limit),
            _ => (0, 0),
        };
        (failure.needed, failure.given) = (needed, given);
        match *error {
            UpdateError::Flash(number) | UpdateError::Source(number) => failure.callback = number,
            UpdateError::IndexUnstable { position }
            | UpdateError::Decode { position, .. }
            | UpdateError::WrongChunk { position }
            | UpdateError::NotProven { position } => failure.chunk = position,
            _ => {}
        }
        failure
    }
}

/// One run.
fn update_once(
    device: Device<'_>,
    config: core_update::Config,
    offer: &update::Offer,
    feed: &mut Feed<'_>,
    workspace: Workspace<'_>,
) -> Result<update::Report, UpdateError<i32, i32>> {
    let mut updater = update::Updater::new(device, config)?;
    updater.run_blocking(offer, feed, workspace)
}

/// What is known of the last run of this updater that failed. Not to be called from another thread meanwhile.
///
/// # Safety
/// Pointers are null or point to what their types say; `updater` came from `desync_updater_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn desync_updater_failure(updater: *const Updater, failure: *mut Failure) -> Status {
    // SAFETY: the caller's promise.
    answer(|| unsafe { arguments::put(failure, arguments::read(updater)?.failure.get()) })
}

impl From<plan::Amount> for Amount {
    fn from(plan::Amount { chunks, bytes }: plan::Amount) -> Self {
        Self { chunks, bytes }
    }
}

impl From<update::Report> for Report {
    fn from(report: update::Report) -> Self {
        Self {
            in_place: report.in_place.into(),
            copied: report.copied.into(),
            zero: report.zero.into(),
            fetched: report.fetched.into(),
            sectors_erased: report.sectors_erased,
            sectors_programmed: report.sectors_programmed,
        }
    }
}
