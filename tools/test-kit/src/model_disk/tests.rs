//! The model keeps its contract, and forgets whatever the contract lets it forget.

use std::collections::BTreeSet;

use super::*;

fn path(name: &str) -> PathBuf {
    Path::new("/").join(name)
}

fn write(disk: &ModelDisk, name: &str, bytes: &[u8]) -> Box<dyn DiskFile> {
    let file = disk.create_new(&path(name), 0o644).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

/// Every content that a file comes back with, `None` if it does not come back, over many seeds.
fn outcomes(disk: &ModelDisk, name: &str) -> BTreeSet<Option<Vec<u8>>> {
    let find = |seed| disk.after_power_cut(seed).files().into_iter().find(|(found, _)| *found == path(name));
    (0..500).map(|seed| find(seed).map(|(_, content)| content)).collect()
}

#[test]
fn unsynced_bytes_may_be_lost_torn_or_zeros() {
    let disk = ModelDisk::new();
    write(&disk, "a", b"xy");
    disk.sync_dir(Path::new("/")).unwrap();
    let expected = [&b""[..], b"x", b"xy", b"\0\0"].map(|content| Some(content.to_vec()));
    assert_eq!(outcomes(&disk, "a"), BTreeSet::from(expected));
}

#[test]
fn synced_bytes_and_names_stay() {
    let disk = ModelDisk::new();
    let file = write(&disk, "a", b"xy");
    file.sync().unwrap();
    assert!(outcomes(&disk, "a").contains(&None), "the name was not synced");
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(outcomes(&disk, "a"), BTreeSet::from([Some(b"xy".to_vec())]));
    write(&disk, "b", b"z");
    disk.open(Path::new("/")).unwrap().sync_fs().unwrap();
    assert_eq!(outcomes(&disk, "b"), BTreeSet::from([Some(b"z".to_vec())]));
}

#[test]
fn a_renamed_name_means_the_old_or_the_new_file() {
    let disk = ModelDisk::new();
    write(&disk, "a", b"old").sync().unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    write(&disk, "t", b"new").sync().unwrap();
    disk.rename(&path("t"), &path("a")).unwrap();
    let both = [b"old", b"new"].map(|content| Some(content.to_vec()));
    assert_eq!(outcomes(&disk, "a"), BTreeSet::from(both));
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(outcomes(&disk, "a"), BTreeSet::from([Some(b"new".to_vec())]));
    assert_eq!(outcomes(&disk, "t"), BTreeSet::from([None]));
}

#[test]
fn names_in_a_lost_directory_are_lost() {
    let disk = ModelDisk::new();
    disk.create_dir(&path("d")).unwrap();
    write(&disk, "d/a", b"x").sync().unwrap();
    disk.sync_dir(&path("d")).unwrap();
    assert!(outcomes(&disk, "d/a").contains(&None));
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(outcomes(&disk, "d/a"), BTreeSet::from([Some(b"x".to_vec())]));
}

#[test]
fn the_power_goes_at_the_chosen_operation() {
    for (cut, expected) in [(Cut::Undone, &b""[..]), (Cut::Half, b"x"), (Cut::Done, b"xy")] {
        let disk = ModelDisk::new();
        disk.cut_power_at(1, cut);
        let file = disk.create_new(&path("a"), 0o644).unwrap();
        assert!(file.write_all_at(b"xy", 0).is_err());
        assert!(file.len().is_err() && disk.metadata(&path("a")).is_err(), "nothing works without power");
        assert!(outcomes(&disk, "a").contains(&Some(expected.to_vec())), "{cut:?}");
        assert_eq!(disk.operations(), 2);
    }
}

#[test]
fn a_failed_sync_is_not_made_good_by_the_next() {
    let disk = ModelDisk::new();
    disk.fail_at(2);
    let file = write(&disk, "a", b"x");
    assert!(file.sync().is_err());
    file.sync().unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    assert!(outcomes(&disk, "a").contains(&Some(Vec::new())), "bytes lost by a failed sync came back");
}

#[test]
fn space_runs_out() {
    let disk = ModelDisk::new();
    disk.limit_space(10);
    let file = write(&disk, "a", &[1; 8]);
    assert_eq!(file.write_all_at(&[1; 3], 8).unwrap_err().kind(), io::ErrorKind::StorageFull);
    file.write_all_at(&[2; 10], 0).unwrap();
    disk.remove_file(&path("a")).unwrap();
    write(&disk, "b", &[3; 10]);
}

#[test]
fn a_killed_process_leaves_what_it_wrote() {
    let disk = ModelDisk::new();
    disk.cut_power_at(2, Cut::Undone);
    let file = write(&disk, "a", b"x");
    assert!(file.sync().is_err());
    let alive = disk.after_kill();
    assert_eq!(alive.files(), [(path("a"), b"x".to_vec())]);
    assert_eq!(outcomes(&alive, "a"), outcomes(&disk, "a"), "and none of it is durable");
}
