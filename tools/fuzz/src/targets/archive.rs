//! The archive decoder: any split gives the same, what is accepted encodes to the same bytes, tables lead nowhere
//! else, memory is bounded.

use std::ops::Range;

use desync_core::Limits;
use desync_core::block_io::BlockRead;
use desync_core::format::Strictness;
use desync_core::format::catar::{Archive, CatarError, Decoder, Encoder, Event, Expected, Node, Place};

use crate::allocation::peak_of;

/// Nodes visited through tables of names before a walk counts as endless.
const STEPS_MAX: usize = 10_000;

/// Limits so small that inputs of a few kilobytes reach them.
const SMALL: Limits =
    Limits { archive_depth_max: 8, archive_metadata_max: 512, archive_names_max: 4, ..Limits::HOST };

/// What was found, data joined: splits may split them.
#[derive(Debug, PartialEq)]
enum Seen {
    Node(Box<Node>),
    Data(Vec<u8>),
    Leave,
}

pub(super) fn run(bytes: &[u8]) {
    let piece_len = usize::from(bytes.first().copied().unwrap_or(0)) % 97 + 1;
    for (strictness, limits) in
        [(Strictness::Strict, Limits::HOST), (Strictness::Strict, SMALL), (Strictness::Lenient, Limits::HOST)]
    {
        let (whole, peak) = peak_of(|| decode(bytes, bytes.len().max(1), strictness, limits));
        assert!(peak <= 16 * bytes.len() + (64 << 10), "{peak} bytes held for {} bytes", bytes.len());
        assert_eq!(decode(bytes, piece_len, strictness, limits), whole, "pieces of {piece_len} bytes");
        // Tables of more names than are remembered are not compared, so they may come out otherwise.
        if let (events, Ok(())) = &whole
            && (strictness, limits) == (Strictness::Strict, Limits::HOST)
        {
            assert!(encode(bytes, events) == bytes, "an archive is encoded otherwise");
        }
    }
    explore(bytes);
}

fn decode(
    bytes: &[u8],
    piece_len: usize,
    strictness: Strictness,
    limits: Limits,
) -> (Vec<Seen>, Result<(), CatarError>) {
    let mut decoder = Decoder::new(limits, strictness, Expected::default());
    let mut seen = Vec::new();
    for mut piece in bytes.chunks(piece_len) {
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(Event::Node(node))) => seen.push(Seen::Node(node)),
                Ok(Some(Event::Leave)) => seen.push(Seen::Leave),
                Ok(Some(Event::Data { bytes, .. })) => match seen.last_mut() {
                    Some(Seen::Data(data)) => data.extend_from_slice(bytes),
                    _ => seen.push(Seen::Data(bytes.to_vec())),
                },
                Ok(None) => break,
                Err(error) => return (seen, Err(error)),
            }
        }
    }
    let end = decoder.finish();
    (seen, end)
}

fn encode(bytes: &[u8], events: &[Seen]) -> Vec<u8> {
    let features = desync_core::format::catar::leading_features(bytes).expect("it was accepted");
    let mut encoder = Encoder::new(features, &Limits::HOST).expect("it was accepted");
    let mut out = Vec::new();
    for event in events {
        match event {
            Seen::Node(node) => encoder.node(node, &mut out),
            Seen::Data(data) => encoder.data(data, &mut out),
            Seen::Leave => encoder.leave(&mut out),
        }
        .expect("what was decoded can be encoded");
    }
    encoder.finish().expect("what was decoded can be encoded");
    out
}

struct Bytes<'a>(&'a [u8]);

impl BlockRead for Bytes<'_> {
    type Error = ();

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), ()> {
        let start = usize::try_from(offset).map_err(|_| ())?;
        let end = start.checked_add(buf.len()).ok_or(())?;
        buf.copy_from_slice(self.0.get(start..end).ok_or(())?);
        Ok(())
    }
}

fn explore(bytes: &[u8]) {
    let len = bytes.len() as u64;
    let Ok(mut archive) = Archive::open(Bytes(bytes), len, Strictness::Lenient, Limits::HOST) else { return };
    let mut due = vec![archive.root()];
    let mut steps = 0;
    while let Some(place) = due.pop() {
        steps += 1;
        if steps > STEPS_MAX {
            // Tables that overlap are no loop, but their walks multiply: `children` refuses them.
            return;
        }
        let Ok(found) = archive.node(place) else { continue };
        assert_within(&found.content, &(place.entry..place.end));
        let Ok(directory) = archive.directory(place) else { continue };
        let _ = archive.lookup(&directory, b"a");
        for position in 0..directory.children {
            let Ok((name, child)) = archive.child(&directory, position) else { continue };
            assert_within(&(child.entry..child.end), &(place.entry..place.end));
            assert!(child.entry > place.entry, "a child begins before its directory");
            assert!(!name.is_empty() && !name.contains(&b'/'), "a name that is none");
            due.push(Place { entry: child.entry, end: child.end });
        }
    }
}

fn assert_within(inner: &Range<u64>, outer: &Range<u64>) {
    assert!(
        inner.start >= outer.start && inner.start <= inner.end && inner.end <= outer.end,
        "{inner:?} {outer:?}"
    );
}
