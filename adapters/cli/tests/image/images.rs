//! The two images of the corpus, and comparing with them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The release.
pub(crate) const FIRST: &str = "root-release.ext4";
/// The same with its updates.
pub(crate) const SECOND: &str = "root-updated.ext4";

/// The path of an image.
pub(crate) fn image(name: &str) -> &'static str {
    let path = format!("{}/../../.corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    assert!(Path::new(&path).exists(), "{path} is missing: `cargo xtask corpus`");
    path.leak()
}

/// Some of an image, changed so that no chunk is in it that is in an image.
pub(crate) fn third() -> Vec<u8> {
    let mut bytes = vec![0; 16 << 20];
    File::open(image(FIRST)).unwrap().read_exact_at(&mut bytes, 100 << 20).unwrap();
    bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
    bytes
}

/// Whether a file is an image, byte for byte.
pub(crate) fn assert_same(file: &Path, name: &str) {
    assert_stream(&mut File::open(file).unwrap(), name);
}

/// Whether a stream is an image, byte for byte.
pub(crate) fn assert_stream(stream: &mut impl Read, name: &str) {
    let mut expected = File::open(image(name)).unwrap();
    let (mut ours, mut theirs, mut place) = (Vec::new(), Vec::new(), 0);
    loop {
        ours.clear();
        theirs.clear();
        stream.take(1 << 20).read_to_end(&mut ours).unwrap();
        (&mut expected).take(1 << 20).read_to_end(&mut theirs).unwrap();
        assert!(ours == theirs, "not {name}: within the MiB at {place}");
        if ours.is_empty() {
            return;
        }
        place += ours.len();
    }
}
