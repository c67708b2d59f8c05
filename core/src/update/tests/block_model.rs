//! A block device that loses power: a cut write leaves old, new or foreign bytes in its blocks, and what was not
//! synced survives in any order, in part or not at all.

use alloc::vec;
use alloc::vec::Vec;

use super::model::{Fault, Model, ModelError, Outcome, next};
use super::{FLASH_LEN, LAYOUT};
use crate::block_io::BlockRead;
use crate::update::{BlockFlash, Flash, Geometry, RawBlocks};

/// Two records long, so that one too near another would be spoilt with it.
const BLOCK: usize = 64;
const SECTOR: u32 = super::GEOMETRY.erase_len;

#[derive(Clone)]
struct Device {
    seen: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
    fault: Option<Fault>,
    powered: bool,
    random: u64,
    operations: u32,
    active_written: bool,
}

/// It, as the updater sees it.
#[derive(Clone)]
pub(super) struct BlockModel(BlockFlash<Device, [u8; BLOCK]>);

impl Device {
    fn lose_power(&mut self, last: Option<(usize, Vec<u8>)>, outcome: Outcome) {
        self.powered = false;
        let mut unsynced = core::mem::take(&mut self.unsynced);
        while !unsynced.is_empty() {
            let place = next(&mut self.random) as usize % unsynced.len();
            let (at, bytes) = unsynced.swap_remove(place);
            match next(&mut self.random) % 4 {
                0 => {}
                1 => self.tear(at, &bytes),
                _ => self.durable[at..at + bytes.len()].copy_from_slice(&bytes),
            }
        }
        if let Some((at, bytes)) = last {
            match outcome {
                Outcome::Torn => self.tear(at, &bytes),
                Outcome::Done => self.durable[at..at + bytes.len()].copy_from_slice(&bytes),
                Outcome::Undone | Outcome::Flawed => {}
            }
        }
        self.seen = self.durable.clone();
    }

    /// Each block on its own is new, old, foreign, or a mixture.
    fn tear(&mut self, at: usize, bytes: &[u8]) {
        for (block, new) in self.durable[at..at + bytes.len()].chunks_mut(BLOCK).zip(bytes.chunks(BLOCK)) {
            let kind = next(&mut self.random) % 4;
            for (cell, &new) in block.iter_mut().zip(new) {
                let random = next(&mut self.random) as u8;
                *cell = match kind {
                    0 => *cell,
                    1 => new,
                    2 => random,
                    _ if random & 1 == 0 => new,
                    _ => *cell,
                };
            }
        }
    }

    /// Counts an operation; what is to go wrong with it.
    fn count(&mut self) -> Result<Option<Outcome>, ModelError> {
        if !self.powered {
            return Err(ModelError::PowerLost);
        }
        self.operations += 1;
        let number = self.operations - 1;
        Ok(self.fault.filter(|fault| fault.operation == number).map(|fault| fault.outcome))
    }
}

impl BlockRead for Device {
    type Error = ModelError;

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), ModelError> {
        if !self.powered {
            return Err(ModelError::PowerLost);
        }
        buf.copy_from_slice(&self.seen[offset as usize..][..buf.len()]);
        Ok(())
    }
}

impl RawBlocks for Device {
    fn block_len(&self) -> u32 {
        BLOCK as u32
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), ModelError> {
        let at = offset as usize;
        assert!(at.is_multiple_of(BLOCK) && bytes.len().is_multiple_of(BLOCK), "whole blocks");
        let active = LAYOUT.slots[0];
        self.active_written |=
            offset < active.start + active.len && offset + bytes.len() as u64 > active.start;
        if let Some(outcome) = self.count()? {
            self.lose_power(Some((at, bytes.to_vec())), outcome);
            return Err(ModelError::PowerLost);
        }
        self.seen[at..at + bytes.len()].copy_from_slice(bytes);
        self.unsynced.push((at, bytes.to_vec()));
        Ok(())
    }

    fn sync(&mut self) -> Result<(), ModelError> {
        match self.count()? {
            None => {}
            Some(outcome) => {
                if outcome == Outcome::Done {
                    self.durable = self.seen.clone();
                    self.unsynced.clear();
                }
                self.lose_power(None, outcome);
                return Err(ModelError::PowerLost);
            }
        }
        self.durable = self.seen.clone();
        self.unsynced.clear();
        Ok(())
    }
}

impl BlockModel {
    /// A device with this image in slot A, and anything elsewhere.
    pub(super) fn new(image: &[u8]) -> Self {
        let mut bytes = desync_test_kit::prng(FLASH_LEN, 77);
        // A journal of anything is no journal; but let it be blank in part.
        bytes[..SECTOR as usize].fill(0xff);
        let start = LAYOUT.slots[0].start as usize;
        bytes[start..start + image.len()].copy_from_slice(image);
        let device = Device {
            seen: bytes.clone(),
            durable: bytes,
            unsynced: vec![],
            fault: None,
            powered: true,
            random: 5,
            operations: 0,
            active_written: false,
        };
        Self(BlockFlash::new(device, SECTOR, [0; BLOCK]).unwrap())
    }
}

impl Model for BlockModel {
    fn power_up(&mut self, fault: Option<Fault>) {
        // What the adapter keeps in memory is lost too.
        let mut device = self.0.clone().into_device();
        if device.powered {
            device.lose_power(None, Outcome::Undone);
        }
        (device.fault, device.powered, device.operations) = (fault, true, 0);
        if let Some(Fault { operation, outcome }) = fault {
            device.random ^= u64::from(operation) << 8 | outcome as u64;
        }
        self.0 = BlockFlash::new(device, SECTOR, [0; BLOCK]).unwrap();
    }

    fn stir(&mut self, random: u64) {
        self.0.device().random ^= random;
    }

    fn operations(&mut self) -> u32 {
        self.0.device().operations
    }

    fn holds(&self, at: usize, bytes: &[u8]) -> bool {
        self.0.clone().into_device().durable[at..at + bytes.len()] == *bytes
    }

    fn complaint(&self) -> Option<&'static str> {
        self.0.clone().into_device().active_written.then_some("active slot touched")
    }

    fn forgive(&mut self) {
        self.0.device().active_written = false;
    }
}

impl Flash for BlockModel {
    type Error = ModelError;

    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }

    fn torn_len(&self) -> u32 {
        self.0.torn_len()
    }

    async fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), ModelError> {
        self.0.read(at, into).await
    }

    async fn erase(&mut self, sector: u64) -> Result<(), ModelError> {
        self.0.erase(sector).await
    }

    async fn program(&mut self, at: u64, bytes: &[u8]) -> Result<(), ModelError> {
        self.0.program(at, bytes).await
    }

    async fn sync(&mut self) -> Result<(), ModelError> {
        self.0.sync().await
    }
}
