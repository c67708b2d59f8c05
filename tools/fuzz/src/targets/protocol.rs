//! The wire protocol: any split gives the same, what is accepted encodes to the same bytes, memory is by
//! length and not by claim.

use desync_core::Limits;
use desync_core::protocol::{MessageCollector, ProtocolError};

use crate::allocation::peak_of;

pub(super) fn run(bytes: &[u8]) {
    let (whole, peak) = peak_of(|| replay(&[bytes]));
    // The replayed bytes, the parts of a message, each with room to grow.
    assert!(peak <= 8 * bytes.len() + 1024, "{peak} bytes held for a stream of {}", bytes.len());
    let piece_len = usize::from(bytes.last().copied().unwrap_or(0)) % 97 + 1;
    let pieces: Vec<_> = bytes.chunks(piece_len).collect();
    assert_eq!(replay(&pieces), whole, "the split into pieces of {piece_len} bytes changes the result");
    assert!(bytes.starts_with(&whole.0), "a message is encoded otherwise");
    assert!(whole.1.is_err() || whole.0 == bytes, "bytes are accepted that belong to no message");
}

/// The messages encoded again, up to the end or the first error, and that error.
fn replay(pieces: &[&[u8]]) -> (Vec<u8>, Result<(), ProtocolError>) {
    let mut collector = MessageCollector::new(&Limits::HOST);
    let mut replayed = Vec::new();
    for mut piece in pieces.iter().copied() {
        loop {
            match collector.next(&mut piece) {
                Ok(Some(message)) => {
                    message.encode(&Limits::HOST, &mut replayed).expect("what was read can be sent");
                }
                Ok(None) => break,
                Err(error) => return (replayed, Err(error)),
            }
        }
    }
    let end = collector.finish();
    (replayed, end)
}
