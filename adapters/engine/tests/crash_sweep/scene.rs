//! Two versions of a blob, a model disk to keep them on, and the two pipelines as the program runs them.

use std::ffi::OsStr;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::chunking::ChunkSizes;
use desync_core::format::{Index, StorageForm};
use desync_core::{ChunkId, DigestKind, Limits};
use desync_engine::{
    Cancel, Context, Error, ExtractOptions, ExtractStats, InvalidSeeds, Kernels, MakeOptions, NoProgress,
    SeedSpec, extract, make,
};
use desync_files::{Disk, Durability, Publication};
use desync_store::{ChunkStore, FormatOptions, FormattedStore, RetryPolicy};
use desync_store_directory::DirectoryStore;
use desync_test_kit::model_disk::{Cut, ModelDisk};
use desync_test_kit::prng;

pub(crate) const STORE: &str = "/store";
pub(crate) const INDEX: &str = "/blob.caibx";
pub(crate) const TARGET: &str = "/out";
pub(crate) const SEED: &str = "/seed";

/// In what ways an operation can be interrupted.
pub(crate) const CUTS: [Cut; 3] = [Cut::Undone, Cut::Half, Cut::Done];

/// How often the dice are rolled for each cut.
pub(crate) fn dice_seeds() -> std::ops::Range<u64> {
    let rounds = std::env::var("DESYNC_SOAK").ok().and_then(|rounds| rounds.parse().ok());
    0..3 * rounds.unwrap_or(1)
}

/// The old version: random, zeros that make null chunks, random again, the beginning once more.
pub(crate) fn old_blob() -> Vec<u8> {
    [&prng(30_000, 0)[..], &[0; 40_000], &prng(20_000, 5_000), &prng(12_000, 0)].concat()
}

/// The new version: a changed stretch, something put in between, the order of two parts changed.
pub(crate) fn new_blob() -> Vec<u8> {
    [&prng(60_000, 9_000)[..], &prng(30_000, 0), &prng(15_000, 5_000), &[0; 50_000], &prng(60_000, 9_000)]
        .concat()
}

/// Cuts without a store.
pub(crate) fn index_of(blob: &[u8]) -> Index {
    let mut index = None;
    with_context(1, |context| make(&mut &*blob, None, &make_options(), &mut index, context)).unwrap();
    index.unwrap()
}

/// A durable copy of a disk on which everything is durable.
pub(crate) fn copy_of(disk: &ModelDisk) -> ModelDisk {
    disk.after_power_cut(0)
}

/// A disk with an empty store.
pub(crate) fn empty_disk() -> ModelDisk {
    let disk = ModelDisk::new();
    disk.create_dir(Path::new(STORE)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

/// Writes a durable file.
pub(crate) fn write_file(disk: &ModelDisk, path: &str, bytes: &[u8]) {
    let file = disk.create_new(Path::new(path), 0o644).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file.sync().unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
}

pub(crate) fn read_file(disk: &ModelDisk, path: &str) -> Option<Vec<u8>> {
    disk.files().into_iter().find(|(found, _)| found == Path::new(path)).map(|(_, bytes)| bytes)
}

/// The store of a disk, opened anew. Tries `retries` times more after a failure.
pub(crate) fn store(disk: &ModelDisk, retries: u32) -> Result<FormattedStore<DirectoryStore>, Error> {
    let backend = DirectoryStore::open(shared(disk), Path::new(STORE), Durability::Sync)?;
    let retry = RetryPolicy::new(retries, Duration::ZERO);
    Ok(FormattedStore::new(backend, FormatOptions { retry, ..FormatOptions::default() }))
}

/// `desync make -s /store /blob.caibx <blob>`: the index is published once every chunk is durable.
pub(crate) fn run_make(disk: &ModelDisk, blob: &[u8], workers: usize, retries: u32) -> Result<(), Error> {
    let path = Path::new(INDEX);
    let failed = |error| Error::file("publish", path)(error);
    let store = store(disk, retries)?;
    let publication = Publication::create(shared(disk), path, OsStr::new(".tmp-index."), Durability::Sync)
        .map_err(failed)?;
    let mut index = None;
    with_context(workers, |context| {
        make(&mut &*blob, Some(&store as &dyn ChunkStore), &make_options(), &mut index, context)
    })?;
    let bytes = index.unwrap().encode_to_vec().unwrap();
    let mut writer = publication.into_writer();
    writer.write_all(&bytes).and_then(|()| writer.publish()).map_err(failed)
}

/// `desync extract -s /store --seed <index of the old blob>:/seed <index> /out`, with `-k` if in place.
pub(crate) fn run_extract(
    disk: &ModelDisk,
    index: &Index,
    seed_index: &Index,
    in_place: bool,
    workers: usize,
) -> Result<ExtractStats, Error> {
    let options = ExtractOptions {
        in_place,
        invalid_seeds: InvalidSeeds::Fail,
        durability: Durability::Sync,
        chunks_are_near: true,
        lookup_key: 1,
    };
    let store = store(disk, 0)?;
    let seed = SeedSpec::file(SEED.into(), Some(seed_index.clone()));
    with_context(workers, |context| {
        extract(&shared(disk), index, Path::new(TARGET), vec![seed], &store, &options, context)
    })
}

/// Every file under a chunk's name is that chunk, whole.
pub(crate) fn assert_no_wrong_chunk(disk: &ModelDisk, what: &str) {
    let store = store(disk, 0).unwrap();
    for (path, bytes) in disk.files() {
        let name = path.file_name().and_then(OsStr::to_str).unwrap();
        let Some(id) = name.strip_suffix(".cacnk").and_then(|hex| hex.parse::<ChunkId>().ok()) else {
            continue;
        };
        assert_eq!(path, Path::new(STORE).join(StorageForm::Compressed.path_of(&id).as_str()), "{what}");
        let wanted = wanted(id, WantedLen::AtMost(Limits::HOST.chunk_len_max));
        if let Err(error) = store.get(&wanted) {
            panic!("{what}: {} holds {} bytes: {error}", path.display(), bytes.len());
        }
    }
}

/// Every chunk that an index names is in the store.
pub(crate) fn assert_all_chunks_of(disk: &ModelDisk, index: &Index, what: &str) {
    let store = store(disk, 0).unwrap();
    for entry in index.entries() {
        if let Err(error) = store.get(&wanted(entry.id, WantedLen::Exactly(entry.len()))) {
            panic!("{what}: the index was published without chunk {}: {error}", entry.id);
        }
    }
}

fn wanted(id: ChunkId, len: WantedLen) -> Wanted {
    Wanted { id, digest: DigestKind::Sha512_256, len }
}

fn make_options() -> MakeOptions {
    MakeOptions {
        sizes: ChunkSizes::new(1024, 4096, 16_384, &Limits::HOST).unwrap(),
        ..MakeOptions::default()
    }
}

fn shared(disk: &ModelDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

fn with_context<T>(workers: usize, body: impl FnOnce(&Context<'_>) -> T) -> T {
    let workers = NonZeroUsize::new(workers).unwrap();
    body(&Context { workers, progress: &NoProgress, cancel: &Cancel::default(), kernels: Kernels::SCALAR })
}
