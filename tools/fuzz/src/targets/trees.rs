//! Restoring an archive, and reading a tar stream: nothing outside the target, no panic, no archive that our own
//! decoder refuses.

use std::fs;
use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::Path;

use desync_core::Limits;
use desync_core::format::catar::{Decoder, Expected};
use desync_core::format::{FeatureFlags, Strictness};
use desync_engine::{Cancel, Context, Kernels, NoProgress};
use desync_tree::{
    ArchiveWriter, Notices, Owners, RestoreOptions, Restorer, TarInput, TarOptions, TarSource, UnpackOptions,
    Unpacker,
};

/// Losses are nothing to look at here.
struct Nobody;

impl Notices for Nobody {
    fn lost(&self, _path: &Path, _what: &str) {}
}

/// Restores into a directory beside a file that must not change.
pub(super) fn run_restore(bytes: &[u8]) {
    let room = tempfile::tempdir().expect("a temporary directory");
    let canary = room.path().join("canary");
    fs::write(&canary, b"alive").expect("room for a canary");
    let locks = FeatureFlags::FLAG_IMMUTABLE | FeatureFlags::FLAG_APPEND;
    let unpack_options = UnpackOptions {
        expected: Expected::default(),
        strictness: if bytes.len().is_multiple_of(2) { Strictness::Strict } else { Strictness::Lenient },
        // What would keep the directory from being removed again is left out, and so are devices.
        features: FeatureFlags::all().difference(locks | FeatureFlags::DEVICE_NODES),
        strip_nul_of_xattrs: false,
    };
    let options = RestoreOptions {
        owners: false,
        permissions: true,
        all_xattrs: false,
        replace_directories: true,
        sync: false,
    };
    let (owners, cancel) = (Owners::default(), Cancel::default());
    let mut sink = Restorer::new(&room.path().join("target"), options, &owners, &Nobody, &cancel);
    let mut unpacker = Unpacker::new(Path::new("fuzz"), unpack_options, &mut sink, &cancel);
    let _ = unpacker.push(bytes).and_then(|()| unpacker.finish());
    drop(sink);
    assert_eq!(fs::read(&canary).expect("the canary is there"), b"alive");
    let names = fs::read_dir(room.path()).expect("the room is there").count();
    assert!(names <= 2, "{names} names beside the target");
}

/// Reads a tar stream and archives it; what comes out must be an archive.
pub(super) fn run_tar(bytes: &[u8]) {
    let features = FeatureFlags::from_bits_retain(0x1_ffff_ffff).normal_form();
    let add_root = bytes.len().is_multiple_of(2);
    let options = TarOptions { features, add_root, copy_hard_links: true };
    let cancel = Cancel::default();
    let context = Context {
        workers: NonZeroUsize::MIN,
        progress: &NoProgress,
        cancel: &cancel,
        kernels: Kernels::SCALAR,
    };
    let source = TarSource::Stream(Box::new(Cursor::new(bytes.to_vec())));
    let name = Path::new("fuzz");
    let Ok(input) = TarInput::read(source, name, options, &Owners::default(), &Nobody, context) else {
        return;
    };
    let mut out = Limited { bytes: Vec::new(), left: 1 << 20 };
    let mut archive = ArchiveWriter::new(&mut out, name, features).expect("features in normal form");
    if input.pass(&mut archive).is_err() {
        return;
    }
    let mut decoder = Decoder::new(Limits::HOST, Strictness::Strict, Expected::default());
    let mut made = &out.bytes[..];
    while decoder.next(&mut made).expect("our own archives can be read").is_some() {}
    decoder.finish().expect("our own archives can be read");
}

/// A sparse file of a hostile stream may be as long as it likes; not all of it is looked at.
struct Limited {
    bytes: Vec<u8>,
    left: usize,
}

impl std::io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
