//! Plain chunk to zstd frame.
//!
//! Frames carry neither content size nor checksum: an index tells the size and the chunk's ID proves the
//! content, so both would be bytes for nothing in every chunk. casync leaves them out too, hence every
//! reader of its stores copes. But the size is known while compressing, and libzstd then picks tables and a
//! window to fit; casync, which streams, declares 2 MiB for every chunk. Single chunks come out a few bytes
//! longer or shorter than casync's, whole stores 0.1 to 1 % smaller (Debian's programs, libraries, headers
//! and documents, at 8 KiB and 64 KiB average).
//!
//! Incompressible bytes become raw blocks: never more than 6 bytes for the frame and 3 for each 128 KiB
//! or part of it are added (test: `incompressible_chunks_hardly_grow`).

use std::ops::RangeInclusive;

use zstd::zstd_safe::{self, CCtx, CParameter};

/// Windows that every libzstd knows: from the smallest of the format to the largest on 32-bit machines.
const WINDOW_LOGS: RangeInclusive<u32> = 10..=30;

/// How chunks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// One of [`Encoder::levels`].
    pub level: i32,
    /// The largest window as a power of two, 10 to 30; `None` leaves it to the level.
    ///
    /// Whoever decodes must hold one window, and no block is longer than it: so this bounds the memory of a
    /// device, whatever the length of its chunks. A smaller window finds fewer repeats.
    pub window_log: Option<u32>,
}

impl Compression {
    /// For hosts.
    pub const DEFAULT: Self = Self { level: Encoder::LEVEL_DEFAULT, window_log: None };

    /// For devices that decode within a window of 4 KiB. Made once and fetched over slow lines, so it may
    /// take longer.
    pub const DEVICE: Self = Self { level: 19, window_log: Some(12) };
}

impl Default for Compression {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Compresses chunks; one for each worker thread, reused for all of its chunks.
pub struct Encoder {
    context: CCtx<'static>,
}

/// Why a chunk could not be compressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// There is no such level.
    #[error("compression level {level} is not in {min}..={max}", min = levels.start(), max = levels.end())]
    Level {
        /// The level asked for.
        level: i32,
        /// The levels there are.
        levels: RangeInclusive<i32>,
    },
    /// There is no such window.
    #[error("zstd window log {log} is not in {min}..={max}", min = windows.start(), max = windows.end())]
    Window {
        /// The power of two asked for.
        log: u32,
        /// The powers there are.
        windows: RangeInclusive<u32>,
    },
    /// libzstd could not do it, for want of memory for example.
    #[error("zstd: {0}")]
    Library(&'static str),
}

impl Encoder {
    /// The level that casync writes with, and Go desync about matches.
    pub const LEVEL_DEFAULT: i32 = 3;

    /// Compresses with a level of [`Encoder::levels`].
    ///
    /// # Errors
    /// [`EncodeError`]: no such level, or no memory for the tables.
    pub fn new(level: i32) -> Result<Self, EncodeError> {
        Self::with(Compression { level, ..Compression::DEFAULT })
    }

    /// Compresses in a given way.
    ///
    /// # Errors
    /// [`EncodeError`]: no such level or window, or no memory for the tables.
    pub fn with(Compression { level, window_log }: Compression) -> Result<Self, EncodeError> {
        let levels = Self::levels();
        if !levels.contains(&level) {
            return Err(EncodeError::Level { level, levels });
        }
        let mut context = CCtx::try_create().ok_or(EncodeError::Library("out of memory"))?;
        for parameter in [
            CParameter::CompressionLevel(level),
            CParameter::ContentSizeFlag(false),
            CParameter::ChecksumFlag(false),
            CParameter::DictIdFlag(false),
        ] {
            context.set_parameter(parameter).map_err(library)?;
        }
        if let Some(log) = window_log {
            let windows = WINDOW_LOGS;
            if !windows.contains(&log) {
                return Err(EncodeError::Window { log, windows });
            }
            context.set_parameter(CParameter::WindowLog(log)).map_err(library)?;
        }
        Ok(Self { context })
    }

    /// The levels there are: negative ones are faster than 1.
    #[must_use]
    pub fn levels() -> RangeInclusive<i32> {
        zstd_safe::min_c_level()..=zstd_safe::max_c_level()
    }

    /// Replaces the content of `stored` with one frame that decodes to `plain`.
    ///
    /// # Errors
    /// [`EncodeError::Library`]; `stored` is empty then.
    pub fn encode(&mut self, plain: &[u8], stored: &mut Vec<u8>) -> Result<(), EncodeError> {
        stored.clear();
        stored.reserve(zstd_safe::compress_bound(plain.len()));
        self.context.compress2(stored, plain).map_err(library)?;
        Ok(())
    }
}

fn library(code: zstd_safe::ErrorCode) -> EncodeError {
    EncodeError::Library(zstd_safe::get_error_name(code))
}

#[cfg(test)]
mod tests {
    use desync_test_kit::{blob, prng};

    use super::*;

    fn encoded(level: i32, plain: &[u8]) -> Vec<u8> {
        let mut stored = b"left over".to_vec();
        Encoder::new(level).unwrap().encode(plain, &mut stored).unwrap();
        stored
    }

