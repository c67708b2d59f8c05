//! Devices as the core sees them: bytes at offsets, with a power-loss contract.
//!
//! Knows nothing of chunks beyond the gate: writing data takes [`VerifiedBytes`].
//!
//! # Power-loss contract
//! After power is lost during [`BlockWrite::write`], [`BlockWrite::zero`] or [`BlockShare::share`], the bytes
//! of that range are unspecified and every other byte is as it was. After a successful [`BlockWrite::sync`], everything
//! written before it survives any later power loss. Nothing else may be relied upon: writes that were not
//! synced may survive in any order, in part or not at all.

use core::ops::Range;

use crate::verified::VerifiedBytes;

/// A readable device: the target of an extraction, or a seed.
pub trait BlockRead {
    /// What can go wrong on this device.
    type Error;

    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    /// The device's own, also if the range does not lie within it. `buf` is unspecified then.
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), Self::Error>;
}

/// A writable device. See the module for what a power cut may leave behind.
pub trait BlockWrite: BlockRead {
    /// Writes `bytes` at `offset`.
    ///
    /// # Errors
    /// The device's own; the range is unspecified then.
    fn write(&mut self, offset: u64, bytes: VerifiedBytes<'_>) -> Result<(), Self::Error>;

    /// Makes `len` bytes from `offset` on read as zeros, by the cheapest means the device has.
    ///
    /// # Errors
    /// The device's own; the range is unspecified then.
    fn zero(&mut self, offset: u64, len: u64) -> Result<(), Self::Error>;

    /// Returns once everything written so far is durable.
    ///
    /// # Errors
    /// The device's own; what was written since the last sync is unspecified then.
    fn sync(&mut self) -> Result<(), Self::Error>;
}

/// A target that can take over storage of a source `S` without copying, as file systems with reflinks can.
///
/// A device that cannot implements it with an empty body.
pub trait BlockShare<S: ?Sized>: BlockWrite {
    /// Makes `offset..offset + len` of this device share storage with `source` from `source_offset` on, as
    /// far as blocks allow.
    ///
    /// Returns the sub-range of this device, in its own offsets, that now holds what the source held at the
    /// moment of sharing; nothing outside it has changed. `None` (or an empty range) if nothing is shared.
    /// Shared bytes are not verified: whoever asks for them reads them back.
    ///
    /// # Errors
    /// The device's own; the range is unspecified then. That sharing is not possible is no error.
    fn share(
        &mut self,
        source: &mut S,
        source_offset: u64,
        offset: u64,
        len: u64,
    ) -> Result<Option<Range<u64>>, Self::Error> {
        let _ = (source, source_offset, offset, len);
        Ok(None)
    }
}
