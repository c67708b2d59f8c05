//! What fuzzing starts from: the golden data, so that the engine need not find the formats by itself.

use std::fs;
use std::path::Path;

use desync_core::chunking::ChunkSizes;
use desync_core::format::{CipherKind, FeatureFlags, Index, IndexHeader, IndexItem, KeyLabel, StorageForm};
use desync_core::protocol::link::{Answer, Ask, LINK_VERSION, LinkServer, Question};
use desync_core::{ChunkId, DigestKind, Limits};
use desync_test_kit::golden;

/// Inputs for a target: golden data, then what lies in `seeds/<target>/` (inputs that failed once; streams of GNU
/// tar and bsdtar).
///
/// # Panics
/// If they cannot be read.
#[must_use]
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = match target {
        "index" | "planner" => indexes(),
        "zstd" | "zstd-stream" | "host-decoder" => stored_chunks(),
        "chunk-name" => names(),
        "chunker" => blobs(),
        "kernels" => recipes(),
        "protocol" => sessions(),
        "link" => links(),
        "updater" => updates(),
        "archive" => archives(),
        "restore" => archives().into_iter().step_by(9).collect(),
        "oci" => vec![MANIFEST.into()],
        "url" => URLS.map(|url| url.as_bytes().to_vec()).to_vec(),
        "request-path" => request_paths(),
        "config" => CONFIGS.map(|text| text.as_bytes().to_vec()).to_vec(),
        "config-key" => CONFIG_KEYS.map(|text| text.as_bytes().to_vec()).to_vec(),
        _ => Vec::new(),
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    if folder.is_dir() {
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        seeds.extend(paths.iter().map(|path| fs::read(path).unwrap()));
    }
    seeds
}

/// Archives of casync with all metadata and with few, and hand-made ones; the long ones aside.
fn archives() -> Vec<Vec<u8>> {
    let good = ["mini/mini-default.catar", "mini/mini-unix.catar", "mini/mini-fat.catar"].map(golden::read);
    let made = golden::members("bad.tar").into_iter().filter(|member| member.name.ends_with(".catar"));
    let short = made.map(|member| member.content).filter(|content| content.len() < 1 << 12);
    good.into_iter().chain(short).collect()
}

/// A chunk's manifest.
const MANIFEST: &[u8] = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
"artifactType":"application/vnd.desync.chunk.v1","config":{"mediaType":"application/vnd.oci.empty.v1+json",
"digest":"sha256:44","size":2},"layers":[{"mediaType":"application/octet-stream","digest":"sha256:ba","size":3}],
"annotations":{"org.opencontainers.image.title":"00ff.cacnk"}}"#;

/// Locations with everything a location can have.
const URLS: [&str; 5] = [
    "http://host/store/index.caibx",
    "https://me:hunter%402@Host.example:8443/a%20b/c d/\u{fc}?X-Amz-Signature=00ff&x=a/b#part",
    "https://[::1]:443/",
    "HTTP://h/100%/..//x",
    "http://h/o/dir%2fx%ff?alt=media",
];

fn indexes() -> Vec<Vec<u8>> {
    let good = ["blob/blob-sha256.caibx", "blob/empty.caibx", "blob/one.caibx"].map(golden::read);
    let bad = golden::members("bad.tar").into_iter().filter(|member| member.name.ends_with(".caibx"));
    good.into_iter().chain(bad.map(|member| member.content)).collect()
}

fn stored_chunks() -> Vec<Vec<u8>> {
    golden::members("codec/codec-stores.tar").into_iter().map(|member| member.content).collect()
}

fn names() -> Vec<Vec<u8>> {
    let names = golden::members("codec/codec-stores.tar").into_iter().map(|member| member.name);
    let files = names.filter_map(|name| name.rsplit('/').next().map(str::to_owned));
    files.flat_map(|name| [name.to_ascii_uppercase().into_bytes(), name.into_bytes()]).collect()
}

/// Parameters for the chunker in front, then bytes with repeats and zeros.
fn blobs() -> Vec<Vec<u8>> {
    let blob = desync_test_kit::prng(3000, 7);
    let zeros = [0; 700];
    let parameters: [&[u8]; 4] = [&[0, 0, 0, 0], &[48, 16, 64, 5], &[1, 200, 90, 255], &[255, 1, 0, 130]];
    parameters
        .iter()
        .map(|head| [head, &blob[..1500], &zeros, &blob[..900], &blob[1500..]].concat())
        .collect()
}

/// Both directions of the recorded sessions.
fn sessions() -> Vec<Vec<u8>> {
    let ways = (0..6).flat_map(|number| ["c2s", "s2c"].map(|way| format!("proto/{number}.{way}")));
    ways.map(|name| golden::read(&name)).collect()
}

