//! Which chunks of an index are in a copy-on-read file, as bytes of a state file.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | `DSYNCOR1` |
//! | 8 | 32 | SHA-512/256 of the encoded index |
//! | 40 | ceil(chunks / 8) | chunk i is bit i mod 8, least significant first, of byte i div 8 |
//!
//! Go desync writes the bits alone, tied to an index by nothing but their number. Those are read, too.

use std::io::{self, Read, Write};

use desync_core::DigestKind;
use desync_core::format::Index;
use desync_core::format::index::IndexEncoder;

/// What a state file begins with.
const MAGIC: [u8; 8] = *b"DSYNCOR1";

/// Bytes before the bits.
const HEADER_LEN: usize = 40;

/// The first bytes of a state file: what it is, and of which index.
fn header(index: &Index) -> io::Result<[u8; HEADER_LEN]> {
    let mut encoder = IndexEncoder::new(index.header);
    let mut hasher = DigestKind::Sha512_256.hasher();
    hasher.update(&encoder.header());
    for item in &index.items {
        hasher.update(&encoder.item(item).map_err(io::Error::other)?);
    }
    hasher.update(&encoder.tail());
    let mut header = [0; HEADER_LEN];
    header[..MAGIC.len()].copy_from_slice(&MAGIC);
    header[MAGIC.len()..].copy_from_slice(&hasher.finish().0);
    Ok(header)
}

/// Writes the state of an index whose chunks are there as `has` says.
pub(super) fn write(index: &Index, has: impl Fn(usize) -> bool, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&header(index)?)?;
    let chunks = index.items.len();
    for first in (0..chunks).step_by(8) {
        let bits = (first..chunks.min(first + 8)).filter(|position| has(*position));
        out.write_all(&[bits.fold(0, |byte, position| byte | 1 << (position - first))])?;
    }
    Ok(())
}

/// The positions of the chunks that a state file has, in order.
///
/// # Errors
/// `InvalidData` if it is not a state of this index, and those of `input`.
pub(super) fn read(index: &Index, input: impl Read) -> io::Result<Vec<usize>> {
    let bits_len = index.items.len().div_ceil(8);
    let mut bytes = Vec::new();
    input.take((HEADER_LEN + bits_len) as u64 + 1).read_to_end(&mut bytes)?;
    let bits = if bytes.len() == HEADER_LEN + bits_len && bytes.starts_with(&header(index)?) {
        &bytes[HEADER_LEN..]
    } else if bytes.len() == bits_len {
        &bytes[..]
    } else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "sparse state file does not match the index"));
    };
    Ok((0..index.items.len()).filter(|position| bits[position / 8] >> (position % 8) & 1 == 1).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::index_of;

    #[test]
    fn states_come_back_and_those_of_go_desync_are_read() {
        for chunks in [0, 1, 7, 8, 9, 64, 100] {
            let blob: Vec<u8> = (0..chunks * 64).map(|at| (at / 64) as u8).collect();
            let index = index_of(&blob, 64);
            let has = |position: usize| position.is_multiple_of(3) || position == 62;
            let mut bytes = Vec::new();
            write(&index, has, &mut bytes).unwrap();
            let expected: Vec<_> = (0..chunks).filter(|position| has(*position)).collect();
            assert_eq!(read(&index, &bytes[..]).unwrap(), expected);
            assert_eq!(read(&index, &bytes[HEADER_LEN..]).unwrap(), expected, "the raw form");
            bytes.push(0);
            assert!(read(&index, &bytes[..]).is_err());
        }
    }

    #[test]
    fn defect_86_the_state_of_another_index_is_refused() {
        let (one, other) = (index_of(&[1; 640], 64), index_of(&[2; 640], 64));
        let mut bytes = Vec::new();
        write(&one, |_| true, &mut bytes).unwrap();
        assert_eq!(read(&one, &bytes[..]).unwrap().len(), 10);
        let error = read(&other, &bytes[..]).unwrap_err().to_string();
        assert_eq!(error, "sparse state file does not match the index");
        for len in 0..bytes.len() {
            assert!(len == 2 || read(&one, &bytes[..len]).is_err(), "cut to {len}");
        }
    }
}
