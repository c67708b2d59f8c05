//! Makes a release of two chunks: one as long as chunks get, compressed as `make --profile device` does, and one
//! that is kept as it is.
//!
//! The first is `chunk.zst`: sources of the updater, then a piece of them over and over, compressed by
//! `zstd -19 --zstd=wlog=12 --no-check`. It lies here ready, so that firmware is built without a compressor.

use std::env;
use std::fs;
use std::path::PathBuf;

use desync_core::chunking::ChunkSizes;
use desync_core::codec::{ZstdStream, stream_memory};
use desync_core::format::{FeatureFlags, Index, IndexHeader, IndexItem};
use desync_core::{DigestKind, Limits};

const DIGEST: DigestKind = DigestKind::Sha512_256;
const CHUNK_LEN: u64 = 256 << 10;
const WINDOW: usize = 4096;

fn main() {
    println!("cargo:rustc-link-search={}", env!("CARGO_MANIFEST_DIR"));
    for file in ["memory.x", "chunk.zst", "build.rs"] {
        println!("cargo:rerun-if-changed={file}");
    }
    let long = decode(include_bytes!("chunk.zst"));
    let other: Vec<u8> = long[..50_000].iter().map(|byte| byte ^ 0x55).collect();
    let image = [&long[..], &other].concat();
    let item = |end: &Vec<u8>, id: &Vec<u8>| IndexItem { end: end.len() as u64, id: DIGEST.id_of(id) };
    let items = vec![item(&long, &long), item(&image, &other)];
    let sizes = ChunkSizes::new(16 << 10, 64 << 10, CHUNK_LEN, &Limits::HOST).expect("sizes in order");
    let header = IndexHeader { flags: FeatureFlags::desync_blob(DIGEST), sizes };
    let index = Index { header, items }.encode_to_vec().expect("items in order");
    let constants = format!("const INDEX_ID: [u8; 32] = {:?};\n", DIGEST.id_of(&index).as_bytes());

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names it"));
    let files = [("image", &image), ("plain", &other), ("index", &index), ("id.rs", &constants.into_bytes())];
    for (name, bytes) in files {
        fs::write(out.join(name), bytes).expect("cargo's folder can be written");
    }
}

fn decode(mut stored: &[u8]) -> Vec<u8> {
    let mut memory = vec![0; stream_memory(WINDOW)];
    let mut stream = ZstdStream::new(&mut memory, WINDOW as u64);
    stream.start(CHUNK_LEN);
    let mut plain = vec![0; CHUNK_LEN as usize];
    let mut len = 0;
    while len < plain.len() {
        let more = stream.pull(&mut stored, &mut plain[len..]).expect("a whole frame");
        assert!(more > 0, "chunk.zst is too short");
        len += more;
    }
    plain
}
