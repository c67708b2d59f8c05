//! Indexes that casync wrote, and hand-made bad ones, against the codec.

use std::collections::BTreeMap;
use std::fs;

use desync_core::format::{FeatureFlags, Index, IndexError, Strictness};
use desync_core::{DigestKind, Limits};
use desync_test_kit::golden;

fn parse(bytes: &[u8]) -> Result<Index, IndexError> {
    Index::parse(bytes, &Limits::HOST, Strictness::Strict)
}

/// The hand-made indexes by name, good and bad.
fn hand_made() -> BTreeMap<String, Vec<u8>> {
    let members = golden::members("bad.tar").into_iter().map(|member| (member.name, member.content));
    members.filter(|(name, _)| name.ends_with(".caibx")).collect()
}

#[test]
fn indexes_of_casync_round_trip() {
    let mut seen = 0;
    for file in fs::read_dir(golden::path("blob")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "caibx") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let index = parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(index.encode_to_vec().unwrap(), bytes, "{}", path.display());
        let digest = index.header.digest();
        assert_eq!(index.header.flags, FeatureFlags::casync_blob(digest), "{}", path.display());
        let sha256 = path.file_stem().unwrap().to_str().unwrap().ends_with("sha256");
        assert_eq!(digest == DigestKind::Sha256, sha256, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} golden indexes found");
}

#[test]
fn bad_indexes_get_their_verdicts() {
    let files = hand_made();
    let verdicts = String::from_utf8(golden::read("bad-verdicts.tsv")).unwrap();
    let mut seen = 0;
    for line in verdicts.lines() {
        let (name, rest) = line.split_once('\t').unwrap();
        if !name.ends_with(".caibx") {
            continue;
        }
        let want = rest.split('\t').next().unwrap();
        let bytes = &files[&format!("bad/{name}")];
        let got = parse(bytes);
        seen += 1;
        match name {
            // Right as indexes; wrong in what they name, which shows at the store.
            "chunk-not-in-store.caibx" => assert!(got.is_ok(), "{name}: {got:?}"),
            "flags-digest-bit-cleared.caibx" => {
                assert_eq!(got.unwrap().header.digest(), DigestKind::Sha256, "{name}");
            }
            _ => assert_eq!(got.is_ok(), want == "accept", "{name}: want {want}, got {got:?}"),
        }
    }
    assert_eq!(seen, 32, "verdicts about indexes");
}

/// Which check refuses each bad index: a refusal for another reason would hide a missing check.
#[test]
fn bad_indexes_are_refused_for_the_right_reason() {
    let files = hand_made();
    type IsReason = fn(&IndexError) -> bool;
    let reasons: [(&str, IsReason); 25] = [
        ("trailing-byte", |e| matches!(e, IndexError::TrailingBytes { offset: 224 })),
        ("no-tail", |e| matches!(e, IndexError::Truncated { offset: 184, chunks: 3 })),
        ("cut-in-tail", |e| matches!(e, IndexError::Truncated { offset: 219, chunks: 3 })),
        ("cut-after-item", |e| matches!(e, IndexError::Truncated { offset: 104, chunks: 1 })),
        ("header-only", |e| matches!(e, IndexError::Truncated { offset: 48, chunks: 0 })),
        ("tail-index-offset-49", |e| matches!(e, IndexError::Tail { expected: 48, found: 49, .. })),
        ("tail-size-plus-1", |e| matches!(e, IndexError::Tail { expected: 176, found: 177, .. })),
        ("tail-marker-wrong", |e| matches!(e, IndexError::Tail { .. })),
        ("tail-fill1", |e| matches!(e, IndexError::NotIncreasing { chunk: 3, .. })),
        ("tail-fill2", |e| matches!(e, IndexError::Tail { chunks: 3, expected: 0, .. })),
        ("first-offset-0", |e| matches!(e, IndexError::Tail { chunks: 0, .. })),
        ("offset-equal", |e| matches!(e, IndexError::NotIncreasing { chunk: 1, .. })),
        ("offset-decreasing", |e| matches!(e, IndexError::NotIncreasing { .. })),
        ("chunk-max-plus-1", |e| matches!(e, IndexError::ChunkTooLarge { .. })),
        ("last-offset-huge", |e| matches!(e, IndexError::ChunkTooLarge { chunk: 2, .. })),
        ("flags-unknown-bit", |e| matches!(e, IndexError::Flags(_))),
        ("flags-not-normal-time", |e| matches!(e, IndexError::Flags(_))),
        ("flags-not-normal-uids", |e| matches!(e, IndexError::Flags(_))),
        ("min-0", |e| matches!(e, IndexError::Sizes(_))),
        ("min-above-avg", |e| matches!(e, IndexError::Sizes(_))),
        ("avg-above-max", |e| matches!(e, IndexError::Sizes(_))),
        ("max-above-128m", |e| matches!(e, IndexError::Sizes(_))),
        ("header-size-49", |e| matches!(e, IndexError::NotAnIndex { size: 49, .. })),
        ("header-type", |e| matches!(e, IndexError::NotAnIndex { size: 48, .. })),
        ("table-size-0", |e| matches!(e, IndexError::NoTable { size: 0, .. })),
    ];
    for (name, is_reason) in reasons {
        let error = parse(&files[&format!("bad/{name}.caibx")]).unwrap_err();
        assert!(is_reason(&error), "{name}: {error:?}");
    }
    assert!(matches!(parse(&files["bad/table-type.caibx"]), Err(IndexError::NoTable { .. })));
}

#[test]
fn lenient_accepts_foreign_flags_and_nothing_else() {
    for (name, bytes) in hand_made() {
        let lenient = Index::parse(&bytes, &Limits::HOST, Strictness::Lenient);
        match parse(&bytes) {
            Err(IndexError::Flags(_)) => {
                let index = lenient.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(index.encode_to_vec().unwrap(), bytes, "{name}: flags are kept as they are");
            }
            strict => assert_eq!(lenient, strict, "{name}"),
        }
    }
}