    /// As casync compresses: a stream that does not know its length.
    fn streamed(plain: &[u8]) -> Vec<u8> {
        let mut stored = Vec::with_capacity(zstd_safe::compress_bound(plain.len()));
        let mut context = CCtx::create();
        context.init(3).unwrap();
        let mut output = zstd_safe::OutBuffer::around(&mut stored);
        let mut input = zstd_safe::InBuffer::around(plain);
        while input.pos() < plain.len() {
            context.compress_stream(&mut output, &mut input).unwrap();
        }
        assert_eq!(context.end_stream(&mut output), Ok(0));
        stored
    }

    #[test]
    fn frames_carry_nothing_needless() {
        let stored = encoded(3, &[b'a'; 1000]);
        assert_eq!(stored[..4], [0x28, 0xb5, 0x2f, 0xfd]);
        assert_eq!(stored[4], 0, "no content size, no checksum, no dictionary, no single segment");
        assert!(stored[5] >> 3 <= 1, "a window of 1 or 2 KiB is enough");
    }

    #[test]
    fn about_as_small_as_casyncs() {
        let blob = blob();
        let (mut ours, mut theirs) = (0, 0);
        for len in [300, 12_000, 16_384, 65_536, 80_921, 262_144] {
            for chunk in blob.chunks(len).take(400) {
                ours += encoded(3, chunk).len();
                theirs += streamed(chunk).len();
            }
        }
        // The blob is mostly random or regular, where a few bytes either way are chance; real data is what
        // the benchmark compares.
        assert!(ours <= theirs + theirs / 10_000, "{ours} against {theirs} bytes");
    }

    #[test]
    fn incompressible_chunks_hardly_grow() {
        for len in [1, 100, 65_536, 131_072, 131_073, 1 << 20] {
            let stored = encoded(3, &prng(len, 1));
            assert!(stored.len() <= len + 6 + 3 * len.div_ceil(128 << 10), "{len} became {}", stored.len());
        }
    }

    #[test]
    fn a_device_decodes_within_its_window_whatever_the_chunk() {
        use desync_core::codec::{Decoder as _, ZstdDecoder, zstd::Frame};
        let blob = blob();
        for window_log in [10, 12, 16] {
            let mut encoder =
                Encoder::with(Compression { window_log: Some(window_log), ..Compression::DEVICE }).unwrap();
            for plain in [&blob[..1], &blob[1_600_000..1_605_000], &blob[1_600_000..1_862_144]] {
                let mut stored = Vec::new();
                encoder.encode(plain, &mut stored).unwrap();
                let window_max = 1 << window_log;
                let frame = Frame::parse(&stored, plain.len() as u64, window_max).unwrap();
                assert!(frame.window_len() <= window_max);
                let limits = desync_core::Limits { zstd_window_max: window_max, ..Default::default() };
                let mut back = Vec::new();
                ZstdDecoder::new(&limits).decode(&stored, plain.len() as u64, &mut back).unwrap();
                assert!(back == plain);
            }
        }
    }

    /// What a device's decoder makes of a frame that comes in pieces, in the memory for such a window.
    fn streamed_back(stored: &[u8], window: usize, len: usize) -> Vec<u8> {
        let mut memory = vec![0; desync_core::codec::stream_memory(window)];
        let mut stream = desync_core::codec::ZstdStream::new(&mut memory, window as u64);
        stream.start(len as u64);
        let (mut back, mut buffer) = (Vec::new(), [0; 256]);
        for mut piece in stored.chunks(200) {
            loop {
                match stream.pull(&mut piece, &mut buffer).unwrap() {
                    0 => break,
                    len => back.extend_from_slice(&buffer[..len]),
                }
            }
        }
        stream.finish().unwrap();
        back
    }

    #[test]
    fn a_devices_decoder_reads_all_that_libzstd_writes() {
        let blob = blob();
        let text = &blob[1_600_000..1_862_144];
        // Some bytes of many, few and one kind; repeats far and near; and noise, which is stored as it is.
        let mixed = [&text[..70_000], &[7; 30_000], &prng(9_000, 3), &text[..60_000], &text[..3]].concat();
        for level in [-50, 1, 3, 7, 13, 19, 22] {
            for window_log in [10, 11, 12, 13, 15, 17, 18] {
                let compression = Compression { level, window_log: Some(window_log) };
                let mut encoder = Encoder::with(compression).unwrap();
                for plain in [text, &mixed[..], &mixed[..1], &mixed[50..90], &mixed[69_000..105_000]] {
                    let mut stored = Vec::new();
                    encoder.encode(plain, &mut stored).unwrap();
                    let back = streamed_back(&stored, 1 << window_log, plain.len());
                    assert!(back == plain, "level {level}, window log {window_log}, {} bytes", plain.len());
                }
            }
        }
        // casync's own way, and a whole chunk as the window.
        assert!(streamed_back(&streamed(text), 1 << 18, text.len()) == text);
    }

    #[test]
    fn levels_are_checked() {
        for log in [9, 31, u32::MAX] {
            let compression = Compression { window_log: Some(log), ..Compression::DEFAULT };
            assert!(matches!(Encoder::with(compression), Err(EncodeError::Window { .. })));
        }
        assert!(matches!(Encoder::new(23), Err(EncodeError::Level { level: 23, .. })));
        let text = blob()[1_600_000..1_700_000].to_vec();
        assert!(encoded(19, &text).len() < encoded(-7, &text).len());
    }
}
