//! `extract` over real files: every source of chunks, any number of workers, seeds that lie.

use std::cmp;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::Ordering;

use desync_core::DigestKind;
use desync_core::chunk_source::Wanted;
use desync_files::HostDisk;
use desync_store::{Operation, StoreError};
use desync_test_kit::prng;
use proptest::prelude::*;

use super::*;
use crate::make::make;
use crate::testing::{Count, Through, directory_store, fill, with_context};

const OPTIONS: ExtractOptions = ExtractOptions {
    in_place: false,
    invalid_seeds: InvalidSeeds::Fail,
    durability: Durability::NoSync,
    chunks_are_near: true,
    lookup_key: 1,
};
const IN_PLACE: ExtractOptions = ExtractOptions { in_place: true, ..OPTIONS };

fn disk() -> Arc<dyn Disk> {
    Arc::new(HostDisk)
}

/// Cuts a blob with small chunks.
fn cut(blob: &[u8]) -> Index {
    let sizes = desync_core::chunking::ChunkSizes::new(1024, 4096, 16_384, &Default::default()).unwrap();
    let options = MakeOptions { sizes, ..MakeOptions::default() };
    let mut index = None;
    with_context(2, |context, _| make(&mut &*blob, None, &options, &mut index, context)).unwrap();
    index.unwrap()
}

/// A room with a store that holds every chunk of `blob`, and the blob's index.
struct Scene {
    room: tempfile::TempDir,
    store: Arc<dyn ChunkStore>,
    blob: Vec<u8>,
    index: Index,
}

impl Scene {
    fn new(blob: Vec<u8>) -> Self {
        let room = tempfile::tempdir().unwrap();
        let (store, _) = directory_store(room.path());
        let index = cut(&blob);
        fill(&store, &blob, &index);
        Self { room, store: Arc::new(store), blob, index }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn extract(
        &self,
        options: &ExtractOptions,
        seeds: Vec<SeedSpec>,
        workers: usize,
    ) -> Result<ExtractStats, Error> {
        let path = self.path("out");
        with_context(workers, |context, _| {
            extract(&disk(), &self.index, &path, seeds, &self.store, options, context)
        })
    }

    fn assert_right(&self) {
        assert!(fs::read(self.path("out")).unwrap() == self.blob, "the target is not the blob");
        let leftovers: Vec<_> = fs::read_dir(self.room.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name.to_string_lossy().starts_with('.'))
            .collect();
        assert!(leftovers.is_empty(), "{leftovers:?}");
    }
}

/// Random bytes, a repeat of some of them, zeros, text.
fn sample() -> Vec<u8> {
    let random = prng(300_000, 1);
    let text: Vec<u8> = (0..20_000u32).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    [&random[..], &vec![0; 200_000], &random[50_000..200_000], &text].concat()
}

fn spec(data: PathBuf, index: Option<Index>) -> SeedSpec {
    SeedSpec::file(data, index)
}

#[test]
fn from_the_store_alone() {
    for workers in [1, 2, 3, 10] {
        let scene = Scene::new(sample());
        let stats = scene.extract(&OPTIONS, vec![], workers).unwrap();
        scene.assert_right();
        assert_eq!(stats.bytes_total, scene.blob.len() as u64);
        assert_eq!(stats.chunks_total, scene.index.items.len() as u64);
        assert!(stats.bytes_copied > 0, "the repeat is copied within the target");
        assert!(stats.chunks_from_store < stats.chunks_total);
    }
}

#[test]
fn an_empty_index_makes_an_empty_file() {
    let scene = Scene::new(Vec::new());
    scene.write("out", b"old");
    assert_eq!(scene.extract(&OPTIONS, vec![], 2).unwrap(), ExtractStats::default());
    scene.assert_right();
}

#[test]
fn seeds_with_and_without_an_index_spare_the_store() {
    let scene = Scene::new(sample());
    let mut old = scene.blob.clone();
    old[10_000..10_100].fill(7);
    let path = scene.write("old", &old);
    for index in [Some(cut(&old)), None] {
        let stats = scene.extract(&OPTIONS, vec![spec(path.clone(), index)], 3).unwrap();
        scene.assert_right();
        assert!((1..10).contains(&stats.chunks_from_store), "{stats:?}");
        assert_eq!(stats.seeds, 2);
    }
}

impl Scene {
    /// Takes a chunk that only the seeds have then out of the store: that at a place of the blob.
    fn forget(&self, place: u64) {
        let entry = self.index.entries().find(|entry| (entry.start..entry.end).contains(&place)).unwrap();
        let name = desync_core::format::StorageForm::Compressed.path_of(&entry.id);
        fs::remove_file(self.path("store").join(name.as_str())).unwrap();
    }

