//! What is noted of use, and what a prune that comes meanwhile leaves, over objects in memory.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Mutex;

use desync_http::Answer;

use super::*;
use crate::{Found, Listing};

const FORM: StorageForm = StorageForm::Compressed;
const HOUR: Duration = Duration::from_secs(3600);

/// What a server does that is asked to renew an object.
#[derive(Clone, Copy, PartialEq)]
enum Renewal {
    Works,
    Empties,
    Fails(ErrorKind),
    /// Not even looking an object up is allowed.
    Denied,
}

/// Lengths and times of objects by their keys, three to a page.
struct Memory {
    objects: Mutex<BTreeMap<String, (u64, SystemTime)>>,
    renewal: Renewal,
    listings: Mutex<usize>,
}

impl Objects for Memory {
    fn location(&self) -> &str {
        "memory"
    }
    fn get(&self, _: &str, _: u64, _: u64) -> Result<Option<Answer>, StoreError> {
        unreachable!("nothing is read here")
    }
    fn look_up(&self, key: &str) -> Result<LookUp, StoreError> {
        if self.renewal == Renewal::Denied {
            return Ok(LookUp::Denied(self.error(ErrorKind::Permanent, Operation::Has, "denied".into())));
        }
        let found = self.objects.lock().unwrap().get(key).copied();
        let found = found.map(|(len, modified)| Found { len, modified: Some(modified), generation: None });
        Ok(found.map_or(LookUp::Missing, LookUp::There))
    }
    fn renew(&self, key: &str, _: &'static str, _: &Found) -> Result<bool, StoreError> {
        let mut objects = self.objects.lock().unwrap();
        let Some((len, modified)) = objects.get_mut(key) else { return Ok(false) };
        match self.renewal {
            Renewal::Works => *modified = SystemTime::now(),
            Renewal::Empties => *len = 0,
            Renewal::Denied => unreachable!("nobody could know that it is old"),
            Renewal::Fails(kind) => return Err(self.error(kind, Operation::Has, "told to fail".into())),
        }
        Ok(*len > 0)
    }
    fn put(&self, key: &str, _: &'static str, _: Body<'_>) -> Result<(), StoreError> {
        self.objects.lock().unwrap().insert(key.into(), (7, SystemTime::now()));
        Ok(())
    }
    fn remove(&self, keys: &[String]) -> Result<(), StoreError> {
        assert!(keys.len() <= self.removes_at_once());
        self.objects.lock().unwrap().retain(|key, _| !keys.contains(key));
        Ok(())
    }
    fn removes_at_once(&self) -> usize {
        4
    }
    fn list(&self, prefix: &str, page: Page<'_>) -> Result<Listing, StoreError> {
        *self.listings.lock().unwrap() += 1;
        let after = match page {
            Page::First => "",
            Page::Next(key) | Page::After(key) => key,
        };
        let objects = self.objects.lock().unwrap();
        let behind = objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
        let mut found: Vec<_> = behind
            .map(|(key, (len, modified))| Object { key: key.clone(), len: *len, modified: Some(*modified) })
            .collect();
        // Every other page is empty, as Google's may be.
        let listings = *self.listings.lock().unwrap();
        if listings.is_multiple_of(2) && page != Page::First {
            return Ok(Listing { objects: Vec::new(), next: Some(after.to_owned()) });
        }
        let next = (found.len() > 3).then(|| found[2].key.clone());
        found.truncate(3);
        Ok(Listing { objects: found, next })
    }
}

/// A store with ten chunks that are two days old.
fn store(renewal: Renewal) -> (ObjectStore<Memory>, Vec<ChunkId>, SystemTime) {
    let memory = Memory { objects: Mutex::default(), renewal, listings: Mutex::default() };
    let store = ObjectStore::new(memory, "some/prefix/".into());
    let old = SystemTime::now() - 48 * HOUR;
    let ids: Vec<_> = (0..10).map(|number| ChunkId([number * 7; 32])).collect();
    for id in &ids {
        store.objects.objects.lock().unwrap().insert(store.key(id, FORM), (7, old));
    }
    (store, ids, old)
}

fn time_of(store: &ObjectStore<Memory>, id: &ChunkId) -> Option<SystemTime> {
    store.objects.objects.lock().unwrap().get(&store.key(id, FORM)).map(|(_, modified)| *modified)
}

#[test]
fn old_chunks_that_are_used_again_become_young_and_young_ones_stay_as_they_are() {
    let (store, ids, old) = store(Renewal::Works);
    assert!(store.exists(&ids[0], FORM).unwrap());
    assert_eq!(time_of(&store, &ids[0]), Some(old), "looking is no use");
    assert!(store.rely_on(&ids[0], FORM).unwrap());
    let renewed = time_of(&store, &ids[0]).unwrap();
    assert!(renewed > old);
    assert!(store.rely_on(&ids[0], FORM).unwrap());
    assert_eq!(time_of(&store, &ids[0]), Some(renewed), "a note stands for a while");
    assert!(!store.rely_on(&ChunkId([1; 32]), FORM).unwrap());
}

#[test]
fn what_does_not_survive_its_renewal_is_stored_anew() {
    let (store, ids, _) = store(Renewal::Empties);
    assert!(!store.rely_on(&ids[0], FORM).unwrap());
    store.write(&ids[0], FORM, b"7 bytes").unwrap();
    assert!(store.rely_on(&ids[0], FORM).unwrap());
}

#[test]
fn who_may_not_renew_goes_on_and_what_may_pass_is_told() {
    let (may_not, ids, _) = store(Renewal::Fails(ErrorKind::Permanent));
    assert!(may_not.rely_on(&ids[0], FORM).unwrap());
    let (fails, ids, _) = store(Renewal::Fails(ErrorKind::Transient));
    assert_eq!(fails.rely_on(&ids[0], FORM).unwrap_err().kind, ErrorKind::Transient);
}

#[test]
fn what_is_used_while_a_prune_goes_on_stays() {
    let (store, ids, _) = store(Renewal::Works);
    let since = SystemTime::now() - HOUR;
    // Listed as old; then a build finds two of them.
    let seen = Cell::new(0);
    store.list(FORM, &mut |_| Ok(seen.replace(seen.get() + 1) < 99)).unwrap();
    assert_eq!(seen.get(), 10);
    for used in [&ids[5], &ids[8]] {
        assert!(store.rely_on(used, FORM).unwrap());
    }
    *store.objects.listings.lock().unwrap() = 0;
    assert_eq!(store.remove_many(&ids[2..6], FORM, since).unwrap(), 3);
    assert!(*store.objects.listings.lock().unwrap() <= 4, "only where they lie");
    assert_eq!(store.remove_many(&ids[8..9], FORM, since).unwrap(), 0);
    assert_eq!(store.remove_many(&ids[9..], FORM, since).unwrap(), 1);
    let left: Vec<_> = ids.iter().filter(|id| time_of(&store, id).is_some()).collect();
    assert_eq!(left, [&ids[0], &ids[1], &ids[5], &ids[6], &ids[7], &ids[8]]);
    assert_eq!(store.remove_many(&[], FORM, since).unwrap(), 0);
}

#[test]
fn who_may_not_look_up_prunes_by_what_is_listed() {
    let (store, ids, old) = store(Renewal::Denied);
    assert_eq!(store.remove_many(&ids[..1], FORM, old - HOUR).unwrap(), 0, "used since then");
    assert_eq!(store.remove_many(&ids[..1], FORM, old + HOUR).unwrap(), 1);
    assert_eq!(time_of(&store, &ids[0]), None);
    assert!(time_of(&store, &ids[1]).is_some());
}
