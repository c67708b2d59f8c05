//! A blob read at random while its store fails, hangs and is exchanged; copy-on-read files of all kinds.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use desync_core::chunk_source::Wanted;
use desync_files::HostDisk;
use desync_store::{Chunk, ErrorKind, Operation, StoreError};
use desync_test_kit::prng;

use super::*;
use crate::testing::{EIGHT, Through, directory_store, fill, index_of};

const CHUNK: usize = 256;

#[derive(Clone, Copy)]
enum Mood {
    Good,
    Failing,
    Slow,
    /// Every third chunk is missing.
    Gaps,
}

/// What a store gives in a mood.
fn moody(mood: Mood, inner: &impl ChunkStore, wanted: &Wanted) -> Result<Chunk, StoreError> {
    match mood {
        Mood::Failing => Err(StoreError::new(ErrorKind::Transient, Operation::Get, "moody", "told to")),
        Mood::Gaps if wanted.id.0[0].is_multiple_of(3) => {
            Err(StoreError::missing(Operation::Get, "moody", &wanted.id))
        }
        Mood::Slow => {
            std::thread::sleep(Duration::from_millis(1));
            inner.get(wanted)
        }
        Mood::Good | Mood::Gaps => inner.get(wanted),
    }
}

/// A blob with a stretch of zeros and repeats, its index, a store that has it, and room for files.
struct Scene {
    blob: Vec<u8>,
    index: Index,
    store: Arc<dyn ChunkStore>,
    mood: Arc<Mutex<Mood>>,
    room: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let mut blob = prng(200 * CHUNK + 77, 1);
        blob[20 * CHUNK..40 * CHUNK].fill(0);
        let repeat = blob[..10 * CHUNK].to_vec();
        blob[100 * CHUNK..110 * CHUNK].copy_from_slice(&repeat);
        let index = index_of(&blob, CHUNK);
        let room = tempfile::tempdir().unwrap();
        let (store, _) = directory_store(room.path());
        fill(&store, &blob, &index);
        let mood = Arc::new(Mutex::new(Mood::Good));
        let now = Arc::clone(&mood);
        let get = move |inner: &_, wanted: &Wanted| moody(*now.lock().unwrap(), inner, wanted);
        Self { blob, index, store: Arc::new(Through { inner: store, get }), mood, room }
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn open(&self, kept: Option<CopyOnRead>, cache_len: u64) -> Arc<Blob> {
        let options = BlobOptions { workers: NonZeroUsize::new(3).unwrap(), cache_len, hash: EIGHT };
        Blob::new(self.index.clone(), Arc::clone(&self.store), kept, options).unwrap()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.room.path().join(name)
    }

    fn copy_on_read(&self, with_state: bool) -> CopyOnRead {
        let state = self.path("state");
        let state = with_state.then_some(&state);
        CopyOnRead::open(Arc::new(HostDisk), &self.path("cor"), &self.index, state.map(|path| &**path))
            .unwrap()
    }

    fn check(&self, blob: &Arc<Blob>, range: Range<u64>) -> bool {
        let end = range.end.min(self.blob.len() as u64) as usize;
        let expected = &self.blob[(range.start as usize).min(end)..end];
        let here = blob.read_now(range.clone());
        assert!(here.is_none_or(|bytes| bytes.as_ref() == expected), "{range:?}");
        match blob.read(range.clone()) {
            Ok(bytes) => assert!(bytes.as_ref() == expected, "{range:?}"),
            Err(_) => return false,
        }
        true
    }

    fn check_all(&self, blob: &Arc<Blob>) {
        assert!(self.check(blob, 0..self.blob.len() as u64));
    }
}

#[test]
fn every_range_is_exact_and_ends_with_the_blob() {
    let scene = Scene::new();
    let blob = scene.open(None, 1 << 20);
    let len = blob.len();
    for start in (0..len + 300).step_by(997) {
        for length in [0, 1, CHUNK as u64 - 1, CHUNK as u64, 5000, len, u64::MAX - start] {
            assert!(scene.check(&blob, start..start + length));
        }
    }
    assert!(blob.read(u64::MAX - 1..u64::MAX).unwrap().as_ref().is_empty());
}

#[test]
fn defect_30_an_empty_blob_is_an_empty_file() {
    let scene = Scene { blob: Vec::new(), index: index_of(&[], CHUNK), ..Scene::new() };
    let blob = scene.open(Some(scene.copy_on_read(true)), 1 << 20);
    assert!(blob.is_empty() && blob.read(0..4096).unwrap().as_ref().is_empty());
    blob.expect(&ReadAhead::new(), 0..4096);
    blob.save_state(&scene.path("state")).unwrap();
    assert!(scene.open(Some(scene.copy_on_read(true)), 1 << 20).is_empty());
}

#[test]
fn a_failure_is_not_remembered_and_zeros_need_no_store() {
    let scene = Scene::new();
    scene.set(Mood::Failing);
    for kept in [None, Some(scene.copy_on_read(false))] {
        let blob = scene.open(kept, 1 << 20);
        scene.set(Mood::Failing);
        assert!(!scene.check(&blob, 0..100) && !scene.check(&blob, 0..100));
        assert!(scene.check(&blob, 21 * CHUNK as u64..39 * CHUNK as u64));
        scene.set(Mood::Good);
        scene.check_all(&blob);
    }
}

