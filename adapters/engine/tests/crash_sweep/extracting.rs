//! `extract` over an older version: into a new file that replaces it, and in its place.

use desync_core::VerifiedChunk;
use desync_core::format::Index;
use desync_engine::{Error, ExtractStats};
use desync_test_kit::model_disk::{Cut, ModelDisk};

use crate::scene::{
    CUTS, SEED, TARGET, copy_of, dice_seeds, empty_disk, index_of, new_blob, old_blob, read_file,
    run_extract, run_make, write_file,
};

/// A disk with the new version in the store and the old one as seed and, unless it is a first run, in the
/// place of the target.
struct Scene {
    old_blob: Vec<u8>,
    new_blob: Vec<u8>,
    seed_index: Index,
    index: Index,
    prepared: ModelDisk,
    in_place: bool,
}

impl Scene {
    fn new(in_place: bool, target_is_there: bool) -> Self {
        let (old_blob, new_blob) = (old_blob(), new_blob());
        let disk = empty_disk();
        run_make(&disk, &new_blob, 1, 0).unwrap();
        write_file(&disk, SEED, &old_blob);
        if target_is_there {
            write_file(&disk, TARGET, &old_blob);
        }
        let (seed_index, index) = (index_of(&old_blob), index_of(&new_blob));
        Self { old_blob, new_blob, seed_index, index, prepared: copy_of(&disk), in_place }
    }

    fn all() -> Vec<Self> {
        let cases = [(false, true), (false, false), (true, true), (true, false)];
        cases.into_iter().map(|(in_place, target_is_there)| Self::new(in_place, target_is_there)).collect()
    }

    fn extract(&self, disk: &ModelDisk, workers: usize) -> Result<ExtractStats, Error> {
        run_extract(disk, &self.index, &self.seed_index, self.in_place, workers)
    }

    fn operations(&self) -> u64 {
        let disk = copy_of(&self.prepared);
        self.extract(&disk, 1).unwrap();
        self.assert_new(&disk, "undisturbed");
        disk.operations()
    }

    /// What holds whenever a run ended early: without `-k`, the target is whole.
    fn assert_sound(&self, disk: &ModelDisk, what: &str) {
        assert_eq!(read_file(disk, SEED).as_ref(), Some(&self.old_blob), "{what}: the seed was changed");
        if self.in_place {
            return;
        }
        let found = read_file(disk, TARGET);
        let before = read_file(&self.prepared, TARGET);
        let whole = found == before || found.as_ref() == Some(&self.new_blob);
        assert!(
            whole,
            "{what}: a target of {:?} bytes is neither old nor new",
            found.map(|found| found.len())
        );
    }

    fn assert_new(&self, disk: &ModelDisk, what: &str) {
        for seed in dice_seeds() {
            let back = disk.after_power_cut(seed);
            assert!(read_file(&back, TARGET).as_ref() == Some(&self.new_blob), "{what}, then seed {seed}");
            assert_eq!(read_file(&back, SEED).as_ref(), Some(&self.old_blob), "{what}: the seed was changed");
        }
    }

    /// Runs again on what is left: succeeds, and leaves alone what is right already.
    fn finish(&self, disk: &ModelDisk, what: &str) {
        let right = self.chunks_right(disk);
        let stats = self.extract(disk, 1).unwrap_or_else(|error| panic!("{what}: again: {error}"));
        if self.in_place {
            assert_eq!(stats.chunks_in_place, right, "{what}: chunks that were right already");
        }
        self.assert_new(disk, what);
    }

    /// How many chunks the target holds in their places.
    fn chunks_right(&self, disk: &ModelDisk) -> u64 {
        let mut target = read_file(disk, TARGET).unwrap_or_default();
        if target.is_empty() {
            return 0;
        }
        target.resize(self.new_blob.len(), 0);
        let digest = self.index.header.digest();
        let is_right = |start: u64, end: u64, id| {
            VerifiedChunk::check(digest, id, &target[start as usize..end as usize]).is_ok()
        };
        self.index.entries().filter(|entry| is_right(entry.start, entry.end, entry.id)).count() as u64
    }

