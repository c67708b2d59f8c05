//! Devices as the core sees them: bytes at offsets, with a power-loss contract.
//!
//! Knows nothing of chunks beyond the gate: writing data takes a [`VerifiedChunk`].
//!
//! # Power-loss contract
//! After power is lost during [`BlockWrite::write`] or [`BlockWrite::zero`], the bytes of that range are
//! unspecified and every other byte is as it was. After a successful [`BlockWrite::sync`], everything
//! written before it survives any later power loss. Nothing else may be relied upon: writes that were not
//! synced may survive in any order, in part or not at all.

use crate::verified::VerifiedChunk;

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
    /// Writes part of a verified chunk at `offset`: `chunk.bytes()` whole.
    ///
    /// # Errors
    /// The device's own; the range is unspecified then.
    fn write(&mut self, offset: u64, chunk: VerifiedChunk<&[u8]>) -> Result<(), Self::Error>;

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
