//! Which nodes the kernel knows by number, and where they lie.
//!
//! The number of a node is where its entry starts in the archive, so it is the same at every mount. Where it ends
//! has to be remembered as long as the kernel may ask, and no longer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use desync_core::format::catar::Place;
use fuser::INodeNo;

/// Nodes the kernel may ask for.
pub(super) struct Inodes {
    root: Place,
    known: Mutex<HashMap<u64, Known>>,
}

struct Known {
    end: u64,
    /// How often the kernel was told of it and has not forgotten that.
    lookups: u64,
}

impl Inodes {
    pub(super) fn new(root: Place) -> Self {
        Self { root, known: Mutex::default() }
    }

    /// The number of a node.
    pub(super) const fn number(place: Place) -> INodeNo {
        // The entry of the root is at 0, and nobody else's before 80.
        if place.entry == 0 { INodeNo::ROOT } else { INodeNo(place.entry) }
    }

    /// Where the node of this number lies, if the kernel may know it.
    pub(super) fn place(&self, number: INodeNo) -> Option<Place> {
        if number == INodeNo::ROOT {
            return Some(self.root);
        }
        self.known().get(&number.0).map(|known| Place { entry: number.0, end: known.end })
    }

    /// Notes that the kernel is told of a node. `false` if it knows this number for another node, as can only be
    /// in an archive whose tables contradict each other.
    #[must_use]
    pub(super) fn learn(&self, place: Place) -> bool {
        match self.known().entry(place.entry) {
            Entry::Vacant(free) => {
                free.insert(Known { end: place.end, lookups: 1 });
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                if known.end != place.end {
                    return false;
                }
                known.lookups += 1;
            }
        }
        true
    }

    /// Notes that the kernel has forgotten some of what it was told.
    pub(super) fn forget(&self, number: INodeNo, lookups: u64) {
        let mut known = self.known();
        if let Entry::Occupied(mut node) = known.entry(number.0) {
            node.get_mut().lookups = node.get().lookups.saturating_sub(lookups);
            if node.get().lookups == 0 {
                node.remove();
            }
        }
        let len = known.len();
        if len < known.capacity() / 8 {
            known.shrink_to(2 * len);
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u64, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_forgets_is_forgotten() {
        let inodes = Inodes::new(Place { entry: 0, end: 1 << 40 });
        let place = |number: u64| Place { entry: 100 * number, end: 100 * number + 90 };
        for number in 1..=100_000 {
            assert!(inodes.learn(place(number)) && inodes.learn(place(number)));
        }
        assert_eq!(inodes.place(INodeNo(700)), Some(place(7)));
        assert_eq!(inodes.place(INodeNo::ROOT), Some(Place { entry: 0, end: 1 << 40 }));
        let full = inodes.known().capacity();
        for number in 1..=100_000 {
            inodes.forget(INodeNo(100 * number), 1);
            assert!(inodes.place(INodeNo(100 * number)).is_some());
            inodes.forget(INodeNo(100 * number), 1);
            assert!(inodes.place(INodeNo(100 * number)).is_none());
        }
        assert!(inodes.known().is_empty() && inodes.known().capacity() < full / 100);
        inodes.forget(INodeNo(5), 3);
    }

    #[test]
    fn a_number_means_one_node() {
        let inodes = Inodes::new(Place { entry: 0, end: 1000 });
        assert!(inodes.learn(Place { entry: 100, end: 200 }));
        assert!(!inodes.learn(Place { entry: 100, end: 300 }));
        assert_eq!(inodes.place(INodeNo(100)), Some(Place { entry: 100, end: 200 }));
    }
}
