//! Publication and extraction targets on a disk that forgets: the power is cut at every operation.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use desync_files::{Disk, Durability, Publication, Target, TargetOptions};
use desync_test_kit::model_disk::{Cut, ModelDisk};

const OLD: &[u8] = b"the old content";

fn new() -> Vec<u8> {
    vec![9; 600_000]
}

/// A disk with the old file on it, durable.
fn prepared() -> ModelDisk {
    let disk = ModelDisk::new();
    publish(&disk, OLD).unwrap();
    disk
}

fn publish(disk: &ModelDisk, content: &[u8]) -> io::Result<()> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let publication = Publication::create(disk, Path::new("/a"), OsStr::new(".a."), Durability::Sync)?;
    let mut writer = publication.into_writer();
    writer.write_all(content)?;
    writer.publish()
}

fn extract(disk: &ModelDisk, content: &[u8]) -> io::Result<()> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let target = Target::open(disk, Path::new("/a"), content.len() as u64, TargetOptions::default())
        .map_err(io::Error::other)?;
    for (number, piece) in content.chunks(100_000).enumerate() {
        target.file().write_all_at(piece, number as u64 * 100_000)?;
    }
    target.finish()
}

fn content(disk: &ModelDisk) -> Option<Vec<u8>> {
    disk.files().into_iter().find(|(path, _)| path == Path::new("/a")).map(|(_, content)| content)
}

fn sweep(run: impl Fn(&ModelDisk, &[u8]) -> io::Result<()>) {
    let clean = prepared();
    let first = clean.operations();
    run(&clean, &new()).unwrap();
    assert_eq!(content(&clean.after_power_cut(7)), Some(new()), "success means durable");
    assert_eq!(clean.files().len(), 1, "nothing is left beside it");
    for number in first..clean.operations() {
        for cut in [Cut::Undone, Cut::Half, Cut::Done] {
            let disk = prepared();
            disk.cut_power_at(number, cut);
            assert!(run(&disk, &new()).is_err());
            for seed in 0..20 {
                let back = disk.after_power_cut(seed);
                let found = content(&back).expect("one of the two is always there");
                assert!(found == OLD || found == new(), "operation {number} {cut:?}, seed {seed}");
                run(&back, &new()).unwrap();
                assert_eq!(content(&back.after_power_cut(seed)), Some(new()));
            }
        }
    }
}

#[test]
fn cut_at_every_operation() {
    sweep(publish);
}

#[test]
fn cut_at_every_operation_of_an_extraction() {
    sweep(extract);
}

#[test]
fn every_failure_is_told_and_leaves_the_old_file() {
    let clean = prepared();
    let first = clean.operations();
    publish(&clean, &new()).unwrap();
    // The last operation is the sync of the directory: the new name is there, but maybe not for long.
    for number in first..clean.operations() - 1 {
        let disk = prepared();
        disk.fail_at(number);
        assert!(publish(&disk, &new()).is_err(), "operation {number}");
        assert_eq!(content(&disk), Some(OLD.to_vec()), "operation {number}");
        assert_eq!(disk.files().len(), 1, "operation {number} left a temporary file");
    }
    let disk = prepared();
    disk.fail_at(clean.operations() - 1);
    assert!(publish(&disk, &new()).is_err(), "a failed sync of the directory");
}

#[test]
fn a_full_disk_is_told() {
    let disk = prepared();
    disk.limit_space(1000);
    assert_eq!(publish(&disk, &new()).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.files(), [("/a".into(), OLD.to_vec())]);
}
