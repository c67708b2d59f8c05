//! Frames on a line without structure: COBS byte stuffing around content and CRC-32, a zero byte at the end.
//!
//! Source of the stuffing: S. Cheshire and M. Baker, "Consistent Overhead Byte Stuffing", 1997.
//!
//! Invariants
//! - A frame that is handed out had the right CRC (test: `damage_is_dropped_and_the_next_frame_arrives`).
//! - No more than the buffer is held; a longer frame is dropped as noise.

use super::crc::{Crc32, crc32};

/// Bytes of the checksum behind the content.
const CRC_LEN: usize = 4;

/// The most bytes before a code byte is due.
const RUN_MAX: usize = 254;

/// Buffer that a reader needs for content of so many bytes.
#[must_use]
pub const fn buffer_len(content_len: usize) -> usize {
    content_len + CRC_LEN
}

/// Bytes on the line for content of so many bytes, at most.
#[must_use]
pub const fn line_len(content_len: usize) -> usize {
    let stuffed = content_len + CRC_LEN;
    // A zero on either side, one code byte to begin with and one for each full run.
    2 + 1 + stuffed + stuffed / RUN_MAX
}

/// Finds the frames in what comes from a line, in a buffer that the caller hands in.
#[derive(Debug)]
pub struct FrameReader<'b> {
    buffer: &'b mut [u8],
    len: usize,
    /// Bytes until the next code byte.
    run: u8,
    /// Whether the code byte before stood for a zero behind its run.
    zero_due: bool,
    /// Whether this frame is too long already.
    overflown: bool,
    /// Length of the content that was handed out and may go.
    content_len: Option<usize>,
    dropped: u64,
}

impl<'b> FrameReader<'b> {
    /// A reader for content of up to `buffer.len() - 4` bytes; see [`buffer_len`].
    #[must_use]
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0, run: 0, zero_due: false, overflown: false, content_len: None, dropped: 0 }
    }

    /// Most bytes of content that can arrive.
    #[must_use]
    pub const fn content_max(&self) -> usize {
        self.buffer.len().saturating_sub(CRC_LEN)
    }

    /// Stretches between zero bytes that were no whole frame so far.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes bytes from the front of `input` up to the end of the next whole frame and gives its content;
    /// `None` once `input` is used up. Damaged frames are passed over.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<&[u8]> {
        if self.content_len.is_some() {
            self.begin();
        }
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            if byte != 0 {
                self.take(byte);
            } else if let Some(len) = self.end() {
                self.content_len = Some(len);
                return Some(&self.buffer[..len]);
            }
        }
        None
    }

    /// The content that was handed out last; empty once the next frame has begun.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.buffer[..self.content_len.unwrap_or(0)]
    }

    /// Forgets a frame that has begun: the line was closed and opened again.
    pub const fn begin(&mut self) {
        self.len = 0;
        self.run = 0;
        self.zero_due = false;
        self.overflown = false;
        self.content_len = None;
    }

    fn take(&mut self, byte: u8) {
        if self.run > 0 {
            self.run -= 1;
            self.push(byte);
            return;
        }
        if self.zero_due {
            self.push(0);
        }
        self.run = byte - 1;
        self.zero_due = byte != 0xff;
    }

    fn push(&mut self, byte: u8) {
        match self.buffer.get_mut(self.len) {
            Some(place) => {
                *place = byte;
                self.len += 1;
            }
            None => self.overflown = true,
        }
    }

    /// The length of the content if a zero byte ends a whole frame here.
    fn end(&mut self) -> Option<usize> {
        if self.len == 0 && self.run == 0 && !self.zero_due {
            // Two frames may have two zeros between them.
            return None;
        }
        let content_len = self.len.checked_sub(CRC_LEN).filter(|len| {
            let (content, crc) = self.buffer[..self.len].split_at(*len);
            !self.overflown && self.run == 0 && crc == crc32(content).to_le_bytes()
        });
        if content_len.is_none() {
            self.dropped += 1;
            self.begin();
        }
        content_len
    }
}

/// Writes content as a frame to the front of `out`; gives the bytes for the line, or `None` if they do not
/// fit; see [`line_len`]. The content is handed in as parts, so that nobody has to copy data to its head.
pub fn encode<'o>(parts: &[&[u8]], out: &'o mut [u8]) -> Option<&'o [u8]> {
    let mut crc = Crc32::new();
    parts.iter().for_each(|part| crc.update(part));
    let crc = crc.finish().to_le_bytes();
    let mut stuffing = Stuffing::begin(out)?;
    for byte in parts.iter().chain([&&crc[..]]).copied().flatten() {
        stuffing.push(*byte)?;
    }
    let len = stuffing.end()?;
    Some(&out[..len])
}

