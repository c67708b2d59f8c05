//! `make` onto a store and an index that are there already, from an older version of the blob.

use desync_core::format::Index;
use desync_files::Disk as _;
use desync_test_kit::model_disk::{Cut, ModelDisk};

use crate::scene::{
    CUTS, INDEX, STORE, assert_all_chunks_of, assert_no_wrong_chunk, copy_of, dice_seeds, empty_disk,
    index_of, new_blob, old_blob, read_file, run_make, write_file,
};

/// Both versions, and the disk before the second is made.
struct Scene {
    old: Index,
    new: Index,
    new_blob: Vec<u8>,
    prepared: ModelDisk,
}

impl Scene {
    fn new() -> Self {
        let disk = empty_disk();
        run_make(&disk, &old_blob(), 1, 0).unwrap();
        let new_blob = new_blob();
        Self { old: index_of(&old_blob()), new: index_of(&new_blob), new_blob, prepared: copy_of(&disk) }
    }

    fn make(&self, disk: &ModelDisk, workers: usize) -> Result<(), desync_engine::Error> {
        run_make(disk, &self.new_blob, workers, 0)
    }

    /// How many operations a run takes that nothing disturbs.
    fn operations(&self) -> u64 {
        let disk = copy_of(&self.prepared);
        self.make(&disk, 1).unwrap();
        self.assert_new(&disk, "undisturbed");
        disk.operations()
    }

    /// What holds whenever the power comes back: no chunk is wrong, and the index is the old one or the new
    /// one, each with all its chunks.
    fn assert_sound(&self, disk: &ModelDisk, what: &str) {
        assert_no_wrong_chunk(disk, what);
        assert_all_chunks_of(disk, &self.old, what);
        let found = read_file(disk, INDEX).unwrap_or_else(|| panic!("{what}: the old index is gone"));
        if found != self.old.encode_to_vec().unwrap() {
            assert_eq!(found, self.new.encode_to_vec().unwrap(), "{what}: neither the old index nor the new");
            assert_all_chunks_of(disk, &self.new, what);
        }
    }

    /// What holds after success, even if the power goes at once.
    fn assert_new(&self, disk: &ModelDisk, what: &str) {
        for seed in dice_seeds() {
            let back = disk.after_power_cut(seed);
            let found = read_file(&back, INDEX);
            assert_eq!(found, Some(self.new.encode_to_vec().unwrap()), "{what}, then seed {seed}");
            self.assert_sound(&back, what);
        }
    }
}

#[test]
fn the_scene_is_worth_sweeping() {
    let scene = Scene::new();
    let (old, new) = (scene.old.items.len(), scene.new.items.len());
    assert!(old > 10 && new > 15, "{old} and {new} chunks");
    let shared = scene.new.items.iter().filter(|item| scene.old.items.iter().any(|old| old.id == item.id));
    assert!(shared.count() > 3, "the versions share chunks");
    assert!(scene.operations() > 50);
}

#[test]
fn defect_52_power_cut_at_every_operation_of_make() {
    let scene = Scene::new();
    for number in 0..scene.operations() {
        for cut in CUTS {
            let disk = copy_of(&scene.prepared);
            disk.cut_power_at(number, cut);
            scene.make(&disk, 1).unwrap_err();
            for seed in dice_seeds() {
                let what = format!("operation {number} {cut:?}, seed {seed}");
                let back = disk.after_power_cut(seed);
                scene.assert_sound(&back, &what);
                scene.make(&back, 1).unwrap_or_else(|error| panic!("{what}: again: {error}"));
                scene.assert_new(&back, &what);
            }
        }
    }
}

#[test]
fn power_cut_with_workers_in_each_others_way() {
    let scene = Scene::new();
    for number in 0..scene.operations() {
        let disk = copy_of(&scene.prepared);
        disk.cut_power_at(number, Cut::Done);
        // With another order of operations this one may not come.
        let _ = scene.make(&disk, 3);
        let what = format!("operation {number}");
        let back = disk.after_power_cut(number);
        scene.assert_sound(&back, &what);
        scene.make(&back, 3).unwrap();
        scene.assert_new(&back, &what);
    }
}