/// An index of some chunks, then the chunks: as many as make an honest input.
fn updates() -> Vec<Vec<u8>> {
    let sizes = ChunkSizes::new(64, 256, 1024, &Limits::HOST).unwrap();
    let header = IndexHeader { flags: FeatureFlags::desync_blob(DigestKind::Sha256), sizes };
    let blob: Vec<u8> = (0..3000).map(|at| ((at * at) >> 7) as u8).collect();
    let update = |chunks: usize| {
        let image = &blob[1000..1000 + chunks * 400];
        let item = |(number, piece): (usize, &[u8])| IndexItem {
            end: 400 * (number as u64 + 1),
            id: DigestKind::Sha256.id_of(piece),
        };
        let index = Index { header, items: image.chunks(400).enumerate().map(item).collect() };
        let mut input = [&index.encode_to_vec().unwrap()[..], image].concat();
        // The length tells the target where the index ends.
        while input.len() as u8 % 5 != chunks as u8 {
            input.push(0);
        }
        input
    };
    (1..5).map(update).collect()
}

/// Config files with every key, and a store file.
const CONFIGS: [&str; 3] = [
    r#"{"s3-credentials": {"https://h:9000": {"access-key": "id", "secret-key": "s", "aws-credentials-file": "f",
"aws-profile": "p", "aws-region": "r"}}, "OCI-Credentials": {"oci+https://h/*": {"username": "me", "secret": "s"}}}"#,
    r#"{"store-options": {"https://me:pw@h/s/?q": {"n": 0, "client-cert": "c", "client-key": "k", "ca-cert": "a",
"trust-insecure": true, "http-auth": "Bearer t", "http-cookie": "", "timeout": -1, "error-retry": 0,
"error-retry-base-interval": 9, "skip-verify": false, "uncompressed": true, "encryption": null,
"encryption-key": "00", "encryption-algorithm": "aes-256-gcm"}, "/srv/../x[a-c]*": {}}} {"#,
    r#"{"stores": ["/a|https://h/?q", ""], "cache": "c", "store-options": null}"#,
];

/// Keys and locations, one above the other.
const CONFIG_KEYS: [&str; 4] =
    ["https://h/*/[a-c]?\nhttps://h/x/b1/", "/srv/../st*\n./store", "[^\\]-]\na", "a*b*c\nabbbc"];

/// Paths of chunks in every form, and some that wander.
fn request_paths() -> Vec<Vec<u8>> {
    let id = ChunkId([0xab; 32]);
    let key = KeyLabel { cipher: CipherKind::Aes256Gcm, key_id: [1, 2, 3, 4] };
    let forms = [StorageForm::Compressed, StorageForm::Plain, StorageForm::Compressed.encrypted(key)];
    let chunks = forms.map(|form| format!("/{}", form.path_of(&id)));
    let others = ["//a/./../b%2f%00", "/a/b/index.caibx"].map(str::to_owned);
    chunks.into_iter().chain(others).map(String::into_bytes).collect()
}

/// A question for an index, and its answer twice.
fn links() -> Vec<Vec<u8>> {
    let question = Question { ask: Ask::Index { offset: 0, len: 64 }, number: 1, attempt: 0 };
    let data = &[7; 64];
    let piece = Answer::Piece { form: StorageForm::Plain, offset: 0, total: 128, data };
    let opened = Answer::Opened { version: LINK_VERSION, index_len: 128, index_id: ChunkId([9; 32]) };
    [piece, opened, Answer::Missing]
        .iter()
        .map(|answer| {
            let mut line = Vec::new();
            LinkServer::answer(&question, answer, &mut line);
            line.repeat(2)
        })
        .collect()
}

/// Recipes for the kernels: a discriminator and the shape of chunks, then steps. Noise around the windows of both
/// widths, runs of every byte value, periods around the hash's window and the vectors, bytes of their own.
fn recipes() -> Vec<Vec<u8>> {
    let step = |kind: u8, value: u8, len: u16| [&[kind, value][..], &len.to_le_bytes()].concat();
    let noise = [11_951, 11_952, 11_953, 23_855, 23_856, 23_857].map(|len| step(2, 9, len)).concat();
    let runs: Vec<u8> = (0..=255).flat_map(|value| step(0, value, 60)).collect();
    let periods = [1, 15, 16, 46, 47, 48, 63, 64, 127, 255].map(|period| step(1, period, 5000)).concat();
    let own = [step(3, 0, 700), desync_test_kit::prng(700, 9)].concat();
    let heads: [&[u8]; 4] = [&[23, 0, 3], &[0, 0, 0], &[191, 0, 40], &[102, 15, 255]];
    let dishes = [&noise, &runs, &[own.clone(), periods].concat(), &[own, step(0, 0, 30_000)].concat()];
    heads.iter().zip(dishes).map(|(head, dish)| [head, &dish[..]].concat()).collect()
}
