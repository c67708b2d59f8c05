//! Chunks that are stored as they are.

use alloc::vec::Vec;

use super::{DecodeError, Decoder};

/// Takes stored bytes for plain ones, within the limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainDecoder;

impl Decoder for PlainDecoder {
    fn decode(&mut self, stored: &[u8], len_max: u64, plain: &mut Vec<u8>) -> Result<(), DecodeError> {
        plain.clear();
        if stored.is_empty() {
            return Err(DecodeError::Empty);
        }
        if stored.len() as u64 > len_max {
            return Err(DecodeError::TooLong { limit: len_max });
        }
        super::reserve(plain, stored.len() as u64)?;
        plain.extend_from_slice(stored);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_and_emptiness() {
        let mut plain = [9].to_vec();
        assert_eq!(PlainDecoder.decode(b"abc", 3, &mut plain), Ok(()));
        assert_eq!(plain, b"abc");
        assert_eq!(PlainDecoder.decode(b"abcd", 3, &mut plain), Err(DecodeError::TooLong { limit: 3 }));
        assert_eq!(PlainDecoder.decode(b"", 3, &mut plain), Err(DecodeError::Empty));
    }
}