#[test]
fn killed_at_every_operation_and_made_again() {
    let scene = Scene::new();
    for number in 0..scene.operations() {
        for cut in CUTS {
            let disk = copy_of(&scene.prepared);
            disk.cut_power_at(number, cut);
            scene.make(&disk, 1).unwrap_err();
            let what = format!("killed at operation {number} {cut:?}");
            let alive = disk.after_kill();
            scene.assert_sound(&alive, &what);
            scene.make(&alive, 1).unwrap_or_else(|error| panic!("{what}: again: {error}"));
            scene.assert_new(&alive, &what);
        }
    }
}

#[test]
fn a_power_cut_while_healing_is_healed_too() {
    let scene = Scene::new();
    let operations = scene.operations();
    for number in (0..operations).step_by(7) {
        let disk = copy_of(&scene.prepared);
        disk.cut_power_at(number, Cut::Half);
        scene.make(&disk, 1).unwrap_err();
        for second in (0..operations).step_by(5) {
            let what = format!("operations {number} and {second}");
            let healing = disk.after_power_cut(second);
            healing.cut_power_at(second, Cut::Half);
            // What survived the first cut may leave less to do than that.
            let _ = scene.make(&healing, 1);
            let back = healing.after_power_cut(number);
            scene.assert_sound(&back, &what);
            scene.make(&back, 1).unwrap();
            scene.assert_new(&back, &what);
        }
    }
}

#[test]
fn defect_51_every_failed_operation_is_told() {
    let scene = Scene::new();
    for (number, retries) in (0..scene.operations()).flat_map(|number| [(number, 0), (number, 3)]) {
        let what = format!("operation {number} failed, {retries} retries");
        let disk = copy_of(&scene.prepared);
        disk.fail_at(number);
        let error = run_make(&disk, &scene.new_blob, 1, retries).expect_err(&what).to_string();
        assert!(error.contains("injected I/O error"), "{what}: {error}");
        assert!(error.contains(STORE) || error.contains(INDEX), "{what}, and nobody knows where: {error}");
        scene.assert_sound(&disk, &what);
        scene.make(&disk, 1).unwrap_or_else(|error| panic!("{what}: again: {error}"));
        scene.assert_new(&disk, &what);
    }
}

#[test]
fn a_full_disk_is_told_and_costs_nothing_old() {
    let scene = Scene::new();
    let used = |disk: &ModelDisk| disk.files().iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
    let finished = copy_of(&scene.prepared);
    scene.make(&finished, 1).unwrap();
    let (before, after) = (used(&scene.prepared), used(&finished));
    for space in (before..after).step_by(997) {
        let what = format!("{} of {} bytes free", space - before, after - before);
        let disk = copy_of(&scene.prepared);
        disk.limit_space(space);
        let error = scene.make(&disk, 1).expect_err(&what).to_string();
        assert!(error.contains(STORE) || error.contains(INDEX), "{what}: {error}");
        scene.assert_sound(&disk, &what);
        assert_eq!(read_file(&disk, INDEX), Some(scene.old.encode_to_vec().unwrap()), "{what}");
        disk.limit_space(u64::MAX);
        scene.make(&disk, 1).unwrap();
        scene.assert_new(&disk, &what);
    }
}

#[test]
fn the_sweep_finds_an_index_that_comes_too_early() {
    // What the sweep is for: an index published before its chunks must be caught.
    let scene = Scene::new();
    let disk = copy_of(&scene.prepared);
    disk.remove_file(INDEX.as_ref()).unwrap();
    write_file(&disk, INDEX, &scene.new.encode_to_vec().unwrap());
    let caught = std::panic::catch_unwind(|| scene.assert_sound(&disk, "too early"));
    assert!(caught.is_err());
}
