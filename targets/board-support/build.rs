//! Computes on the host what the firmware must find: takes a chunk that casync made from the golden data, cuts
//! it with the core's reference, and names it.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use desync_core::chunking::{ChunkSizes, CutRule, reference};
use desync_core::{DigestKind, Limits};

/// Stores of one chunk, made by casync; see the README beside it.
const STORES: &str = "../../tools/test-kit/golden/codec/codec-stores.tar";

/// Small enough for many cuts in one chunk.
const SIZES: [u64; 3] = [256, 1024, 4096];

fn main() {
    let stores = Path::new(env!("CARGO_MANIFEST_DIR")).join(STORES);
    println!("cargo:rerun-if-changed={}", stores.display());
    let archive = fs::read(&stores).expect("golden chunk stores can be read");
    let (_, plain) = member(&archive, "codec-bare.castr/");
    let (name, stored) = member(&archive, "codec-zstd.castr/");
    let id =
        name.rsplit('/').next().and_then(|file| file.strip_suffix(".cacnk")).expect("a chunk's file name");

    let sizes = ChunkSizes::new(SIZES[0], SIZES[1], SIZES[2], &Limits::HOST).expect("sizes in order");
    let cuts = reference::chunk_lengths(&plain, &sizes, CutRule::Casync);
    let [min, avg, max] = SIZES;
    let mut source = String::new();
    writeln!(source, "pub(crate) const SIZES: [u64; 3] = [{min}, {avg}, {max}];").unwrap();
    writeln!(source, "pub(crate) const PLAIN_LEN: u64 = {};", plain.len()).unwrap();
    writeln!(source, "pub(crate) const SHA512_256: &str = \"{id}\";").unwrap();
    writeln!(source, "pub(crate) const SHA256: &str = \"{}\";", DigestKind::Sha256.id_of(&plain)).unwrap();
    writeln!(source, "pub(crate) const CUTS: &[usize] = &{cuts:?};").unwrap();
    writeln!(source, "pub(crate) static STORED: &[u8] = include_bytes!(\"chunk.cacnk\");").unwrap();

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names it"));
    fs::write(out.join("expected.rs"), source).expect("cargo's folder can be written");
    fs::write(out.join("chunk.cacnk"), stored).expect("cargo's folder can be written");
}

/// The first file of a tar archive whose path starts so: its path and content.
///
/// A header has 512 bytes: the path from 0 to 99, the length in octal digits from 124 to 135. Content follows,
/// filled up to a multiple of 512. Source: POSIX.1-1988, ustar.
fn member(archive: &[u8], start: &str) -> (String, Vec<u8>) {
    let mut rest = archive;
    while rest.len() >= 512 && rest[0] != 0 {
        let field = |from: usize, to: usize| {
            let text = std::str::from_utf8(&rest[from..to]).expect("a header is ASCII");
            text.trim_end_matches(['\0', ' ']).to_owned()
        };
        let path = field(0, 100);
        let len = usize::from_str_radix(&field(124, 136), 8).expect("a length in octal");
        if path.starts_with(start) && len > 0 {
            return (path, rest[512..512 + len].to_vec());
        }
        rest = &rest[512 + len.next_multiple_of(512)..];
    }
    panic!("{STORES} has no file below {start}");
}
