//! A block device as [`Flash`]: eMMC, SD cards, disks.
//!
//! # The gate
//! [`crate::block_io::BlockWrite`] takes nothing but [`crate::VerifiedBytes`], and that type cannot be had
//! here: the first bytes of a chunk that no memory holds are written before its digest is known. So the updater
//! asks for a device that takes any bytes, [`RawBlocks`], and what stands in for the type is that the slot it
//! writes to does not boot before all of it has been read back and proven.
//!
//! # Power loss
//! As in [`crate::block_io`]: a cut write leaves anything in its blocks and every other block as it was; what was not
//! synced may survive in any order, in part or not at all. A block whose write was cut must not fail to read
//! from then on; it may read as anything. Only whole blocks are ever written, so a record of the journal gets a block
//! of its own ([`Flash::torn_len`]).
//!
//! There is nothing to erase on such a device. An erase that is followed by the writing of the sector costs
//! nothing; any other writes `0xff`.

use super::flash::{Flash, Geometry};
use super::layout::LayoutError;
use super::record::RECORD_LEN;
use crate::block_io::BlockRead;

/// A block device that takes bytes nobody has verified. See the module for what it must keep at a power cut.
pub trait RawBlocks: BlockRead {
    /// Length of a block in bytes: what is written as one.
    fn block_len(&self) -> u32;

    /// Writes whole blocks.
    ///
    /// # Errors
    /// The device's own; the blocks may hold anything then.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Returns once everything written so far is durable.
    ///
    /// # Errors
    /// The device's own; what was written since the last sync may be lost then.
    fn sync(&mut self) -> Result<(), Self::Error>;
}

/// A [`RawBlocks`] as [`Flash`] with sectors of any number of blocks. `B` is memory for one block.
#[derive(Clone, Debug)]
pub struct BlockFlash<D, B> {
    device: D,
    sector_len: u32,
    block_len: u32,
    block: B,
    /// A sector that was erased and still holds what it held.
    erased: Option<u64>,
}

impl<D: RawBlocks, B: AsMut<[u8]>> BlockFlash<D, B> {
    /// Sectors are what the updater compares and writes at a time, and what it has a buffer for; a few KiB suit.
    ///
    /// # Errors
    /// [`LayoutError::Units`] unless a sector is some blocks, a block some records, and `block` as long as one.
    pub fn new(device: D, sector_len: u32, mut block: B) -> Result<Self, LayoutError> {
        let block_len = device.block_len();
        let fits = block_len > 0
            && sector_len > 0
            && sector_len.is_multiple_of(block_len)
            && block_len.is_multiple_of(RECORD_LEN as u32)
            && block.as_mut().len() == block_len as usize;
        if !fits {
            return Err(LayoutError::Units { erase_len: sector_len, write_len: block_len });
        }
        Ok(Self { device, sector_len, block_len, block, erased: None })
    }

    /// The device.
    pub const fn device(&mut self) -> &mut D {
        &mut self.device
    }

    /// Gives the device back. An erase that nothing was written after is forgotten.
    pub fn into_device(self) -> D {
        self.device
    }

    /// Does what was put off.
    fn settle(&mut self) -> Result<(), D::Error> {
        let Some(sector) = self.erased.take() else { return Ok(()) };
        let block = self.block.as_mut();
        block.fill(0xff);
        let mut at = sector;
        while at < sector + u64::from(self.sector_len) {
            self.device.write(at, block)?;
            at += u64::from(self.block_len);
        }
        Ok(())
    }

    /// Writes bytes that begin or end within a block.
    fn write_part(&mut self, at: u64, bytes: &[u8]) -> Result<(), D::Error> {
        let block_len = u64::from(self.block_len);
        let (mut at, mut left) = (at, bytes);
        while !left.is_empty() {
            let within = at.checked_rem(block_len).unwrap_or(0);
            let block = self.block.as_mut();
            self.device.read(at - within, block)?;
            let cells = block.get_mut(within as usize..).unwrap_or_default();
            let (front, rest) = left.split_at_checked(cells.len()).unwrap_or((left, &[]));
            cells.iter_mut().zip(front).for_each(|(cell, &byte)| *cell = byte);
            self.device.write(at - within, block)?;
            (at, left) = (at - within + block_len, rest);
        }
        Ok(())
    }
}

impl<D: RawBlocks, B: AsMut<[u8]>> Flash for BlockFlash<D, B> {
    type Error = D::Error;

    fn geometry(&self) -> Geometry {
        Geometry { erase_len: self.sector_len, write_len: RECORD_LEN as u32 }
    }

    fn torn_len(&self) -> u32 {
        self.block_len
    }

    async fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), Self::Error> {
        self.settle()?;
        self.device.read(at, into)
    }

    async fn erase(&mut self, sector: u64) -> Result<(), Self::Error> {
        self.settle()?;
        self.erased = Some(sector);
        Ok(())
    }

    async fn program(&mut self, at: u64, bytes: &[u8]) -> Result<(), Self::Error> {
        let is_sector = bytes.len() as u64 == u64::from(self.sector_len);
        if self.erased == Some(at) && is_sector {
            self.erased = None;
        }
        self.settle()?;
        if is_sector { self.device.write(at, bytes) } else { self.write_part(at, bytes) }
    }

    async fn sync(&mut self) -> Result<(), Self::Error> {
        self.settle()?;
        self.device.sync()
    }
}
