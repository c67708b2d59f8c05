//! Archives mounted in this process and looked at through the kernel: golden ones against the decoder that reads
//! them from front to back, hostile ones for errors instead of hangs, a large one for memory.
#![cfg(target_os = "linux")]
#![allow(missing_docs, reason = "a test program has no users")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use desync_core::Limits;
use desync_core::format::catar::{Content as NodeContent, Decoder, Encoder, Event, Expected, Node};
use desync_core::format::{FeatureFlags, Strictness};
use desync_files::{Disk as _, HostDisk};
use desync_fuse::{Content, Mounted, Tree, mount};
use desync_test_kit::golden;
use desync_test_kit::mounts::in_mount_namespace;

const FEATURES: FeatureFlags = FeatureFlags::from_bits_retain(0xb000_0001_ffef_fe26);

const LONG: Duration = Duration::from_secs(30);

/// An archive that is mounted below a directory.
struct Scene {
    at: PathBuf,
    mounted: Option<Mounted>,
    ended: Receiver<std::io::Result<()>>,
}

impl Scene {
    fn mount(scratch: &Path, archive: &[u8]) -> Result<Self, String> {
        let (file, at) = (scratch.join("archive"), scratch.join("mnt"));
        fs::write(&file, archive).unwrap();
        let _ = fs::create_dir(&at);
        let content = Content::File(HostDisk.open(&file).unwrap().into(), "archive".into());
        let tree = Tree::open(content).map_err(|error| error.to_string())?;
        let (tell, ended) = channel();
        let mounted = mount(tree, &at, move |result| tell.send(result).unwrap()).unwrap();
        Ok(Self { at, mounted: Some(mounted), ended })
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.mounted.take().unwrap().unmount().unwrap();
        if !std::thread::panicking() {
            self.ended.recv_timeout(LONG).expect("the mount ends").unwrap();
        }
    }
}

/// What the decoder makes of an archive: nodes and the bytes of files, by path.
fn decoded(archive: &[u8]) -> BTreeMap<PathBuf, (Node, Vec<u8>)> {
    let mut decoder = Decoder::new(Limits::HOST, Strictness::Lenient, Expected::default());
    let (mut tree, mut path, mut last, mut input) =
        (BTreeMap::new(), PathBuf::new(), PathBuf::new(), archive);
    while let Some(event) = decoder.next(&mut input).unwrap() {
        match event {
            Event::Node(node) => {
                last = path.join(OsStr::from_bytes(&node.name));
                if node.content.is_directory() {
                    path.clone_from(&last);
                }
                tree.insert(last.clone(), (*node, Vec::new()));
            }
            Event::Data { bytes, .. } => tree.get_mut(&last).unwrap().1.extend_from_slice(bytes),
            Event::Leave => drop(path.pop()),
        }
    }
    decoder.finish().unwrap();
    tree
}

/// The paths below `root`, it included, in order. What cannot be listed is left out.
fn walk(root: &Path) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::new()];
    let mut next = 0;
    while let Some(path) = paths.get(next) {
        let full = root.join(path);
        if full.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            let names = fs::read_dir(&full).into_iter().flatten().map_while(Result::ok);
            let below: Vec<_> = names.map(|entry| path.join(entry.file_name())).collect();
            paths.extend(below);
        }
        next += 1;
    }
    paths.sort();
    paths
}

