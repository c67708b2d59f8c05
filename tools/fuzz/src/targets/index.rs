//! The index parser: any split gives the same, what is accepted encodes to the same bytes, memory is bounded.

use desync_core::Limits;
use desync_core::format::Index;
use desync_core::format::index::stream::STREAM_BUFFER_LEN;
use desync_core::format::index::{IndexError, IndexEvent, IndexParser, Strictness};

use crate::allocation::peak_of;

/// Events up to the end or the first error, and that error.
type Parsed = (Vec<IndexEvent>, Result<(), IndexError>);

pub(super) fn run(bytes: &[u8]) {
    for strictness in [Strictness::Strict, Strictness::Lenient] {
        let whole = parse(&[bytes], strictness);
        let piece_len = usize::from(bytes.first().copied().unwrap_or(0)) % 97 + 1;
        let pieces: Vec<_> = bytes.chunks(piece_len).collect();
        assert_eq!(
            parse(&pieces, strictness),
            whole,
            "the split into pieces of {piece_len} bytes changes the result"
        );

        let (held, peak) = peak_of(|| Index::parse(bytes, &Limits::HOST, strictness));
        assert!(
            peak <= 4 * bytes.len() + 2 * STREAM_BUFFER_LEN,
            "{peak} bytes held for an index of {}",
            bytes.len()
        );
        assert_eq!(held.is_ok(), whole.1.is_ok(), "parser and reader disagree: {held:?}, {:?}", whole.1);
        if let Ok(index) = held {
            let encoded = index.encode_to_vec().expect("what was parsed can be encoded");
            assert!(strictness != Strictness::Strict || encoded == bytes, "an index is encoded otherwise");
            assert_eq!(Index::parse(&encoded, &Limits::HOST, strictness), Ok(index));
        }
    }
}

fn parse(pieces: &[&[u8]], strictness: Strictness) -> Parsed {
    let mut parser = IndexParser::new(Limits::HOST, strictness);
    let mut events = Vec::new();
    for mut piece in pieces.iter().copied() {
        loop {
            match parser.next(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
    }
    let end = parser.finish();
    (events, end)
}