    fn name(&self) -> String {
        let target = if read_file(&self.prepared, TARGET).is_some() { "over an old file" } else { "anew" };
        format!("{} {target}", if self.in_place { "in place" } else { "replacing" })
    }
}

#[test]
fn the_scene_is_worth_sweeping() {
    for scene in Scene::all() {
        let stats = scene.extract(&copy_of(&scene.prepared), 1).unwrap();
        assert!(stats.chunks_from_seeds > 0 && stats.chunks_from_store > 0, "{}: {stats:?}", scene.name());
        assert!(scene.operations() > 10, "{}", scene.name());
    }
}

#[test]
fn power_cut_at_every_operation_of_extract() {
    for scene in Scene::all() {
        for number in 0..scene.operations() {
            for cut in CUTS {
                let disk = copy_of(&scene.prepared);
                disk.cut_power_at(number, cut);
                scene.extract(&disk, 1).unwrap_err();
                for seed in dice_seeds() {
                    let what = format!("{}, operation {number} {cut:?}, seed {seed}", scene.name());
                    let back = disk.after_power_cut(seed);
                    scene.assert_sound(&back, &what);
                    scene.finish(&back, &what);
                }
            }
        }
    }
}

#[test]
fn power_cut_with_workers_in_each_others_way() {
    for scene in Scene::all() {
        for number in 0..scene.operations() {
            let disk = copy_of(&scene.prepared);
            disk.cut_power_at(number, Cut::Half);
            // With another order of operations this one may not come.
            let _ = scene.extract(&disk, 3);
            let what = format!("{}, operation {number}", scene.name());
            let back = disk.after_power_cut(number);
            scene.assert_sound(&back, &what);
            scene.extract(&back, 3).unwrap();
            scene.assert_new(&back, &what);
        }
    }
}

#[test]
fn killed_at_every_operation_and_extracted_again() {
    for scene in Scene::all() {
        for number in 0..scene.operations() {
            for cut in CUTS {
                let disk = copy_of(&scene.prepared);
                disk.cut_power_at(number, cut);
                scene.extract(&disk, 1).unwrap_err();
                let what = format!("{}, killed at operation {number} {cut:?}", scene.name());
                let alive = disk.after_kill();
                scene.assert_sound(&alive, &what);
                scene.finish(&alive, &what);
            }
        }
    }
}

#[test]
fn defect_54_every_failed_operation_is_told() {
    for scene in Scene::all() {
        for number in 0..scene.operations() {
            let what = format!("{}, operation {number} failed", scene.name());
            let disk = copy_of(&scene.prepared);
            disk.fail_at(number);
            let error = scene.extract(&disk, 1).expect_err(&what).to_string();
            assert!(error.contains("injected I/O error") && error.contains(TARGET), "{what}: {error}");
            scene.assert_sound(&disk, &what);
            let right = scene.chunks_right(&disk);
            let stats = scene.extract(&disk, 1).unwrap_or_else(|error| panic!("{what}: again: {error}"));
            assert!(read_file(&disk, TARGET).as_ref() == Some(&scene.new_blob), "{what}");
            if scene.in_place {
                // Durable it need not be: what a failed sync dropped looks right to the second run.
                assert_eq!(stats.chunks_in_place, right, "{what}");
            } else {
                scene.assert_new(&disk, &what);
            }
        }
    }
}

#[test]
fn a_full_disk_is_told_and_costs_nothing_old() {
    for scene in Scene::all() {
        let used: u64 = scene.prepared.files().iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let missing = match read_file(&scene.prepared, TARGET) {
            Some(old) if scene.in_place => scene.new_blob.len() - old.len(),
            _ => scene.new_blob.len(),
        };
        for free in (0..missing as u64).step_by(4999) {
            let what = format!("{}, {free} of {missing} bytes free", scene.name());
            let disk = copy_of(&scene.prepared);
            disk.limit_space(used + free);
            let error = scene.extract(&disk, 1).expect_err(&what).to_string();
            assert!(error.contains(TARGET), "{what}: {error}");
            scene.assert_sound(&disk, &what);
            let leftovers = disk.files().len() - scene.prepared.files().len();
            assert!(scene.in_place || leftovers == 0, "{what}: a temporary file is left");
            disk.limit_space(u64::MAX);
            scene.finish(&disk, &what);
        }
    }
}
