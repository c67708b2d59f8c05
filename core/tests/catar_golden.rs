//! Archives that casync wrote, and hand-made bad ones, against the codec.

use std::collections::BTreeMap;
use std::fs;

use desync_core::Limits;
use desync_core::block_io::BlockRead;
use desync_core::format::Strictness;
use desync_core::format::catar::{
    Archive, CatarError, Content, Decoder, Encoder, Event, Expected, Node, Place, Problem,
};
use desync_test_kit::golden;

/// Decodes pieces of `piece` bytes and hands each event on.
fn decode(
    bytes: &[u8],
    piece: usize,
    strictness: Strictness,
    mut each: impl FnMut(&Decoder, Event<'_>),
) -> Result<(), CatarError> {
    let mut decoder = Decoder::new(Limits::HOST, strictness, Expected::default());
    for mut input in bytes.chunks(piece) {
        while let Some(event) = decoder.next(&mut input)? {
            each(&decoder, event);
        }
    }
    decoder.finish()
}

fn verdict(bytes: &[u8], strictness: Strictness) -> Result<(), CatarError> {
    decode(bytes, bytes.len().max(1), strictness, |_, _| {})
}

/// Decodes an archive and encodes what came out.
fn again(bytes: &[u8], piece: usize) -> Result<Vec<u8>, CatarError> {
    let mut encoder = None;
    let mut out = Vec::new();
    decode(bytes, piece, Strictness::Strict, |decoder, event| {
        let features = decoder.features().expect("known since the first node");
        let encoder = encoder.get_or_insert_with(|| Encoder::new(features, &Limits::HOST).unwrap());
        match event {
            Event::Node(node) => encoder.node(&node, &mut out).unwrap(),
            Event::Data { bytes, .. } => encoder.data(bytes, &mut out).unwrap(),
            Event::Leave => encoder.leave(&mut out).unwrap(),
        }
        assert_eq!(encoder.offset(), out.len() as u64);
    })?;
    encoder.expect("an archive has a root").finish().unwrap();
    Ok(out)
}

fn archives() -> Vec<(String, Vec<u8>)> {
    let folders = ["mini", "tree"].into_iter().flat_map(|folder| fs::read_dir(golden::path(folder)).unwrap());
    let paths = folders.map(|file| file.unwrap().path());
    let archives = paths.filter(|path| path.extension().is_some_and(|extension| extension == "catar"));
    let read = |path: std::path::PathBuf| (path.display().to_string(), fs::read(&path).unwrap());
    let archives: Vec<_> = archives.map(read).collect();
    assert!(archives.len() >= 13, "only {} golden archives found", archives.len());
    archives
}

/// The hand-made archives by name, good and bad.
fn hand_made() -> BTreeMap<String, Vec<u8>> {
    let members = golden::members("bad.tar").into_iter();
    let named = members.map(|member| (member.name.trim_start_matches("bad/").to_owned(), member.content));
    named.filter(|(name, _)| name.ends_with(".catar")).collect()
}

#[test]
fn archives_of_casync_round_trip() {
    for (name, bytes) in archives() {
        let made = again(&bytes, bytes.len()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(made == bytes, "{name}: other bytes");
    }
}

#[test]
fn any_split_gives_the_same() {
    let (_, bytes) = archives().into_iter().find(|(name, _)| name.ends_with("mini-default.catar")).unwrap();
    for piece in [1, 2, 3, 7, 15, 16, 17, 63, 64, 65, 1000] {
        assert!(again(&bytes, piece).unwrap() == bytes, "pieces of {piece}");
    }
}

#[test]
fn truncation_anywhere_is_an_error() {
    let (_, bytes) = archives().into_iter().find(|(name, _)| name.ends_with("mini-default.catar")).unwrap();
    for len in 0..bytes.len() {
        let problem = verdict(&bytes[..len], Strictness::Strict).unwrap_err().problem;
        assert_eq!(problem, Problem::Truncated, "{len} bytes");
    }
}

#[test]
fn bad_archives_get_their_verdicts() {
    let files = hand_made();
    let verdicts = String::from_utf8(golden::read("bad-verdicts.tsv")).unwrap();
    let mut seen = 0;
    for line in verdicts.lines() {
        let (name, rest) = line.split_once('\t').unwrap();
        let Some(bytes) = files.get(name) else { continue };
        let want = rest.split('\t').next().unwrap();
        let got = verdict(bytes, Strictness::Strict);
        seen += 1;
        match want {
            "either" => {}
            _ => assert_eq!(got.is_ok(), want.starts_with("accept"), "{name}: want {want}, got {got:?}"),
        }
        if got.is_ok() {
            assert!(again(bytes, 100).unwrap() == *bytes, "{name}: other bytes");
        }
    }
    assert_eq!(seen, files.len(), "verdicts about archives");
    assert!(seen >= 75, "only {seen} archives");
}

/// Which check refuses: a refusal for another reason would hide a missing check.
#[test]
fn bad_archives_are_refused_for_the_right_reason() {
    let files = hand_made();
    type IsReason = fn(&Problem) -> bool;
    let reasons: [(&str, IsReason); 42] = [
        ("usec-not-whole-us", |p| matches!(p, Problem::Time { .. })),
        ("depth-65-nodes", |p| matches!(p, Problem::TooDeep { max: 64 })),
        ("trailing-garbage", |p| matches!(p, Problem::TrailingBytes)),
        ("truncated-no-goodbye", |p| matches!(p, Problem::Truncated)),
        ("truncated-in-payload", |p| matches!(p, Problem::Truncated)),
        ("truncated-in-header", |p| matches!(p, Problem::Truncated)),
        ("unsorted-2", |p| matches!(p, Problem::NameOrder)),
        ("duplicate-file", |p| matches!(p, Problem::NameOrder)),
        ("symlink-then-file-same-name", |p| matches!(p, Problem::NameOrder)),
        ("name-256", |p| matches!(p, Problem::RecordLength { .. })),
        ("name-empty", |p| matches!(p, Problem::RecordLength { .. })),
        ("name-dotdot", |p| matches!(p, Problem::Name)),
        ("name-slash-first", |p| matches!(p, Problem::Name)),
        ("name-nul-inside", |p| matches!(p, Problem::Name)),
        ("name-no-nul", |p| matches!(p, Problem::Name)),
        ("goodbye-hash-wrong", |p| matches!(p, Problem::Goodbye(_))),
        ("goodbye-not-bst-order", |p| matches!(p, Problem::Goodbye(_))),
        ("goodbye-entry-offset-wrong", |p| matches!(p, Problem::Goodbye(_))),
        ("goodbye-8-gib", |p| matches!(p, Problem::Goodbye(_))),
        ("record-size-15", |p| matches!(p, Problem::RecordLength { len: 15, .. })),
        ("record-size-max", |p| matches!(p, Problem::RecordLength { .. })),
        ("record-unknown-type", |p| matches!(p, Problem::UnknownRecord { .. })),
        ("root-is-file", |p| matches!(p, Problem::RootKind)),
        ("root-is-fifo", |p| matches!(p, Problem::RootKind | Problem::Truncated)),
        ("fifo-with-payload", |p| matches!(p, Problem::WrongKind { .. })),
        ("file-without-payload", |p| matches!(p, Problem::Missing { .. })),
        ("dir-with-symlink", |p| matches!(p, Problem::WrongKind { .. })),
        ("two-entries", |p| matches!(p, Problem::OutOfPlace { .. })),
        ("mode-unknown-bit", |p| matches!(p, Problem::Mode { .. })),
        ("symlink-mode-0755", |p| matches!(p, Problem::Mode { .. })),
        ("feature-flags-differ", |p| matches!(p, Problem::FeaturesDiffer { .. })),
        ("feature-flags-not-normal", |p| matches!(p, Problem::Flags(_))),
        ("entry-flags-not-featured", |p| matches!(p, Problem::NodeFlags { .. })),
        ("uid-65535", |p| matches!(p, Problem::Id { id: 0xffff })),
        ("mtime-all-ones", |p| matches!(p, Problem::Time { .. })),
        ("xattr-duplicate", |p| matches!(p, Problem::RecordOrder { .. })),
        ("xattr-on-symlink", |p| matches!(p, Problem::WrongKind { .. })),
        ("group-before-user", |p| matches!(p, Problem::OutOfPlace { .. })),
        ("acl-user-without-group-obj", |p| matches!(p, Problem::Missing { .. })),
        ("acl-perm-8", |p| matches!(p, Problem::Permissions { bits: 8 })),
        ("fcaps-on-dir", |p| matches!(p, Problem::WrongKind { .. })),
        ("device-minor-2-20", |p| matches!(p, Problem::DeviceNumber { .. })),
    ];
    for (name, is_reason) in reasons {
        let error = verdict(&files[&format!("{name}.catar")], Strictness::Strict).unwrap_err();
        assert!(is_reason(&error.problem), "{name}: {error:?}");
    }
}

#[test]
fn lenient_accepts_other_orders_and_foreign_names() {
    let files = hand_made();
    let lenient = |name: &str| verdict(&files[&format!("{name}.catar")], Strictness::Lenient);
    for name in ["unsorted-2", "unsorted-3", "xattr-on-symlink"] {
        assert_eq!(lenient(name), Ok(()), "{name}");
    }
    for name in ["duplicate-file", "symlink-then-dir-same-name", "name-dotdot", "goodbye-hash-wrong"] {
        assert!(lenient(name).is_err(), "{name}");
    }
}

/// A length beyond the archive's known one is refused before a byte of it is waited for.
#[test]
fn claims_are_compared_with_the_known_length() {
    let bytes = &hand_made()["payload-2-63.catar"];
    let expected = Expected { len: Some(bytes.len() as u64), features: None };
    let mut decoder = Decoder::new(Limits::HOST, Strictness::Strict, expected);
    let mut input = &bytes[..];
    let error = loop {
        match decoder.next(&mut input) {
            Ok(event) => assert!(event.is_some(), "waits for more"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error.problem, Problem::BeyondEnd { .. }), "{error}");
}

/// An archive in memory; reading past it is an error.
struct Bytes<'a>(&'a [u8]);

impl BlockRead for Bytes<'_> {
    type Error = u64;

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), u64> {
        let start = usize::try_from(offset).map_err(|_| offset)?;
        let bytes = self.0.get(start..).and_then(|rest| rest.get(..buf.len())).ok_or(offset)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}

/// Every node by its path, in the order of a walk through tables of names.
fn walk(archive: &mut Archive<Bytes<'_>>) -> Vec<(Vec<u8>, Node, std::ops::Range<u64>)> {
    fn visit(
        archive: &mut Archive<Bytes<'_>>,
        path: &[u8],
        place: Place,
        found: &mut Vec<(Vec<u8>, Node, std::ops::Range<u64>)>,
    ) {
        let node = archive.node(place).unwrap();
        let is_directory = node.node.content.is_directory();
        found.push((path.to_vec(), node.node, node.content));
        if !is_directory {
            return;
        }
        let directory = archive.directory(place).unwrap();
        let mut by_position: Vec<_> =
            (0..directory.children).map(|at| archive.child(&directory, at).unwrap()).collect();
        by_position.sort();
        for (child, by_position) in archive.children(&directory).unwrap().into_iter().zip(by_position) {
            let (name, place) = archive.child_at(child).unwrap();
            assert_eq!((&name, place), (&by_position.0, by_position.1));
            assert_eq!(archive.lookup(&directory, &name).unwrap(), Some(place));
            visit(archive, &[path, b"/", &name].concat(), place, found);
        }
        assert_eq!(archive.lookup(&directory, b"no such name").unwrap(), None);
    }
    let mut found = Vec::new();
    let root = archive.root();
    visit(archive, b"", root, &mut found);
    found
}

#[test]
fn tables_lead_to_what_the_stream_holds() {
    for (name, bytes) in archives() {
        let mut streamed = Vec::new();
        let mut path = Vec::new();
        decode(&bytes, bytes.len(), Strictness::Strict, |_, event| match event {
            Event::Node(node) => {
                let own = if node.name.is_empty() { Vec::new() } else { [b"/", &node.name[..]].concat() };
                let whole: Vec<u8> = path.iter().flatten().copied().chain(own.iter().copied()).collect();
                if node.content.is_directory() {
                    path.push(own);
                }
                streamed.push((whole, Node { name: Vec::new(), ..*node }, Vec::new()));
            }
            Event::Data { bytes, .. } => streamed.last_mut().unwrap().2.extend_from_slice(bytes),
            Event::Leave => drop(path.pop()),
        })
        .unwrap();
        let len = bytes.len() as u64;
        let mut archive = Archive::open(Bytes(&bytes), len, Strictness::Strict, Limits::HOST).unwrap();
        let found = walk(&mut archive);
        assert_eq!(found.len(), streamed.len(), "{name}");
        for ((path, node, content), (streamed_path, streamed_node, data)) in found.into_iter().zip(streamed) {
            assert_eq!((&path, &node), (&streamed_path, &streamed_node), "{name}");
            if let Content::File { .. } = node.content {
                assert!(bytes[content.start as usize..content.end as usize] == data, "{name}");
            }
        }
    }
}

/// Follows every table of a hostile archive to its ends: errors are fine, endless walks and panics are not.
fn explore(bytes: &[u8], depth: usize, archive: &mut Archive<Bytes<'_>>, place: Place, steps: &mut usize) {
    *steps += 1;
    assert!(*steps < 10_000, "a walk without end through {} bytes", bytes.len());
    let Ok(found) = archive.node(place) else { return };
    assert!(found.content.end <= place.end && found.content.start <= found.content.end);
    let Ok(directory) = archive.directory(place) else { return };
    assert!(depth < 1000, "deeper than the archive has room for");
    let _ = archive.children(&directory);
    let _ = archive.lookup(&directory, b"a");
    for position in 0..directory.children.min(100) {
        if let Ok((_, child)) = archive.child(&directory, position) {
            assert!(child.entry > place.entry && child.end <= place.end);
            explore(bytes, depth + 1, archive, child, steps);
        }
    }
}

#[test]
fn hostile_tables_lead_nowhere_else() {
    let mut hostile = hand_made();
    let (_, mini) = archives().into_iter().find(|(name, _)| name.ends_with("mini-unix.catar")).unwrap();
    // Every word of the archive's last tables, replaced by numbers that matter.
    for at in (mini.len() - 600..mini.len() - 7).step_by(4) {
        for value in [0_u64, 1, 24, 64, 600, mini.len() as u64, u64::MAX, u64::MAX - 100, 1 << 63] {
            let mut bytes = mini.clone();
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            hostile.insert(format!("{at}={value:x}"), bytes);
        }
    }
    for bytes in hostile.values() {
        let len = bytes.len() as u64;
        if let Ok(mut archive) = Archive::open(Bytes(bytes), len, Strictness::Strict, Limits::HOST) {
            let root = archive.root();
            explore(bytes, 0, &mut archive, root, &mut 0);
        }
    }
}
