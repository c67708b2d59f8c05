//! What a device knows of its slots, and the 32 bytes that say so in the journal.
//!
//! Each record is the whole state, so the newest right one is all there is to read.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | CRC-32 of bytes 4..32 |
//! | 4 | 4 | number of the record, one more than the one before |
//! | 8 | 1 | version, 1 |
//! | 9 | 1 | active slot: 0, 1 |
//! | 10 | 1 | phase: 0 idle, 1 staged, 2 trial |
//! | 11 | 1 | trial boots left |
//! | 12 | 4 | sector of the inactive slot that is being erased, counted from its start; `ffffffff` none |
//! | 16, 20 | 4 each | chunks of the index kept beside slot A, B; 0 none |
//! | 24 | 8 | the first bytes of the name of an index: while idle of that beside the active slot, else beside the other; zeros if none is known |
//!
//! All words are little-endian. This format is this project's own.

use super::layout::Slot;

/// Bytes of a record.
pub const RECORD_LEN: usize = 32;

const VERSION: u8 = 1;
const NO_SECTOR: u32 = u32::MAX;

/// The tag of no index.
pub(super) const NO_TAG: [u8; 8] = [0; 8];

/// How far an update has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Phase {
    /// No update is under way.
    #[default]
    Idle,
    /// The index of the new image is staged and proven; the inactive slot is being written.
    Staged,
    /// The inactive slot is proven. It boots until it is confirmed or has had its boots.
    Trial {
        /// Boots it still has.
        boots_left: u8,
    },
}

/// Everything the journal says. The default is a device as it leaves the factory: slot A boots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct State {
    /// The slot whose image is confirmed.
    pub active: Slot,
    /// What is going on in the other one.
    pub phase: Phase,
    /// The sector of the inactive slot whose erase may not be complete: it must not be believed.
    pub in_flux: Option<u32>,
    /// Chunks of the index kept beside each slot; 0 if there is none.
    pub chunks: [u32; 2],
    /// The first bytes of the name of an index: while idle of that beside the active slot, else of that beside
    /// the other; zeros if none is known.
    pub tag: [u8; 8],
}

impl State {
    /// The bytes that [`State::parse`] reads.
    pub(super) fn encode(&self, number: u32) -> [u8; RECORD_LEN] {
        let mut bytes = [0; RECORD_LEN];
        let (phase, boots_left) = match self.phase {
            Phase::Idle => (0, 0),
            Phase::Staged => (1, 0),
            Phase::Trial { boots_left } => (2, boots_left),
        };
        bytes[4..8].copy_from_slice(&number.to_le_bytes());
        bytes[8..12].copy_from_slice(&[VERSION, self.active.position() as u8, phase, boots_left]);
        bytes[12..16].copy_from_slice(&self.in_flux.unwrap_or(NO_SECTOR).to_le_bytes());
        bytes[16..20].copy_from_slice(&self.chunks[0].to_le_bytes());
        bytes[20..24].copy_from_slice(&self.chunks[1].to_le_bytes());
        bytes[24..].copy_from_slice(&self.tag);
        let sum = crc32(&bytes[4..]);
        bytes[..4].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The record's number and state; `None` if it is torn, erased or of another version.
    pub(super) fn parse(bytes: &[u8; RECORD_LEN]) -> Option<(u32, Self)> {
        (word(bytes, 0) == crc32(&bytes[4..])).then(|| Self::read(bytes)).flatten()
    }

    /// The same without the sum.
    pub(super) fn read(bytes: &[u8; RECORD_LEN]) -> Option<(u32, Self)> {
        let active = match bytes[9] {
            0 => Slot::A,
            1 => Slot::B,
            _ => return None,
        };
        let phase = match bytes[10] {
            0 => Phase::Idle,
            1 => Phase::Staged,
            2 => Phase::Trial { boots_left: bytes[11] },
            _ => return None,
        };
        let in_flux = Some(word(bytes, 12)).filter(|&sector| sector != NO_SECTOR);
        let mut tag = [0; 8];
        tag.copy_from_slice(&bytes[24..]);
        let state = Self { active, phase, in_flux, chunks: [word(bytes, 16), word(bytes, 20)], tag };
        (bytes[8] == VERSION).then_some((word(bytes, 4), state))
    }
}

fn word(bytes: &[u8; RECORD_LEN], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

/// CRC-32 as in Ethernet and zip, bit by bit: small, and records are short.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for &byte in bytes {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_of_the_check_string() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn round_trip_and_no_bit_may_change() {
        let state = State {
            active: Slot::B,
            phase: Phase::Trial { boots_left: 3 },
            in_flux: Some(7),
            chunks: [5, 6],
            tag: *b"abcdefgh",
        };
        let bytes = state.encode(9);
        assert_eq!(State::parse(&bytes), Some((9, state)));
        for bit in 0..8 * RECORD_LEN {
            let mut torn = bytes;
            torn[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(State::parse(&torn), None, "bit {bit}");
        }
        assert_eq!(State::parse(&[0xff; RECORD_LEN]), None);
        assert_eq!(State::parse(&[0; RECORD_LEN]), None);
    }
}
