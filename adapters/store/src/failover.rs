//! A group of stores with the same content (`a|b|c`): while one fails, another serves.
//!
//! One member is active, at first the first. A member that fails makes the next one active. After a while
//! one request tries the first again, and if that works, the group returns to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use desync_core::ChunkId;
use desync_core::chunk_source::Wanted;

use crate::{Chunk, ChunkStore, ErrorKind, StoreError};

/// How long the group stays away from its first member before it tries it again.
const RETURN_AFTER: Duration = Duration::from_secs(30);

/// Stores that stand in for each other. Read-only.
///
/// A chunk that is missing in the active member is missing: all members have the same content. Each request
/// asks each member at most once; how often a member itself tries again is its own business.
pub struct Failover {
    members: Vec<Arc<dyn ChunkStore>>,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
    state: Mutex<State>,
}

struct State {
    active: usize,
    /// When the first member was left or last tried; `None` while it is active.
    away_since: Option<Instant>,
}

impl Failover {
    /// A group of these members, the preferred first.
    ///
    /// # Panics
    /// Without members: a programmer's error.
    #[must_use]
    pub fn new(members: Vec<Arc<dyn ChunkStore>>) -> Self {
        Self::with_clock(members, Box::new(Instant::now))
    }

    fn with_clock(members: Vec<Arc<dyn ChunkStore>>, clock: Box<dyn Fn() -> Instant + Send + Sync>) -> Self {
        assert!(!members.is_empty(), "a failover group has members");
        Self { members, clock, state: Mutex::new(State { active: 0, away_since: None }) }
    }

    /// Makes a request of one member after the other until one answers.
    fn request<T>(&self, ask: impl Fn(&dyn ChunkStore) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (active, probing) = self.begin();
        let count = self.members.len();
        let others =
            (0..count).map(|step| (active + step) % count).filter(|member| !(probing && *member == 0));
        let mut failed = None;
        for member in probing.then_some(0).into_iter().chain(others) {
            match ask(&*self.members[member]) {
                Err(error) if error.kind != ErrorKind::Missing && !error.ends_the_run() => {
                    log::warn!("{error}");
                    self.move_on_from(member);
                    failed = Some(error);
                }
                answer => {
                    if probing && member == 0 {
                        *self.state() = State { active: 0, away_since: None };
                    }
                    return answer;
                }
            }
        }
        Err(failed.expect("there is at least one member, and it failed"))
    }

    /// The active member, and whether this request is to try the first one before.
    fn begin(&self) -> (usize, bool) {
        let mut state = self.state();
        let now = (self.clock)();
        let due = state.away_since.is_some_and(|since| now.saturating_duration_since(since) >= RETURN_AFTER);
        if due {
            // The others go on with the active member meanwhile.
            state.away_since = Some(now);
        }
        (state.active, due)
    }

    /// Makes the next member active, unless another request already moved on.
    fn move_on_from(&self, member: usize) {
        let mut state = self.state();
        if state.active == member {
            state.active = (member + 1) % self.members.len();
            state.away_since = (state.active != 0).then(|| state.away_since.unwrap_or_else(&self.clock));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChunkStore for Failover {
    fn location(&self) -> String {
        self.members.iter().map(ChunkStore::location).collect::<Vec<_>>().join("|")
    }

    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.request(|store| store.get(wanted))
    }

    fn get_unverified(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.request(|store| store.get_unverified(wanted))
    }

    fn get_at_once(&self, wanted: &Wanted) -> Option<Chunk> {
        // While another member serves, the first may be due to be tried: that is for requests that may wait.
        let is_first = self.state().away_since.is_none();
        self.members.first().filter(|_| is_first)?.get_at_once(wanted)
    }

    fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
        self.request(|store| store.has(id))
    }

    fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
        Err(StoreError::read_only(&self.location()).on(&chunk.id()))
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.members.iter().try_for_each(ChunkStore::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeStore, wanted};

    /// A group of three that all have one chunk, and the hands of its clock, in seconds.
    fn group() -> (Failover, [Arc<FakeStore>; 3], Arc<Mutex<u64>>) {
        let members = ["a", "b", "c"].map(|name| FakeStore::with(name, &[b"x"]));
        let seconds = Arc::new(Mutex::new(0));
        let (start, hands) = (Instant::now(), Arc::clone(&seconds));
        let clock = Box::new(move || start + Duration::from_secs(*hands.lock().unwrap()));
        let stores = members.iter().map(|store| Arc::clone(store) as Arc<dyn ChunkStore>).collect();
        (Failover::with_clock(stores, clock), members, seconds)
    }

    fn gets(members: &[Arc<FakeStore>; 3]) -> [usize; 3] {
        members.each_ref().map(|member| member.gets())
    }

    #[test]
    fn while_one_fails_the_next_serves() {
        let (group, members, _) = group();
        assert_eq!(group.location(), "a|b|c");
        members[0].fail_with(ErrorKind::Permanent);
        group.get(&wanted(b"x")).unwrap();
        group.get(&wanted(b"x")).unwrap();
        assert_eq!(gets(&members), [1, 2, 0]);
        members[1].fail_with(ErrorKind::Invalid);
        group.get(&wanted(b"x")).unwrap();
        assert_eq!(gets(&members), [1, 3, 1]);
    }

    #[test]
    fn a_missing_chunk_is_missing() {
        let (group, members, _) = group();
        assert_eq!(group.get(&wanted(b"y")).unwrap_err().kind, ErrorKind::Missing);
        assert_eq!(gets(&members), [1, 0, 0]);
        assert!(!group.has(&wanted(b"y").id).unwrap());
        assert!(group.has(&wanted(b"x").id).unwrap());
    }

    #[test]
    fn each_member_is_asked_once_and_the_last_failure_told() {
        let (group, members, _) = group();
        members.iter().for_each(|member| member.fail_with(ErrorKind::Permanent));
        assert_eq!(group.get(&wanted(b"x")).unwrap_err().store, "c");
        assert_eq!(gets(&members), [1, 1, 1]);
    }

    #[test]
    fn defect_55_the_group_returns_to_its_first_member() {
        let (group, members, seconds) = group();
        members[0].fail_with(ErrorKind::Permanent);
        group.get(&wanted(b"x")).unwrap();
        *seconds.lock().unwrap() = 31;
        // Still failing: one request finds out, is served all the same, and the group waits again.
        group.get(&wanted(b"x")).unwrap();
        group.get(&wanted(b"x")).unwrap();
        assert_eq!(gets(&members), [2, 3, 0]);
        *seconds.lock().unwrap() = 62;
        members[0].heal();
        group.get(&wanted(b"x")).unwrap();
        group.get(&wanted(b"x")).unwrap();
        assert_eq!(gets(&members), [4, 3, 0]);
    }

    #[test]
    fn many_threads_share_one_move() {
        let (group, members, _) = group();
        members[0].fail_with(ErrorKind::Permanent);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| group.get(&wanted(b"x")).unwrap());
            }
        });
        assert_eq!(members[2].gets(), 0, "somebody moved on from a member that works");
    }

    #[test]
    fn only_the_preferred_member_answers_at_once() {
        let (group, members, _) = group();
        assert!(group.get_at_once(&wanted(b"x")).is_some());
        members[0].fail_with(ErrorKind::Permanent);
        assert!(group.get_at_once(&wanted(b"x")).is_none(), "it has nothing at once");
        group.get(&wanted(b"x")).unwrap();
        members[0].heal();
        assert!(group.get_at_once(&wanted(b"x")).is_none(), "another one is active");
    }
}
