//! Deterministic inputs that the golden data was made from.

use sha2::{Digest as _, Sha256};

/// Pseudo-random bytes: SHA-256 of the little-endian counter, from `start` on, one after another.
#[must_use]
pub fn prng(len: usize, start: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 31);
    for counter in start.. {
        if bytes.len() >= len {
            break;
        }
        bytes.extend_from_slice(&Sha256::digest(counter.to_le_bytes()));
    }
    bytes.truncate(len);
    bytes
}

/// The blob of `golden/blob`: 3 MiB and 12345 bytes.
///
/// Random bytes, a long run of zeros, text, and after an odd shift the random bytes again, which must
/// be found to be the same chunks; then a pattern and a random end.
#[must_use]
pub fn blob() -> Vec<u8> {
    const PART: usize = 512 << 10;
    let random = prng(PART, 0);
    let pattern: Vec<u8> = (0..=250).cycle().take(PART).collect();
    [
        &random[..],
        &[0; 2 * PART],
        &text(PART),
        &prng(77, 1_000_000),
        &random,
        &pattern,
        &prng(12_268, 2_000_000),
    ]
    .concat()
}

fn text(len: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(len + 64);
    for line in 0.. {
        if text.len() >= len {
            break;
        }
        text.extend_from_slice(format!("line {line:08} of the compressible part\n").as_bytes());
    }
    text.truncate(len);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_is_the_one_that_casync_cut() {
        let blob = blob();
        assert_eq!(blob.len(), 3_158_073);
        let digest: String = Sha256::digest(blob).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "7c9d483d9a310bb8d70881b51b93ab7e7ec820e8dbe99dda30a04da36321a46d");
    }

    #[test]
    fn prng_is_cut_to_length() {
        assert!(prng(0, 5).is_empty());
        assert_eq!(prng(70, 5)[..33], prng(33, 5));
        assert_eq!(prng(70, 5)[32..64], prng(32, 6));
    }
}
