//! How far an update has come, told to a callback as it moves.

use core::cell::Cell;
use core::ffi::c_void;

use desync_core::update::{Layout, Region};

/// How far a run has come. Counts begin at 0 with each run, also with one that goes on after a cut.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that the source gave, of index and chunks.
    pub fetched_bytes: u64,
    /// Bytes that were programmed, anywhere in the flash.
    pub programmed_bytes: u64,
    /// Where the slot that is written was programmed last: bytes from its start. It only grows; what lay
    /// right already is passed over, so it may end below the length of the image.
    pub slot_bytes: u64,
    /// Sectors that were erased, anywhere in the flash.
    pub erased_sectors: u32,
}

/// The callback, as `desync_updater_run` is given it.
pub(crate) type Callback = unsafe extern "C" fn(context: *mut c_void, progress: *const Progress);

/// Counts, and tells.
pub(crate) struct Watch {
    callback: Option<Callback>,
    context: *mut c_void,
    slots: [Region; 2],
    progress: Cell<Progress>,
}

impl Watch {
    /// # Safety
    /// The callback may be called with this context for as long as this lives.
    pub(crate) const unsafe fn new(
        callback: Option<Callback>,
        context: *mut c_void,
        layout: &Layout,
    ) -> Self {
        let progress = Progress { fetched_bytes: 0, programmed_bytes: 0, slot_bytes: 0, erased_sectors: 0 };
        Self { callback, context, slots: layout.slots, progress: Cell::new(progress) }
    }

    pub(crate) fn erased(&self) {
        self.tell(|progress| progress.erased_sectors += 1);
    }

    pub(crate) fn programmed(&self, at: u64, len: usize) {
        let end = at.saturating_add(len as u64);
        let slot = self.slots.iter().find(|slot| at >= slot.start && at - slot.start < slot.len);
        self.tell(|progress| {
            progress.programmed_bytes += len as u64;
            if let Some(slot) = slot {
                progress.slot_bytes = progress.slot_bytes.max(end - slot.start);
            }
        });
    }

    pub(crate) fn fetched(&self, len: usize) {
        self.tell(|progress| progress.fetched_bytes += len as u64);
    }

    fn tell(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.get();
        change(&mut progress);
        self.progress.set(progress);
        if let Some(callback) = self.callback {
            // SAFETY: `new` was promised that it may be called; the counts are a copy of its own.
            unsafe { callback(self.context, &raw const progress) }
        }
    }
}
