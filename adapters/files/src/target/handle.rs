//! Writing to a target through the gate, one handle for each thread.

use core::ops::Range;
use std::io;
use std::sync::Arc;

use desync_core::VerifiedBytes;
use desync_core::block_io::{BlockRead, BlockShare, BlockWrite};

use super::Touched;
use crate::disk::DiskFile;
use crate::seed::Seed;

/// Runs of zeros are left out of a blank target in multiples of this, at such offsets.
const HOLE_UNIT: u64 = 4096;

/// One thread's way to a target. Clones write to the same target.
#[derive(Clone)]
pub struct TargetHandle {
    file: Arc<dyn DiskFile>,
    /// `Some` where everything not yet written reads as zeros.
    blank: Option<Arc<Touched>>,
}

impl TargetHandle {
    pub(super) const fn new(file: Arc<dyn DiskFile>, blank: Option<Arc<Touched>>) -> Self {
        Self { file, blank }
    }

    /// Whether a range certainly reads as zeros because nothing was ever written there.
    fn is_untouched(&self, range: &Range<u64>) -> bool {
        self.blank.as_ref().is_some_and(|touched| !touched.overlaps(range))
    }

    /// To be called before the range changes, so that a failed change counts too.
    fn touch(&self, range: Range<u64>) {
        if let Some(touched) = &self.blank {
            touched.add(range);
        }
    }
}

impl BlockRead for TargetHandle {
    type Error = io::Error;

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }
}

impl BlockWrite for TargetHandle {
    fn write(&mut self, offset: u64, bytes: VerifiedBytes<'_>) -> io::Result<()> {
        let bytes = bytes.bytes();
        let range = offset..offset + bytes.len() as u64;
        let is_untouched = self.is_untouched(&range);
        // All of it, not only what is written: neighbours then join, however many zeros there are.
        self.touch(range);
        if !is_untouched {
            return self.file.write_all_at(bytes, offset);
        }
        for data in data_runs(offset, bytes) {
            self.file.write_all_at(&bytes[data.clone()], offset + data.start as u64)?;
        }
        Ok(())
    }

    fn zero(&mut self, offset: u64, len: u64) -> io::Result<()> {
        if self.is_untouched(&(offset..offset.saturating_add(len))) {
            Ok(())
        } else {
            self.file.zero_range(offset, len)
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

impl BlockShare<Seed> for TargetHandle {
    fn share(
        &mut self,
        source: &mut Seed,
        source_offset: u64,
        offset: u64,
        len: u64,
    ) -> io::Result<Option<Range<u64>>> {
        let Some(middle) = whole_blocks(self.file.block_size(), source_offset, offset, len) else {
            return Ok(None);
        };
        let source_start = source_offset + (middle.start - offset);
        let len = middle.end - middle.start;
        let shared = source.clone_to(&*self.file, source_start, middle.start, len);
        // After a refusal it is as blank as before: zeros are still left out there.
        if !matches!(shared, Ok(false)) {
            self.touch(middle.clone());
        }
        Ok(shared?.then_some(middle))
    }
}

/// The part of `offset..offset + len` that consists of whole blocks, if those are whole blocks of the source
/// too. An end that is aligned stays where it is.
fn whole_blocks(block_size: u64, source_offset: u64, offset: u64, len: u64) -> Option<Range<u64>> {
    if source_offset % block_size != offset % block_size {
        return None;
    }
    let start = offset.checked_next_multiple_of(block_size)?;
    let end = offset.checked_add(len)? / block_size * block_size;
    (start < end).then_some(start..end)
}

/// The runs of `bytes`, to be written at `offset`, between whole units of zeros.
fn data_runs(offset: u64, bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let len = bytes.len();
    // The first unit ends where the target's next unit begins.
    let first = (offset.next_multiple_of(HOLE_UNIT) - offset) as usize;
    let is_hole = move |unit: &Range<usize>| {
        unit.len() as u64 == HOLE_UNIT && bytes[unit.clone()].iter().all(|byte| *byte == 0)
    };
    let mut next = 0..first.min(len);
    let mut units = core::iter::from_fn(move || {
        if next.is_empty() {
            next = next.end..(next.end + HOLE_UNIT as usize).min(len);
        }
        let unit = next.clone();
        next = unit.end..(unit.end + HOLE_UNIT as usize).min(len);
        (!unit.is_empty()).then_some(unit)
    });
    core::iter::from_fn(move || {
        let run = units.find(|unit| !is_hole(unit))?;
        let end = units.by_ref().take_while(|unit| !is_hole(unit)).last().map_or(run.end, |unit| unit.end);
        Some(run.start..end)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn defect_64_an_aligned_range_is_shared_whole() {
        assert_eq!(whole_blocks(4096, 0, 8192, 8192), Some(8192..16384));
        assert_eq!(whole_blocks(4096, 1, 4097, 12000), Some(8192..12288));
        assert_eq!(whole_blocks(4096, 1, 4097, 4095 + 4096), Some(8192..12288));
        assert_eq!(whole_blocks(4096, 1, 4097, 4095), None);
        assert_eq!(whole_blocks(4096, 0, 1, 100_000), None, "shifted within the block");
        assert_eq!(whole_blocks(4096, u64::MAX - 4095, u64::MAX - 4095, 4095), None);
    }

    proptest! {
        #[test]
        fn runs_hold_all_that_is_not_zero(
            offset in 0_u64..9000,
            pieces in prop::collection::vec((any::<bool>(), 0_usize..9000), 0..6),
        ) {
            let bytes: Vec<u8> =
                pieces.iter().flat_map(|(data, len)| std::iter::repeat_n(u8::from(*data), *len)).collect();
            let mut rebuilt = vec![0; bytes.len()];
            let mut end = 0;
            for run in data_runs(offset, &bytes) {
                prop_assert!(run.start >= end && !run.is_empty());
                end = run.end;
                rebuilt[run.clone()].copy_from_slice(&bytes[run]);
            }
            prop_assert_eq!(&rebuilt, &bytes);
        }
    }

    #[test]
    fn whole_units_of_zeros_are_left_out() {
        let mut bytes = vec![0; 5 * 4096];
        (bytes[0], bytes[4 * 4096]) = (1, 1);
        assert_eq!(data_runs(0, &bytes).collect::<Vec<_>>(), [0..4096, 4 * 4096..5 * 4096]);
        // Shifted by one byte, the units lie differently.
        assert_eq!(data_runs(4095, &bytes).collect::<Vec<_>>(), [0..1, 3 * 4096 + 1..5 * 4096]);
        assert_eq!(data_runs(0, &[0; 4096]).count(), 0);
        assert_eq!(data_runs(0, &[0; 100]).next(), Some(0..100), "less than a unit is written");
    }
}