/// Stuffs bytes into a buffer.
struct Stuffing<'o> {
    out: &'o mut [u8],
    len: usize,
    /// Where the code byte of the present run stands.
    code_at: usize,
}

impl<'o> Stuffing<'o> {
    /// Begins with a zero, which ends whatever noise came before.
    fn begin(out: &'o mut [u8]) -> Option<Self> {
        *out.first_mut()? = 0;
        let mut stuffing = Self { out, len: 1, code_at: 1 };
        stuffing.put(1)?;
        Some(stuffing)
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        if self.len - self.code_at > RUN_MAX {
            self.next_run()?;
        }
        if byte == 0 {
            return self.next_run();
        }
        self.put(byte)?;
        self.out[self.code_at] += 1;
        Some(())
    }

    fn next_run(&mut self) -> Option<()> {
        self.code_at = self.len;
        self.put(1)
    }

    fn put(&mut self, byte: u8) -> Option<()> {
        *self.out.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }

    fn end(mut self) -> Option<usize> {
        self.put(0)?;
        Some(self.len)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use desync_test_kit::prng;
    use proptest::prelude::*;

    use super::*;

    fn framed(content: &[u8]) -> Vec<u8> {
        let mut out = vec![0; line_len(content.len())];
        encode(&[content], &mut out).unwrap().to_vec()
    }

    fn frames(buffer_len: usize, mut line: &[u8]) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; buffer_len];
        let mut reader = FrameReader::new(&mut buffer);
        let mut found = Vec::new();
        while let Some(content) = reader.next(&mut line) {
            found.push(content.to_vec());
        }
        found
    }

    #[test]
    fn runs_of_every_length_come_back() {
        for len in (0..4).chain(250..262).chain(505..515) {
            for content in [vec![7; len], vec![0; len], prng(len, 3)] {
                let line = framed(&content);
                assert!(line.len() <= line_len(len), "{len}");
                assert!(line[1..line.len() - 1].iter().all(|byte| *byte != 0));
                assert_eq!(frames(buffer_len(len), &line), [content]);
            }
        }
    }

    #[test]
    fn a_frame_too_long_for_the_buffer_is_dropped() {
        let line = [framed(&[1; 101]), framed(&[2; 100])].concat();
        assert_eq!(frames(buffer_len(100), &line), [vec![2; 100]]);
        assert_eq!(frames(0, &line), Vec::<Vec<u8>>::new());
        assert_eq!(encode(&[&[1; 100]], &mut [0; 100]), None);
        assert_eq!(encode(&[], &mut []), None);
    }

    #[test]
    fn damage_is_dropped_and_the_next_frame_arrives() {
        let (first, second) = (framed(&prng(60, 1)), framed(b"second"));
        for place in 1..first.len() {
            for value in [0, 1, first[place] ^ 0x10, 0xff] {
                let mut damaged = first.clone();
                damaged[place] = value;
                let mut found = frames(128, &[&damaged[..], &second].concat());
                assert_eq!(found.pop().unwrap(), b"second", "byte {place} = {value}");
                assert!(found.is_empty() || value == first[place]);
            }
            let cut = [&first[..place], &second].concat();
            // Without the zero at its end the first is still whole: the second begins with one.
            let whole = usize::from(place == first.len() - 1);
            assert_eq!(frames(128, &cut)[whole..], [b"second"]);
        }
    }

    proptest! {
        #[test]
        fn parts_and_splits_do_not_matter(
            content in proptest::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..700),
            cut in 0..700_usize,
            piece in 1..50_usize,
        ) {
            let (front, back) = content.split_at(cut.min(content.len()));
            let mut out = vec![0; line_len(content.len())];
            let line = encode(&[front, back], &mut out).unwrap().to_vec();
            prop_assert_eq!(&line, &framed(&content));
            let mut buffer = vec![0; buffer_len(content.len())];
            let mut reader = FrameReader::new(&mut buffer);
            let mut found = Vec::new();
            for mut piece in line.chunks(piece) {
                while let Some(content) = reader.next(&mut piece) {
                    found.push(content.to_vec());
                }
            }
            prop_assert_eq!(found, [content]);
        }
    }
}
