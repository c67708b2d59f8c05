//! What the golden archives do not show: limits, reduction to features, and refusals of the encoder.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::format::{FeatureFlags, Strictness};
use crate::limits::Limits;

const BEST: FeatureFlags = FeatureFlags::from_bits_retain(0xb000_0001_ffef_fe26);

fn directory(name: &[u8]) -> Node {
    Node { permissions: 0o755, ..Node::new(name.to_vec(), Content::Directory) }
}

fn file(name: &[u8], len: u64) -> Node {
    Node { permissions: 0o644, ..Node::new(name.to_vec(), Content::File { len }) }
}

/// A root with this many empty files.
fn wide(count: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(BEST, &Limits::HOST).unwrap();
    encoder.node(&directory(b""), &mut out).unwrap();
    for number in 0..count {
        encoder.node(&file(&number.to_be_bytes().map(|byte| byte | 0x40), 0), &mut out).unwrap();
    }
    encoder.leave(&mut out).unwrap();
    encoder.finish().unwrap();
    out
}

fn decode(bytes: &[u8], limits: Limits) -> Result<(), CatarError> {
    let mut decoder = Decoder::new(limits, Strictness::Strict, Expected::default());
    let mut input = bytes;
    while decoder.next(&mut input)?.is_some() {}
    decoder.finish()
}

#[test]
fn more_names_than_are_remembered_still_pass() {
    let bytes = wide(60);
    for archive_names_max in [0, 1, 59, 60, 61] {
        decode(&bytes, Limits { archive_names_max, ..Limits::HOST }).unwrap();
    }
    // An item is compared only where there is room; the number of items always is.
    let mut wrong = bytes.clone();
    let item = wrong.len() - 40;
    wrong[item] ^= 1;
    decode(&wrong, Limits { archive_names_max: 10, ..Limits::HOST }).unwrap();
    assert!(matches!(decode(&wrong, Limits::HOST).unwrap_err().problem, Problem::Goodbye(_)));
    let tail = wrong.len() - 24;
    wrong[tail] ^= 1;
    assert!(decode(&wrong, Limits { archive_names_max: 10, ..Limits::HOST }).is_err());
}

#[test]
fn metadata_of_a_node_is_bounded() {
    let mut root = directory(b"");
    let xattr = |n: u8| Xattr { name: vec![b'u', b'.', n + b'0'], value: vec![0; 60_000] };
    root.xattrs = (0..30).map(xattr).collect();
    let mut out = Vec::new();
    let mut encoder = Encoder::new(BEST, &Limits::HOST).unwrap();
    encoder.node(&root, &mut out).unwrap();
    encoder.leave(&mut out).unwrap();
    let error = decode(&out, Limits::HOST).unwrap_err();
    assert_eq!(error.problem, Problem::TooMuchMetadata { max: 1 << 20 });
}

#[test]
fn the_encoder_refuses_what_the_decoder_would() {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(BEST, &Limits::HOST).unwrap();
    assert_eq!(encoder.finish().unwrap_err().problem, Problem::Truncated);
    assert_eq!(encoder.node(&file(b"", 0), &mut out).unwrap_err().problem, Problem::RootKind);
    encoder.node(&directory(b""), &mut out).unwrap();
    encoder.node(&file(b"b", 3), &mut out).unwrap();
    assert_eq!(encoder.node(&file(b"c", 0), &mut out).unwrap_err().problem, Problem::ContentLength);
    assert_eq!(encoder.data(b"1234", &mut out).unwrap_err().problem, Problem::ContentLength);
    encoder.data(b"12", &mut out).unwrap();
    assert_eq!(encoder.leave(&mut out).unwrap_err().problem, Problem::ContentLength);
    encoder.data(b"3", &mut out).unwrap();
    for name in [&b"a"[..], b"b"] {
        assert_eq!(encoder.node(&file(name, 0), &mut out).unwrap_err().problem, Problem::NameOrder);
    }
    for name in [&b""[..], b".", b"..", b"x/y", b"x\0"] {
        assert_eq!(encoder.node(&file(name, 0), &mut out).unwrap_err().problem, Problem::Name);
    }
    let huge = encoder.node(&file(b"huge", u64::MAX - 5), &mut out).unwrap_err();
    assert!(matches!(huge.problem, Problem::BeyondEnd { .. }));
    encoder.leave(&mut out).unwrap();
    encoder.finish().unwrap();
    assert!(encoder.node(&directory(b"x"), &mut out).is_err());
    decode(&out, Limits::HOST).unwrap();
}

/// A node with everything, cut down to what a set of flags records, is one that the set allows.
#[test]
fn reduced_nodes_can_be_written() {
    let name = |name: &[u8]| Some(name.to_vec());
    let entry = |id, permissions| AclEntry { id, name: name(b"someone"), permissions };
    let full = Node {
        permissions: 0o4751,
        attributes: FeatureFlags::FLAG_NOATIME | FeatureFlags::FLAG_HIDDEN | FeatureFlags::SUBVOLUME,
        uid: 1000,
        gid: 1001,
        mtime: 1_500_000_001_234_567_891,
        user: name(b"someone"),
        group: name(b"_group"),
        xattrs: vec![Xattr { name: b"user.x".to_vec(), value: Vec::new() }],
        acl: Acl { users: vec![entry(5, 7)], groups: vec![entry(6, 4), entry(7, 0)], group_obj: Some(5) },
        default_acl: Some(DefaultAcl { mask: Some(7), users: vec![entry(8, 1)], ..DefaultAcl::default() }),
        selinux: Some(b"system_u:object_r:etc_t:s0".to_vec()),
        quota_projid: Some(7),
        ..directory(b"")
    };
    for low in 0..33 {
        for high in low..33 {
            let set = FeatureFlags::from_bits_retain(1 << low | 1 << high).normal_form();
            let mut node = full.clone();
            assert!(node.reduce(set));
            let mut out = Vec::new();
            let mut encoder = Encoder::new(set, &Limits::HOST).unwrap();
            encoder.node(&node, &mut out).unwrap_or_else(|error| panic!("{set:?}: {error}"));
            encoder.leave(&mut out).unwrap();
            decode(&out, Limits::HOST).unwrap_or_else(|error| panic!("{set:?}: {error}"));
        }
    }
    let mut node = full.clone();
    assert!(node.reduce(FeatureFlags::SEC_TIME | FeatureFlags::READ_ONLY));
    assert_eq!((node.mtime, node.permissions, node.uid), (1_500_000_001_000_000_000, 0o777, 0));
    let mut before = Node { mtime: -1_500_000_000, ..full };
    assert!(before.reduce(FeatureFlags::SEC_TIME));
    assert_eq!(before.mtime, -2_000_000_000);
    assert!(!Node::new(b"x".to_vec(), Content::Socket).reduce(FeatureFlags::FIFOS));
}
