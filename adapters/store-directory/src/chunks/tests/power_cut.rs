//! The power is cut at every operation of a run, in every way, and the disk comes back in many ways.

use super::*;

/// More than are synced one by one, so that both ways of syncing are cut; several batches.
const LIMITS: BatchLimits = BatchLimits { files: 20, bytes: 1 << 20 };
const CHUNKS: usize = 50;

fn open(disk: &ModelDisk, limits: BatchLimits) -> Result<DirectoryStore, StoreError> {
    DirectoryStore::with_limits(Arc::new(disk.clone()), Path::new("/"), Durability::Sync, limits)
}

/// Asks for each chunk and stores what is missing, as `make` does.
fn run(disk: &ModelDisk, limits: BatchLimits) -> Result<(), StoreError> {
    let store = open(disk, limits)?;
    for n in 0..CHUNKS {
        if !store.exists(&chunk(n).0, PLAIN)? {
            write(&store, n)?;
        }
    }
    store.flush()
}

/// Every file under a chunk's name is that chunk, whole.
fn assert_sound(disk: &ModelDisk, what: &str) {
    for (path, content) in disk.files() {
        let name = path.file_name().unwrap();
        if !crate::names::is_temporary(name) {
            let id = DigestKind::Sha512_256.id_of(&content);
            assert_eq!(name.to_str(), Some(id.to_hex().as_str()), "{what}: {} bytes", content.len());
        }
    }
}

fn assert_complete(disk: &ModelDisk, what: &str) {
    let store = open(disk, LIMITS).unwrap();
    for n in 0..CHUNKS {
        assert_eq!(read(&store, n).unwrap(), chunk(n).1, "{what}: chunk {n}");
    }
}

fn sweep(limits: BatchLimits, seeds: u64) {
    let clean = ModelDisk::new();
    run(&clean, limits).unwrap();
    for number in 0..clean.operations() {
        for cut in [Cut::Undone, Cut::Half, Cut::Done] {
            let disk = ModelDisk::new();
            disk.cut_power_at(number, cut);
            assert!(run(&disk, limits).is_err(), "the power was cut at operation {number}");
            for seed in 0..seeds {
                let what = format!("operation {number} {cut:?}, seed {seed}");
                let back = disk.after_power_cut(seed);
                assert_sound(&back, &what);
                run(&back, limits).unwrap();
                assert_complete(&back, &what);
                // And what the second run promised is durable.
                assert_complete(&back.after_power_cut(seed), &what);
            }
        }
    }
}

#[test]
fn defect_52_power_cut_at_every_operation() {
    sweep(LIMITS, 4);
}

#[test]
fn defect_52_power_cut_with_small_batches() {
    sweep(BatchLimits { files: 7, bytes: 1 << 20 }, 3);
}

#[test]
fn chunks_of_a_killed_writer_are_made_durable_by_who_relies_on_them() {
    for limits in [BatchLimits { files: 7, bytes: 1 << 20 }, LIMITS] {
        let disk = ModelDisk::new();
        // Killed: its names are visible, the last of them not durable, and nothing is cleaned up.
        let killed = open(&disk, limits).unwrap();
        (0..CHUNKS).for_each(|n| write(&killed, n).unwrap());
        std::mem::forget(killed);
        run(&disk, LIMITS).unwrap();
        for seed in 0..50 {
            assert_complete(&disk.after_power_cut(seed), &format!("{limits:?}, seed {seed}"));
        }
    }
}

#[test]
fn the_sweep_finds_missing_syncs() {
    // The same run without durability must be caught, or the sweep proves nothing.
    let run = |disk: &ModelDisk| {
        let store = DirectoryStore::open(Arc::new(disk.clone()), Path::new("/"), Durability::NoSync).unwrap();
        (0..CHUNKS).for_each(|n| write(&store, n).unwrap());
    };
    let disk = ModelDisk::new();
    run(&disk);
    let caught = std::panic::catch_unwind(|| assert_sound(&disk.after_power_cut(1), "no sync"));
    assert!(caught.is_err());
}