#[test]
fn random_reads_are_right_or_fail() {
    let scene = Scene::new();
    for kept in [None, Some(scene.copy_on_read(false))] {
        // Little memory: chunks come and go.
        let blob = scene.open(kept, 6 * CHUNK as u64);
        let right = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for reader in 0..8 {
                let (blob, scene, right) = (&blob, &scene, &right);
                scope.spawn(move || {
                    let ahead = ReadAhead::new();
                    let dice = prng(4 * 400, 77 + reader);
                    for number in dice.chunks_exact(4) {
                        let number = u32::from_le_bytes(number.try_into().unwrap());
                        let start = u64::from(number) % scene.blob.len() as u64;
                        let range = start..start + u64::from(number >> 16) % 2000;
                        blob.expect(&ahead, range.clone());
                        right.fetch_add(usize::from(scene.check(blob, range)), Ordering::SeqCst);
                    }
                });
            }
            for round in 0..20 {
                scene.set([Mood::Failing, Mood::Good, Mood::Slow, Mood::Gaps][round % 4]);
                std::thread::sleep(Duration::from_millis(10));
                blob.store_changed();
            }
            scene.set(Mood::Good);
        });
        assert!(right.load(Ordering::SeqCst) > 100);
        scene.check_all(&blob);
    }
}

#[test]
fn defect_75_a_sequential_reader_finds_chunks_fetched() {
    let scene = Scene::new();
    let blob = scene.open(None, 1 << 20);
    let reader = ReadAhead::new();
    blob.expect(&reader, 0..CHUNK as u64);
    for position in 1..20 {
        let range = position * CHUNK as u64..(position + 1) * CHUNK as u64;
        let there = || blob.read_now(range.clone()).is_some();
        while !there() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn what_was_read_is_not_fetched_again() {
    let scene = Scene::new();
    {
        let blob = scene.open(Some(scene.copy_on_read(true)), 1 << 20);
        scene.check_all(&blob);
        blob.save_state(&scene.path("state")).unwrap();
    }
    assert!(fs::read(scene.path("cor")).unwrap() == scene.blob);
    scene.set(Mood::Failing);
    let kept = scene.copy_on_read(true);
    assert!(!kept.is_new());
    scene.check_all(&scene.open(Some(kept), 1 << 20));
}

#[test]
fn defect_14_a_file_of_unknown_content_is_not_believed() {
    let scene = Scene::new();
    let stale = vec![0xaa; scene.blob.len()];
    // Without state, with the state of another run, and with the raw state of Go desync that claims everything.
    let raw = vec![0xff; scene.index.items.len().div_ceil(8)];
    for state in [None, Some(&b"nonsense"[..]), Some(&raw)] {
        fs::write(scene.path("cor"), &stale).unwrap();
        match state {
            None => drop(fs::remove_file(scene.path("state"))),
            Some(state) => fs::write(scene.path("state"), state).unwrap(),
        }
        let blob = scene.open(Some(scene.copy_on_read(true)), 1 << 20);
        scene.check_all(&blob);
    }
}

#[test]
fn defect_15_a_chunk_of_another_length_does_not_reach_the_file() {
    let scene = Scene::new();
    let mut lying = scene.index.clone();
    for item in &mut lying.items[..5] {
        item.end += 3;
    }
    let kept = CopyOnRead::open(Arc::new(HostDisk), &scene.path("cor"), &lying, None).unwrap();
    let options = BlobOptions { workers: NonZeroUsize::MIN, cache_len: 1 << 20, hash: EIGHT };
    let store = Arc::clone(&scene.store);
    let blob = Blob::new(lying, store, Some(kept), options).unwrap();
    assert!(blob.read(0..1).is_err());
    let after = 7 * CHUNK as u64;
    assert!(blob.read(after..after + 10).unwrap().as_ref() == &scene.blob[after as usize..][..10]);
    assert!(fs::read(scene.path("cor")).unwrap()[..6 * CHUNK].iter().all(|byte| *byte == 0));
}

#[test]
fn bytes_that_changed_in_the_file_are_fetched_again() {
    let scene = Scene::new();
    let blob = scene.open(Some(scene.copy_on_read(true)), 0);
    scene.check_all(&blob);
    fs::write(scene.path("cor"), vec![1; scene.blob.len()]).unwrap();
    scene.check_all(&blob);
    fs::write(scene.path("cor"), b"cut").unwrap();
    scene.check_all(&blob);
}

#[test]
fn named_chunks_are_preloaded() {
    let scene = Scene::new();
    let (kept, state) = (scene.copy_on_read(false), scene.path("init"));
    fs::write(&state, [0b0000_0101]).unwrap();
    assert!(kept.chunks_named_by(&state, &scene.index).is_err(), "too short");
    let mut raw = vec![0; scene.index.items.len().div_ceil(8)];
    raw[0] = 0b101;
    fs::write(&state, raw).unwrap();
    let named = kept.chunks_named_by(&state, &scene.index).unwrap();
    assert_eq!(named, [0, 2]);
    let blob = scene.open(Some(kept), 1 << 20);
    blob.preload(named, NonZeroUsize::new(2).unwrap(), &Cancel::default());
    let kept = blob.kept.as_ref().unwrap();
    while !(kept.has(0) && kept.has(2)) {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(!kept.has(1));
}

#[test]
fn a_state_is_saved_when_there_is_something_new() {
    let scene = Scene::new();
    let state = scene.path("state");
    let blob = scene.open(Some(scene.copy_on_read(true)), 1 << 20);
    blob.save_state(&state).unwrap();
    fs::remove_file(&state).unwrap();
    blob.save_state(&state).unwrap();
    assert!(!state.exists());
    assert!(scene.check(&blob, 0..1));
    let error = blob.save_state(&scene.path("no/such/directory")).unwrap_err().to_string();
    assert!(error.contains("no/such/directory"), "{error}");
    blob.save_state(&state).unwrap();
    assert!(state.exists());
}
