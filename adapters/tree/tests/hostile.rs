//! Archives by enemies onto disk: nothing outside the target, whatever they hold and whoever moves directories
//! meanwhile; and no name that holds half a file.
#![allow(missing_docs, reason = "a test program has no users")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use desync_core::Limits;
use desync_core::format::catar::{Content, Encoder, Expected, Node};
use desync_core::format::{FeatureFlags, Strictness};
use desync_engine::Cancel;
use desync_test_kit::golden;
use desync_tree::{Error, Notices, Owners, RestoreOptions, Restorer, Sink as _, UnpackOptions, Unpacker};

const FEATURES: FeatureFlags = FeatureFlags::from_bits_retain(0x2000_0001_ffff_fe26);

#[derive(Default)]
struct Count(AtomicU64);

impl Notices for Count {
    fn lost(&self, _path: &Path, _what: &str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

const OPTIONS: RestoreOptions = RestoreOptions {
    owners: false,
    permissions: true,
    all_xattrs: false,
    replace_directories: false,
    sync: false,
};

fn restore(
    archive: &[u8],
    target: &Path,
    strictness: Strictness,
    options: RestoreOptions,
) -> Result<u64, Error> {
    let (losses, owners, cancel) = (Count::default(), Owners::default(), Cancel::default());
    let unpack = UnpackOptions {
        expected: Expected::default(),
        strictness,
        features: FeatureFlags::all(),
        strip_nul_of_xattrs: false,
    };
    let mut sink = Restorer::new(target, options, &owners, &losses, &cancel);
    let mut unpacker = Unpacker::new(Path::new("archive"), unpack, &mut sink, &cancel);
    for piece in archive.chunks(1000) {
        unpacker.push(piece)?;
    }
    unpacker.finish()?;
    drop(sink);
    Ok(losses.0.into_inner())
}

fn directory(name: &[u8]) -> Node {
    Node { permissions: 0o755, ..Node::new(name.to_vec(), Content::Directory) }
}

fn file(name: &[u8], len: u64) -> Node {
    Node { permissions: 0o644, ..Node::new(name.to_vec(), Content::File { len }) }
}

/// An archive of `d/f`, `d/g` and so on.
fn small_archive() -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(FEATURES, &Limits::HOST).unwrap();
    encoder.node(&directory(b""), &mut out).unwrap();
    encoder.node(&directory(b"d"), &mut out).unwrap();
    for name in b'f'..=b'p' {
        encoder.node(&file(&[name], 4), &mut out).unwrap();
        encoder.data(b"data", &mut out).unwrap();
    }
    let link = Content::Symlink { target: b"/etc".to_vec() };
    encoder.node(&Node { permissions: 0o777, ..Node::new(b"z".to_vec(), link) }, &mut out).unwrap();
    encoder.leave(&mut out).unwrap();
    encoder.leave(&mut out).unwrap();
    out
}

#[test]
fn hand_made_archives_stay_in_their_target() {
    for member in golden::members("bad.tar").into_iter().filter(|member| member.name.ends_with(".catar")) {
        for strictness in [Strictness::Strict, Strictness::Lenient] {
            let room = tempfile::tempdir().unwrap();
            fs::write(room.path().join("canary"), b"alive").unwrap();
            let _ = restore(&member.content, &room.path().join("target"), strictness, OPTIONS);
            assert_eq!(fs::read(room.path().join("canary")).unwrap(), b"alive", "{}", member.name);
            let names = fs::read_dir(room.path()).unwrap().count();
            assert!(names <= 2, "{}: {names} names beside the target", member.name);
        }
    }
}

/// Links that lie in the target already are not followed either.
#[test]
fn links_in_the_target_are_not_followed() {
    let room = tempfile::tempdir().unwrap();
    let (outside, target) = (room.path().join("outside"), room.path().join("target"));
    fs::create_dir(&outside).unwrap();
    fs::create_dir(&target).unwrap();
    symlink(&outside, target.join("d")).unwrap();
    let error = restore(&small_archive(), &target, Strictness::Strict, OPTIONS).unwrap_err();
    assert!(error.to_string().contains("target/d: exists and is not a directory"), "{error}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    // A link where a file is to be is replaced, not written through.
    fs::remove_file(target.join("d")).unwrap();
    fs::create_dir(target.join("d")).unwrap();
    symlink(outside.join("victim"), target.join("d/f")).unwrap();
    restore(&small_archive(), &target, Strictness::Strict, OPTIONS).unwrap();
    assert_eq!(fs::read(target.join("d/f")).unwrap(), b"data");
    assert!(target.join("d/f").symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_swapped_directory_leads_nowhere() {
    let room = tempfile::tempdir().unwrap();
    let (outside, target) = (room.path().join("outside"), room.path().join("target"));
    fs::create_dir(&outside).unwrap();
    let archive = small_archive();
    let done = AtomicBool::new(false);
    let (mut restored, mut refused) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = fs::rename(target.join("d"), target.join("hidden"));
                let _ = symlink(&outside, target.join("d"));
                let _ = fs::remove_file(target.join("d"));
                let _ = fs::rename(target.join("hidden"), target.join("d"));
            }
        });
        for _ in 0..100 {
            match restore(&archive, &target, Strictness::Strict, OPTIONS) {
                Ok(_) => restored += 1,
                Err(_) => refused += 1,
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{restored} restored, {refused} refused");
    assert!(restored > 0, "nobody got through: {refused} refused");
}

#[test]
fn defect_82_a_directory_is_removed_only_if_that_is_wanted() {
    let room = tempfile::tempdir().unwrap();
    let target = room.path().join("target");
    fs::create_dir_all(target.join("d/f/precious/things")).unwrap();
    let error = restore(&small_archive(), &target, Strictness::Strict, OPTIONS).unwrap_err();
    assert!(error.to_string().contains("target/d/f: exists and is a directory"), "{error}");
    assert!(target.join("d/f/precious/things").exists());
    let replace = RestoreOptions { replace_directories: true, ..OPTIONS };
    restore(&small_archive(), &target, Strictness::Strict, replace).unwrap();
    assert_eq!(fs::read(target.join("d/f")).unwrap(), b"data");
}

/// Cut anywhere, an archive is an error, and no file under its name lacks a byte.
#[test]
fn defect_06_a_cut_archive_is_an_error_and_leaves_no_half_file() {
    let archive = small_archive();
    for len in 0..archive.len() {
        let room = tempfile::tempdir().unwrap();
        let target = room.path().join("target");
        let error = restore(&archive[..len], &target, Strictness::Strict, OPTIONS).unwrap_err();
        assert!(error.to_string().contains("it ends within"), "{len}: {error}");
        let Ok(names) = fs::read_dir(target.join("d")) else { continue };
        for name in names {
            let path = name.unwrap().path();
            let is_link = path.symlink_metadata().unwrap().is_symlink();
            assert!(is_link || fs::read(&path).unwrap() == b"data", "{len}: {}", path.display());
        }
    }
}

/// A hundred thousand levels, written by hand since the encoder refuses them.
#[test]
fn deep_archives_are_refused() {
    let mut out = Vec::new();
    let mut encoder =
        Encoder::new(FEATURES, &Limits { archive_depth_max: usize::MAX, ..Limits::HOST }).unwrap();
    encoder.node(&directory(b""), &mut out).unwrap();
    for _ in 0..100_000 {
        encoder.node(&directory(b"d"), &mut out).unwrap();
    }
    let room = tempfile::tempdir().unwrap();
    let error = restore(&out, &room.path().join("target"), Strictness::Lenient, OPTIONS).unwrap_err();
    assert!(error.to_string().contains("more than 64 nodes on a path"), "{error}");
}

/// The names that unfinished files have cannot be used to have a finished one removed.
#[test]
fn names_of_unfinished_files_are_refused() {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(FEATURES, &Limits::HOST).unwrap();
    encoder.node(&directory(b""), &mut out).unwrap();
    encoder.node(&file(b".tmp-untar.0123456789abcdef", 0), &mut out).unwrap();
    encoder.leave(&mut out).unwrap();
    let room = tempfile::tempdir().unwrap();
    let error = restore(&out, &room.path().join("target"), Strictness::Strict, OPTIONS).unwrap_err();
    assert!(error.to_string().contains("only unfinished files have"), "{error}");
}

/// A sink that was interrupted leaves neither half files nor directories that nobody can enter.
#[test]
fn an_interrupted_run_cleans_up() {
    let room = tempfile::tempdir().unwrap();
    let target = room.path().join("target");
    let (losses, owners, cancel) = (Count::default(), Owners::default(), Cancel::default());
    let mut sink = Restorer::new(&target, OPTIONS, &owners, &losses, &cancel);
    sink.begin(FEATURES, FEATURES).unwrap();
    sink.node(&directory(b"")).unwrap();
    sink.node(&directory(b"d")).unwrap();
    sink.node(&file(b"f", 10)).unwrap();
    sink.data(b"half", false).unwrap();
    cancel.cancel();
    assert!(matches!(sink.node(&file(b"g", 0)), Err(Error::Interrupted)));
    drop(sink);
    assert_eq!(fs::read_dir(target.join("d")).unwrap().count(), 0);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(target.join("d")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o755);
}