fn assert_shown(at: &Path, path: &Path, node: &Node, bytes: &[u8]) {
    let full = at.join(path);
    let found = full.symlink_metadata().unwrap();
    assert_eq!(found.mode(), node.mode(), "{path:?}");
    assert_eq!((found.uid(), found.gid()), (node.uid, node.gid), "{path:?}");
    let time = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
    assert_eq!(time, i128::from(node.mtime), "{path:?}");
    match &node.content {
        NodeContent::File { len } => {
            assert_eq!(found.len(), *len, "{path:?}");
            assert!(fs::read(&full).unwrap() == bytes, "{path:?}");
        }
        NodeContent::Symlink { target } => {
            assert_eq!(fs::read_link(&full).unwrap().as_os_str().as_bytes(), target);
        }
        NodeContent::CharDevice(device) | NodeContent::BlockDevice(device) => {
            let number = rustix::fs::makedev(device.major, device.minor);
            assert_eq!(found.rdev(), number, "{path:?}");
        }
        NodeContent::Fifo => assert!(found.file_type().is_fifo()),
        NodeContent::Socket => assert!(found.file_type().is_socket()),
        NodeContent::Directory => {}
    }
    let lists: Vec<_> = desync_tree::access_lists(node).collect();
    for xattr in node.xattrs.iter().chain(&lists) {
        let mut value = vec![0; xattr.value.len() + 1];
        let len = rustix::fs::lgetxattr(&full, OsStr::from_bytes(&xattr.name), &mut value[..]).unwrap();
        assert_eq!(value[..len], xattr.value, "{path:?}");
    }
    let mut names = vec![0; 4096];
    let len = rustix::fs::llistxattr(&full, &mut names[..]).unwrap();
    let listed = names[..len].split_inclusive(|byte| *byte == 0).count();
    let own = usize::from(node.fcaps.is_some()) + usize::from(node.selinux.is_some());
    assert_eq!(
        listed,
        node.xattrs.len() + lists.len() + own,
        "{path:?}: {}",
        String::from_utf8_lossy(&names[..len])
    );
}

#[test]
fn golden_archives_are_shown_as_they_are() {
    in_mount_namespace("golden_archives_are_shown_as_they_are", &[], |scratch| {
        let mut archives = vec![golden::path("tree/tree.catar")];
        let mini = fs::read_dir(golden::path("mini")).unwrap().map(|entry| entry.unwrap().path());
        archives.extend(mini.filter(|path| path.extension().is_some_and(|ending| ending == "catar")));
        assert!(archives.len() > 5);
        for archive in archives {
            let archive = fs::read(archive).unwrap();
            let tree = decoded(&archive);
            let scene = Scene::mount(scratch, &archive).unwrap();
            assert_eq!(walk(&scene.at), tree.keys().cloned().collect::<Vec<_>>());
            for (path, (node, bytes)) in &tree {
                assert_shown(&scene.at, path, node, bytes);
            }
            let numbers = |scene: &Scene| -> Vec<u64> {
                tree.keys().map(|path| scene.at.join(path).symlink_metadata().unwrap().ino()).collect()
            };
            let before = numbers(&scene);
            assert!(scene.at.join("no such name").symlink_metadata().is_err());
            assert!(fs::write(scene.at.join("new"), b"").is_err(), "read-only");
            drop(scene);
            // Numbers are the same at every mount.
            assert_eq!(numbers(&Scene::mount(scratch, &archive).unwrap()), before);
        }
    });
}

/// Looks at everything that can be looked at; answers how many things could not.
fn look_at_all(root: &Path) -> usize {
    let mut failed = 0;
    for path in walk(root).iter().take(5000) {
        let full = root.join(path);
        let kind = full.symlink_metadata().map(|found| found.file_type());
        let looked = kind.and_then(|kind| {
            if kind.is_file() {
                fs::read(&full).map(drop)
            } else if kind.is_dir() {
                fs::read_dir(&full)?.try_for_each(|entry| entry.map(drop))
            } else if kind.is_symlink() {
                fs::read_link(&full).map(drop)
            } else {
                Ok(())
            }
        });
        if let Err(error) = looked {
            let errno = error.raw_os_error().and_then(|code| {
                [rustix::io::Errno::IO, rustix::io::Errno::NOENT, rustix::io::Errno::NAMETOOLONG]
                    .into_iter()
                    .find(|known| known.raw_os_error() == code)
            });
            assert!(errno.is_some(), "{path:?}: {error}");
            failed += 1;
        }
    }
    failed
}

