//! What a call came to, as a number and as a name.

use core::ffi::c_char;

use desync_core::update::{LayoutError, UpdateError};

/// What a call came to. Whatever an update fails with, the device boots as before, and may try again.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done in full.
    Ok = 0,
    /// A pointer that must not be null is null, or a callback is missing.
    NullPointer = 1,
    /// Memory that is not aligned to 8 bytes, or a structure that is not aligned as C aligns it.
    Misaligned = 2,
    /// Too little memory. `desync_updater_failure` says how much is needed.
    MemoryTooShort = 3,
    /// The updater is running already: called from another thread, an interrupt, or a callback.
    Busy = 4,
    /// A number that stands for no digest, or a slot that is none.
    InvalidArgument = 5,
    /// A callback of the flash failed; `desync_updater_failure` has its number.
    Flash = 6,
    /// A callback of the source failed; `desync_updater_failure` has its number.
    Source = 7,
    /// A region of flash is empty, or does not lie on sectors.
    NotOnSectors = 8,
    /// Two regions of flash share bytes.
    Overlap = 9,
    /// The journal has fewer than two sectors.
    JournalTooShort = 10,
    /// Sectors or units of a length that journal records of 32 bytes do not fit.
    FlashUnits = 11,
    /// An image is on trial: it must be confirmed, or fail, before the next update.
    OnTrial = 12,
    /// The offer's digest is not the device's, or not the index's.
    WrongDigest = 13,
    /// No index has the length that is offered.
    NoIndexLen = 14,
    /// The index does not fit its region, or has more chunks than allowed.
    IndexTooLong = 15,
    /// The image does not fit the slot.
    ImageTooLong = 16,
    /// Chunks need a larger zstd window than allowed.
    WindowTooLarge = 17,
    /// The index is no index, or beyond the limits.
    BadIndex = 18,
    /// The index is not the one offered.
    IndexMismatch = 19,
    /// The index in flash does not read as it did: the flash is failing.
    IndexUnstable = 20,
    /// A chunk's stored bytes do not decode.
    BadChunk = 21,
    /// A chunk is not the one asked for.
    WrongChunk = 22,
    /// The finished slot does not hold the image. Trying again writes what is wrong anew.
    NotProven = 23,
    /// The line failed; the callback's number is not kept.
    Line = 24,
    /// Nobody answers at the other end of the line.
    Silent = 25,
    /// The host does not have what was asked for.
    Missing = 26,
    /// The host's store has failed. It may not fail again.
    HostFailed = 27,
    /// The host speaks another version of the link's language.
    OtherVersion = 28,
    /// The stored chunk changed while it was fetched.
    Changed = 29,
    /// The image that is offered is the confirmed one: there is nothing to do.
    Current = 30,
}

/// The name of a status, as in the header but without its beginning: `"OK"`, `"MEMORY_TOO_SHORT"`. For a number
/// that is no status, `"UNKNOWN"`. The text is constant and ends with a zero byte.
#[unsafe(no_mangle)]
pub extern "C" fn desync_status_name(status: i32) -> *const c_char {
    let name = NAMES.iter().find(|(known, _)| *known as i32 == status);
    name.map_or(c"UNKNOWN", |(_, name)| *name).as_ptr()
}

/// Each status by its name. A test compares them with the header's.
const NAMES: [(Status, &core::ffi::CStr); 31] = [
    (Status::Ok, c"OK"),
    (Status::NullPointer, c"NULL_POINTER"),
    (Status::Misaligned, c"MISALIGNED"),
    (Status::MemoryTooShort, c"MEMORY_TOO_SHORT"),
    (Status::Busy, c"BUSY"),
    (Status::InvalidArgument, c"INVALID_ARGUMENT"),
    (Status::Flash, c"FLASH"),
    (Status::Source, c"SOURCE"),
    (Status::NotOnSectors, c"NOT_ON_SECTORS"),
    (Status::Overlap, c"OVERLAP"),
    (Status::JournalTooShort, c"JOURNAL_TOO_SHORT"),
    (Status::FlashUnits, c"FLASH_UNITS"),
    (Status::OnTrial, c"ON_TRIAL"),
    (Status::WrongDigest, c"WRONG_DIGEST"),
    (Status::NoIndexLen, c"NO_INDEX_LEN"),
    (Status::IndexTooLong, c"INDEX_TOO_LONG"),
    (Status::ImageTooLong, c"IMAGE_TOO_LONG"),
    (Status::WindowTooLarge, c"WINDOW_TOO_LARGE"),
    (Status::BadIndex, c"BAD_INDEX"),
    (Status::IndexMismatch, c"INDEX_MISMATCH"),
    (Status::IndexUnstable, c"INDEX_UNSTABLE"),
    (Status::BadChunk, c"BAD_CHUNK"),
    (Status::WrongChunk, c"WRONG_CHUNK"),
    (Status::NotProven, c"NOT_PROVEN"),
    (Status::Line, c"LINE"),
    (Status::Silent, c"SILENT"),
    (Status::Missing, c"MISSING"),
    (Status::HostFailed, c"HOST_FAILED"),
    (Status::OtherVersion, c"OTHER_VERSION"),
    (Status::Changed, c"CHANGED"),
    (Status::Current, c"CURRENT"),
];

impl From<LayoutError> for Status {
    fn from(error: LayoutError) -> Self {
        match error {
            LayoutError::NotOnSectors { .. } => Self::NotOnSectors,
            LayoutError::Overlap { .. } => Self::Overlap,
            LayoutError::JournalTooShort => Self::JournalTooShort,
            LayoutError::Units { .. } => Self::FlashUnits,
        }
    }
}

impl<F, S> From<&UpdateError<F, S>> for Status {
    fn from(error: &UpdateError<F, S>) -> Self {
        match error {
            UpdateError::Flash(_) => Self::Flash,
            UpdateError::Source(_) => Self::Source,
            UpdateError::Layout(error) => Self::from(*error),
            UpdateError::OnTrial => Self::OnTrial,
            UpdateError::Current => Self::Current,
            UpdateError::WrongDigest { .. } => Self::WrongDigest,
            UpdateError::NoIndexLen { .. } => Self::NoIndexLen,
            UpdateError::IndexTooLong { .. } => Self::IndexTooLong,
            UpdateError::ImageTooLong { .. } => Self::ImageTooLong,
            UpdateError::WindowTooLarge { .. } => Self::WindowTooLarge,
            UpdateError::TooFewWords { .. } | UpdateError::SectorBuffer { .. } => Self::MemoryTooShort,
            UpdateError::Index(_) => Self::BadIndex,
            UpdateError::IndexMismatch { .. } => Self::IndexMismatch,
            UpdateError::IndexUnstable { .. } => Self::IndexUnstable,
            UpdateError::Decode { .. } => Self::BadChunk,
            UpdateError::WrongChunk { .. } => Self::WrongChunk,
            UpdateError::NotProven { .. } => Self::NotProven,
        }
    }
}