    /// Extracts with one seed without an index, from chunks that are near or far.
    fn extract_with(&self, seed: &Path, are_near: bool) -> Result<ExtractStats, Error> {
        let options = ExtractOptions { chunks_are_near: are_near, ..OPTIONS };
        self.extract(&options, vec![spec(seed.to_owned(), None)], 3)
    }
}

#[test]
fn what_a_seed_seems_to_hold_is_nothing_to_complain_about() {
    let scene = Scene::new(sample());
    let mut changed = scene.blob.clone();
    // Bytes that no cut depends on: the chunks are as long as before.
    let entries: Vec<_> = scene.index.entries().collect();
    let middles = entries.iter().step_by(5).map(|entry| entry.start as usize + entry.len() as usize / 4);
    middles.for_each(|middle| changed[middle] ^= 1);
    let same = cut(&changed).items.iter().map(|item| item.end).eq(entries.iter().map(|entry| entry.end));
    assert!(same, "the test needs chunks of the same lengths");
    let seed = scene.write("old", &changed);
    let stats = scene.extract_with(&seed, true).unwrap();
    scene.assert_right();
    // What is taken for something else is fetched.
    let changed = entries.len().div_ceil(5) as u64;
    assert!((1..=changed).contains(&stats.chunks_from_store), "{stats:?}");
    assert!(stats.chunks_from_seeds > stats.chunks_total / 2, "{stats:?}");
}

#[test]
fn what_only_a_seed_has_is_found_though_its_neighbours_are_others() {
    let scene = Scene::new(sample());
    let at = 100_000;
    let entry = scene.index.entries().find(|entry| (entry.start..entry.end).contains(&at)).unwrap();
    let chunk = &scene.blob[entry.start as usize..entry.end as usize];
    // Behind 48 bytes that end a chunk: the ends of others.
    let end_before = &scene.blob[..entry.start as usize][entry.start as usize - 16_384..];
    let seed = scene.write("old", &[&prng(20_000, 5), end_before, chunk, &prng(30_000, 6)].concat());
    scene.forget(at);
    let error = scene.extract(&OPTIONS, vec![], 3).unwrap_err();
    assert!(error.to_string().contains(&entry.id.to_string()), "{error}");
    assert!(!scene.path("out").exists());
    for are_near in [false, true] {
        let stats = scene.extract_with(&seed, are_near).unwrap();
        scene.assert_right();
        assert!(stats.chunks_from_seeds > 0, "{stats:?}");
    }
}

#[test]
fn a_seed_that_was_left_out_is_looked_at_when_a_chunk_is_missing() {
    let scene = Scene::new(sample());
    let other = prng(1 << 20, 1 << 40).repeat(40);
    let long = scene.write("old", &[&other[..], &scene.blob].concat());
    let stats = scene.extract_with(&long, true).unwrap();
    scene.assert_right();
    assert_eq!(stats, scene.extract(&OPTIONS, vec![], 3).unwrap(), "not worth it");
    scene.forget(100_000);
    let stats = scene.extract_with(&long, true).unwrap();
    scene.assert_right();
    assert_eq!(stats.seeds, 2, "{stats:?}");
    let gone = scene.path("gone");
    let error = scene.extract_with(&gone, true).unwrap_err();
    assert!(error.to_string().contains("gone"), "{error}");
}

#[test]
fn in_place_keeps_what_is_right() {
    let scene = Scene::new(sample());
    let mut old = scene.blob.clone();
    old[1000] ^= 1;
    old.truncate(500_000);
    scene.write("out", &old);
    let inode = fs::metadata(scene.path("out")).unwrap().ino();
    let stats = scene.extract(&IN_PLACE, vec![], 3).unwrap();
    scene.assert_right();
    assert_eq!(fs::metadata(scene.path("out")).unwrap().ino(), inode);
    assert!(stats.chunks_in_place > stats.chunks_total / 3, "{stats:?}");

    // Defect 61: nothing is written again once all is right.
    let stats = scene.extract(&IN_PLACE, vec![], 3).unwrap();
    assert_eq!(stats.chunks_in_place, stats.chunks_total);
    assert_eq!((stats.bytes_copied, stats.chunks_from_store), (0, 0));
}

#[test]
fn zeros_make_holes() {
    let mut blob = vec![0; 8 << 20];
    blob[4 << 20] = 1;
    let scene = Scene::new(blob);
    scene.extract(&OPTIONS, vec![], 2).unwrap();
    scene.assert_right();
    let on_disk = fs::metadata(scene.path("out")).unwrap().blocks() * 512;
    assert!(on_disk < 64 << 10, "{on_disk} bytes on disk");
}

#[test]
fn defect_63_zeros_over_old_data_are_punched() {
    let scene = Scene::new(vec![0; 4 << 20]);
    scene.write("out", &prng(4 << 20, 3));
    scene.extract(&IN_PLACE, vec![], 2).unwrap();
    scene.assert_right();
    assert!(fs::metadata(scene.path("out")).unwrap().blocks() * 512 < 64 << 10);
}

#[test]
fn defect_66_a_lying_seed_is_refused_skipped_or_cut_anew() {
    let scene = Scene::new(sample());
    let index = cut(&scene.blob);
    let mut lying = scene.blob.clone();
    for at in (0..lying.len()).step_by(60_000) {
        lying[at] ^= 1;
    }
    let path = scene.write("old", &lying);
    scene.write("out", b"old");
    let run = |invalid_seeds| {
        let options = ExtractOptions { invalid_seeds, ..OPTIONS };
        scene.extract(&options, vec![spec(path.clone(), Some(index.clone()))], 3)
    };
    let error = run(InvalidSeeds::Fail).unwrap_err();
    assert!(matches!(error, Error::InvalidSeed { .. }), "{error}");
    assert_eq!(fs::read(scene.path("out")).unwrap(), b"old");

    for mode in [InvalidSeeds::Skip, InvalidSeeds::Regenerate] {
        let stats = run(mode).unwrap();
        scene.assert_right();
        // What is right in it is used in either mode.
        assert!(stats.chunks_from_seeds > stats.chunks_total / 4, "{mode:?}: {stats:?}");
    }
}

#[test]
fn defect_29_a_seed_that_keeps_changing_does_not_keep_us() {
    let scene = Scene::new(sample());
    let mut other = scene.blob.clone();
    for at in (0..other.len()).step_by(30_000) {
        other[at] ^= 1;
    }
    let path = scene.write("old", &scene.blob);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let index = cut(&scene.blob);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            for version in [&other, &scene.blob].into_iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                std::os::unix::fs::FileExt::write_all_at(&file, version, 0).unwrap();
            }
        });
        for _ in 0..20 {
            let options = ExtractOptions { invalid_seeds: InvalidSeeds::Regenerate, ..OPTIONS };
            let result = scene.extract(&options, vec![spec(path.clone(), Some(index.clone()))], 3);
            let right = fs::read(scene.path("out")).is_ok_and(|out| out == scene.blob);
            // Stopped before the assertions: a failed one must not leave the writer running.
            if result.is_err() || !right {
                stop.store(true, Ordering::Relaxed);
            }
            result.unwrap();
            scene.assert_right();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_seed_that_is_gone_matters_only_if_it_is_needed() {
    let scene = Scene::new(sample());
    let gone = || spec(scene.path("gone"), Some(cut(&scene.blob)));
    let error = scene.extract(&OPTIONS, vec![gone()], 2).unwrap_err();
    assert!(error.to_string().contains("gone"), "{error}");
    let unrelated = spec(scene.path("gone"), Some(cut(&prng(100_000, 1 << 40))));
    scene.extract(&OPTIONS, vec![unrelated], 2).unwrap();
    scene.assert_right();
    let skip = ExtractOptions { invalid_seeds: InvalidSeeds::Skip, ..OPTIONS };
    scene.extract(&skip, vec![gone()], 2).unwrap();
    scene.assert_right();
}

#[test]
fn the_target_cannot_be_its_own_seed_in_place() {
    let scene = Scene::new(sample());
    let path = scene.write("out", &scene.blob[5..]);
    let error = scene.extract(&IN_PLACE, vec![spec(path.clone(), None)], 2).unwrap_err();
    assert!(error.to_string().contains("cannot be a seed"), "{error}");
    // Replaced at the end, it can.
    let stats = scene.extract(&OPTIONS, vec![spec(path, None)], 2).unwrap();
    scene.assert_right();
    assert!(stats.chunks_from_store < 3, "{stats:?}");
}

#[test]
fn who_waits_for_a_slow_chunk_keeps_no_others_from_the_rest() {
    let mut scene = Scene::new(prng(300_000, 5));
    let chunks = scene.index.items.len();
    assert!(chunks > 40, "{chunks}");
    let asked = Count::default();
    // Slow at first; then one chunk waits until all others were asked for.
    let get = move |inner: &Arc<dyn ChunkStore>, wanted: &Wanted| {
        match asked.add().cmp(&(chunks / 2)) {
            cmp::Ordering::Less => std::thread::sleep(crate::fetch::GATHERING_TIME_MAX),
            cmp::Ordering::Equal => asked.wait_for(chunks, "not all chunks were asked for"),
            cmp::Ordering::Greater => {}
        }
        inner.get(wanted)
    };
    scene.store = Arc::new(Through { inner: Arc::clone(&scene.store), get });
    scene.extract(&OPTIONS, Vec::new(), 4).unwrap();
    scene.assert_right();
}

#[test]
fn defect_1_an_interrupted_run_leaves_the_old_file_and_fails() {
    let scene = Scene::new(sample());
    scene.write("out", b"old");
    with_context(2, |context, cancel| {
        let asked = Count::default();
        let get = |inner: &Arc<dyn ChunkStore>, wanted: &Wanted| {
            if asked.add() > 5 {
                cancel.cancel();
            }
            inner.get(wanted)
        };
        let store = Through { inner: Arc::clone(&scene.store), get };
        let result = extract(&disk(), &scene.index, &scene.path("out"), vec![], &store, &OPTIONS, context);
        assert!(matches!(result, Err(Error::Interrupted)));
    });
    assert_eq!(fs::read(scene.path("out")).unwrap(), b"old");
    assert_eq!(fs::read_dir(scene.room.path()).unwrap().count(), 2, "the store and the old file");
}

#[test]
fn a_failed_run_in_place_goes_on_where_it_was() {
    let scene = Scene::new(sample());
    let chunks = scene.index.items.len();
    with_context(2, |context, _| {
        let asked = Count::default();
        let get = |inner: &Arc<dyn ChunkStore>, wanted: &Wanted| match asked.add() {
            number if number > chunks / 3 => Err(StoreError::missing(Operation::Get, "dry", &wanted.id)),
            _ => inner.get(wanted),
        };
        let store = Through { inner: Arc::clone(&scene.store), get };
        let path = scene.path("out");
        let error = extract(&disk(), &scene.index, &path, vec![], &store, &IN_PLACE, context).unwrap_err();
        assert!(matches!(error, Error::Store(_)), "{error}");
    });
    let stats = scene.extract(&IN_PLACE, vec![], 2).unwrap();
    scene.assert_right();
    assert!(stats.chunks_in_place >= chunks as u64 / 3 - 8, "{stats:?}");
}

#[test]
fn to_a_writer_in_order() {
    let scene = Scene::new(sample());
    let mut old = scene.blob.clone();
    old[150_000..150_100].fill(7);
    let path = scene.write("old", &old);
    for workers in [1, 2, 10] {
        let mut out = Vec::new();
        with_context(workers, |context, _| {
            let seeds = vec![spec(path.clone(), None)];
            extract_to_writer(&*disk(), &scene.index, &mut out, seeds, &scene.store, &OPTIONS, context)
        })
        .unwrap();
        assert!(out == scene.blob);
    }
}

#[test]
fn defect_24_25_an_index_that_lies_about_lengths_is_refused() {
    let scene = Scene::new(sample());
    let mut index = scene.index.clone();
    // Every chunk but the first is said to lie one byte further on.
    for item in &mut index.items {
        item.end += 1;
    }
    let path = scene.path("out");
    let error = with_context(2, |context, _| {
        extract(&disk(), &index, &path, vec![], &scene.store, &OPTIONS, context)
    })
    .unwrap_err();
    assert!(error.to_string().contains("unexpected size"), "{error}");
    assert!(!path.exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_worker_count_gives_the_blob(
        pieces in prop::collection::vec((0u64..4, 0usize..60_000), 0..8),
        old in prop::collection::vec((0u64..4, 0usize..60_000), 0..8),
        in_place in any::<bool>(),
    ) {
        let bytes = |pieces: &[(u64, usize)]| -> Vec<u8> {
            pieces.iter().flat_map(|(kind, len)| if *kind == 0 { vec![0; *len] } else { prng(*len, *kind) }).collect()
        };
        let (blob, old) = (bytes(&pieces), bytes(&old));
        let mut tallies = Vec::new();
        for workers in [1, 2, 3, 10] {
            let scene = Scene::new(blob.clone());
            scene.write("out", &old);
            let seed = spec(scene.write("seed", &old), None);
            let options = ExtractOptions { in_place, ..OPTIONS };
            tallies.push(scene.extract(&options, vec![seed], workers).unwrap());
            scene.assert_right();
        }
        // Where chunks come from is planned, so it does not depend on the number of workers either.
        prop_assert!(tallies.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", tallies);
    }
}

#[test]
fn both_digests() {
    let blob = prng(100_000, 9);
    let mut index = cut(&blob);
    let mut start = 0;
    index.header.flags = index.header.flags.with_digest(DigestKind::Sha256);
    for item in &mut index.items {
        item.id = DigestKind::Sha256.id_of(&blob[start..item.end as usize]);
        start = item.end as usize;
    }
    let room = tempfile::tempdir().unwrap();
    let (store, _) = directory_store(room.path());
    fill(&store, &blob, &index);
    let scene = Scene { room, store: Arc::new(store), blob, index };
    scene.extract(&OPTIONS, vec![], 2).unwrap();
    scene.assert_right();
}