#[test]
fn hostile_archives_are_errors_and_nothing_hangs() {
    in_mount_namespace("hostile_archives_are_errors_and_nothing_hangs", &[], |scratch| {
        let good = golden::read("mini/mini-default.catar");
        let (mut mounted, mut refused, mut failed) = (0, 0, 0);
        let mut try_one = |archive: &[u8]| match Scene::mount(scratch, archive) {
            Ok(scene) => {
                mounted += 1;
                failed += look_at_all(&scene.at);
            }
            Err(_) => refused += 1,
        };
        // Cut short, so that no table is found at its end.
        let cut = scratch.join("cut");
        fs::write(&cut, &good).unwrap();
        for len in (0..good.len()).rev() {
            fs::File::options().write(true).open(&cut).unwrap().set_len(len as u64).unwrap();
            let opened = Tree::open(Content::File(HostDisk.open(&cut).unwrap().into(), "cut".into()));
            assert!(opened.is_err(), "{len} of {} bytes are taken for an archive", good.len());
        }
        // Every table's words and the heads of records, turned into numbers that lead astray.
        for at in (0..good.len() - 8).step_by(8).filter(|at| at % 3 == 0 || *at > good.len() - 400) {
            let mut bad = good.clone();
            let word = u64::from_le_bytes(bad[at..at + 8].try_into().unwrap());
            let hostile = [u64::MAX - 7, word ^ 0x80, 0, word.wrapping_add(24)][at / 8 % 4];
            bad[at..at + 8].copy_from_slice(&hostile.to_le_bytes());
            try_one(&bad);
        }
        // Places that lead to the beginning again.
        for at in (good.len() - 600..good.len() - 24).step_by(24) {
            let mut bad = good.clone();
            let at = at / 8 * 8 + good.len() % 8;
            let back = (good.len() - 24 - at) as u64;
            bad[at..at + 16]
                .copy_from_slice([back.to_le_bytes(), (good.len() as u64).to_le_bytes()].as_flattened());
            try_one(&bad);
        }
        assert!(mounted > 100 && refused > 0 && failed > 20, "{mounted} mounted, {failed} failed, {refused}");
    });
}

/// A hundred thousand levels: the kernel goes down one at a time, and so do we, as far as it likes.
#[test]
fn a_deep_archive_is_entered_level_by_level() {
    const LEVELS: usize = 100_000;
    in_mount_namespace("a_deep_archive_is_entered_level_by_level", &[], |scratch| {
        let limits = Limits { archive_depth_max: usize::MAX, ..Limits::HOST };
        let (mut out, mut encoder) = (Vec::new(), Encoder::new(FEATURES, &limits).unwrap());
        for level in 0..LEVELS {
            let name = if level == 0 { Vec::new() } else { b"d".to_vec() };
            let node = Node { permissions: 0o755, ..Node::new(name, NodeContent::Directory) };
            encoder.node(&node, &mut out).unwrap();
        }
        (0..LEVELS).for_each(|_| encoder.leave(&mut out).unwrap());
        encoder.finish().unwrap();
        let scene = Scene::mount(scratch, &out).unwrap();
        let before = resident();
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
        let mut directory = rustix::fs::open(&scene.at, flags, rustix::fs::Mode::empty()).unwrap();
        let mut levels = 1;
        while let Ok(next) = rustix::fs::openat(&directory, "d", flags, rustix::fs::Mode::empty()) {
            directory = next;
            levels += 1;
            if levels == 5000 {
                break;
            }
        }
        assert_eq!(levels, 5000);
        assert!(resident().saturating_sub(before) < 20 << 20);
    });
}

/// Resident memory of this process in bytes, after giving back what is free.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn many_names_take_little_memory() {
    in_mount_namespace("many_names_take_little_memory", &[], |scratch| {
        let rounds = std::env::var("DESYNC_SOAK").ok().and_then(|rounds| rounds.parse().ok());
        let names = 100_000 * rounds.unwrap_or(1);
        let archive = wide(names);
        let scene = Scene::mount(scratch, &archive).unwrap();
        drop(archive);
        let before = resident();
        assert_eq!(fs::read_dir(&scene.at).unwrap().count(), names);
        let name = scene.at.join(format!("{:08}", names / 2));
        assert_eq!(fs::read(name).unwrap(), (names / 2).to_le_bytes());
        let used = resident().saturating_sub(before);
        assert!(used < 150 * names as u64, "{used} bytes for {names} names");
    });
}

/// A root with this many small files.
fn wide(count: usize) -> Vec<u8> {
    let (mut out, mut encoder) = (Vec::new(), Encoder::new(FEATURES, &Limits::HOST).unwrap());
    let root = Node { permissions: 0o755, ..Node::new(Vec::new(), NodeContent::Directory) };
    encoder.node(&root, &mut out).unwrap();
    for number in 0..count {
        let name = format!("{number:08}").into_bytes();
        let file = Node { permissions: 0o644, ..Node::new(name, NodeContent::File { len: 8 }) };
        encoder.node(&file, &mut out).unwrap();
        encoder.data(&number.to_le_bytes(), &mut out).unwrap();
    }
    encoder.leave(&mut out).unwrap();
    encoder.finish().unwrap();
    out
}
