//! Which ranges of a blank target may no longer read as zeros.

use core::ops::Range;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Disjoint ranges, by their start. Neighbours are joined, so that long writing in order stays one entry.
#[derive(Debug, Default)]
pub(super) struct Touched(Mutex<BTreeMap<u64, u64>>);

impl Touched {
    /// Notes that a range was written.
    pub(super) fn add(&self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let mut ranges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut start, mut end) = (range.start, range.end);
        // From the last range that begins before our end, backwards, as long as they reach our start.
        while let Some((&other_start, &other_end)) = ranges.range(..=end).next_back()
            && other_end >= start
        {
            ranges.remove(&other_start);
            start = start.min(other_start);
            end = end.max(other_end);
        }
        ranges.insert(start, end);
    }

    /// Whether any of these bytes may have been written.
    pub(super) fn overlaps(&self, range: &Range<u64>) -> bool {
        let ranges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !range.is_empty() && ranges.range(..range.end).next_back().is_some_and(|(_, end)| *end > range.start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_bitmap(added in prop::collection::vec((0_u64..100, 0_u64..20), 0..40)) {
            let (touched, mut bitmap) = (Touched::default(), [false; 128]);
            for (start, len) in added {
                touched.add(start..start + len);
                bitmap[start as usize..(start + len) as usize].fill(true);
            }
            for start in 0..110_u64 {
                for len in 0..18 {
                    let expected = bitmap[start as usize..(start + len) as usize].contains(&true);
                    prop_assert_eq!(touched.overlaps(&(start..start + len)), expected, "{}+{}", start, len);
                }
            }
        }
    }

    #[test]
    fn writing_in_order_stays_one_range() {
        let touched = Touched::default();
        (0..1000).for_each(|n| touched.add(n * 10..(n + 1) * 10));
        assert_eq!(touched.0.lock().unwrap().len(), 1);
    }
}
