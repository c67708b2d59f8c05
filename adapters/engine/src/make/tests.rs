//! `make` against the sequential oracle, for inputs that split anywhere.

use std::num::NonZeroUsize;
use std::sync::Arc;

use desync_core::DigestKind;
use desync_core::chunking::{ChunkSizes, CutRule, reference};
use desync_core::format::{FeatureFlags, Index};
use desync_core::limits::Limits;
use proptest::prelude::*;

use super::*;
use crate::{Cancel, Kernels, NoProgress};

/// Bytes whose longer zero runs are reported as holes, in pieces of at most `piece` bytes.
struct Holey<'a> {
    bytes: &'a [u8],
    piece: usize,
    hole_len_min: usize,
}

impl Extents for Holey<'_> {
    fn blob_len(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<Option<Extent>, Error> {
        let bytes = self.bytes;
        let extent = self.pass(buffer.len())?;
        if let Some(Extent::Data(len)) = extent {
            buffer[..len].copy_from_slice(&bytes[..len]);
        }
        Ok(extent)
    }

    fn pass(&mut self, len_max: usize) -> Result<Option<Extent>, Error> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let zeros = self.bytes.iter().take_while(|byte| **byte == 0).count();
        if zeros >= self.hole_len_min {
            self.bytes = &self.bytes[zeros..];
            return Ok(Some(Extent::Hole(zeros as u64)));
        }
        let len = self.bytes.len().min(self.piece).min(len_max);
        self.bytes = &self.bytes[len..];
        Ok(Some(Extent::Data(len)))
    }
}

/// The same, with a reader.
struct Placed<'a> {
    holey: Holey<'a>,
    reader: Arc<Bytes>,
}

struct Bytes(Vec<u8>);

impl Extents for Placed<'_> {
    fn blob_len(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<Option<Extent>, Error> {
        self.holey.next(buffer)
    }

    fn reader(&self) -> Option<Arc<dyn ReadAt>> {
        let reader: Arc<dyn ReadAt> = Arc::<Bytes>::clone(&self.reader);
        Some(reader)
    }

    fn pass(&mut self, len_max: usize) -> Result<Option<Extent>, Error> {
        self.holey.pass(len_max)
    }
}

impl ReadAt for Bytes {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), Error> {
        let offset = usize::try_from(offset).unwrap();
        buffer.copy_from_slice(&self.0[offset..offset + buffer.len()]);
        Ok(())
    }
}

fn run(input: &mut dyn Extents, options: &MakeOptions, workers: usize) -> (Index, MakeStats) {
    let cancel = Cancel::default();
    let workers = NonZeroUsize::new(workers).unwrap();
    let context = Context { workers, progress: &NoProgress, cancel: &cancel, kernels: Kernels::SCALAR };
    let mut index = None;
    let stats = make(input, None, options, &mut index, &context).unwrap();
    (index.unwrap(), stats)
}

/// The items by the oracle.
fn oracle(bytes: &[u8], options: &MakeOptions) -> Vec<IndexItem> {
    let mut start = 0;
    reference::chunk_lengths(bytes, &options.sizes, options.rule)
        .into_iter()
        .map(|len| {
            let end = start + len;
            let id = options.digest.id_of(&bytes[start..end]);
            start = end;
            IndexItem { end: end as u64, id }
        })
        .collect()
}

/// Pieces of random bytes, zeros and repeats, so that cuts, holes and equal chunks all occur.
fn blob() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        (any::<u64>(), 0usize..40_000).prop_map(|(seed, len)| desync_test_kit::prng(len, seed)),
        (0usize..300_000).prop_map(|len| vec![0; len]),
        (any::<u8>(), 0usize..5_000).prop_map(|(byte, len)| vec![byte; len]),
        Just(desync_test_kit::prng(20_000, 7)),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn sizes() -> impl Strategy<Value = ChunkSizes> {
    prop_oneof![
        Just((48, 192, 1024)),
        Just((1024, 4096, 16_384)),
        Just((16_384, 65_536, 262_144)),
        Just((4096, 4096, 4096)),
        Just((100, 100, 100)),
    ]
    .prop_map(|(min, avg, max)| ChunkSizes::new(min, avg, max, &Limits::HOST).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_worker_count_equals_the_oracle(
        bytes in blob(),
        sizes in sizes(),
        rule in prop_oneof![Just(CutRule::Casync), Just(CutRule::Desync)],
        digest in prop_oneof![Just(DigestKind::Sha512_256), Just(DigestKind::Sha256)],
        piece in 1usize..100_000,
        hole_len_min in 1usize..100_000,
    ) {
        let options = MakeOptions { sizes, rule, digest };
        let expected = oracle(&bytes, &options);
        let holey = || Holey { bytes: &bytes, piece, hole_len_min };
        let reader = Arc::new(Bytes(bytes.clone()));
        for workers in [1, 2, 3, 10] {
            let mut placed = Placed { holey: holey(), reader: Arc::clone(&reader) };
            let inputs: [&mut dyn Extents; 2] = [&mut holey(), &mut placed];
            for input in inputs {
                let (index, stats) = run(input, &options, workers);
                prop_assert_eq!(&index.items, &expected);
                prop_assert_eq!(stats, MakeStats { chunks: expected.len() as u64, bytes: bytes.len() as u64 });
            }
        }
    }
}

#[test]
fn zeros_that_are_read_are_cut_like_holes() {
    let random = desync_test_kit::prng(300_000, 5);
    let options = MakeOptions::default();
    for zeros in [128 << 10, (2 << 20) - 300_000, 5 << 20, (6 << 20) + 47] {
        let blob = [&random[..], &vec![0; zeros], &random[..70_000]].concat();
        let expected = oracle(&blob, &options);
        for workers in [1, 3] {
            assert_eq!(run(&mut &blob[..], &options, workers).0.items, expected, "{zeros} zeros");
            let holey = Holey { bytes: &blob, piece: usize::MAX, hole_len_min: usize::MAX };
            let mut placed = Placed { holey, reader: Arc::new(Bytes(blob.clone())) };
            assert_eq!(run(&mut placed, &options, workers).0.items, expected, "{zeros} zeros, by place");
        }
    }
    let zeros = vec![0; 5 << 20];
    assert_eq!(run(&mut &zeros[..], &options, 2).0.items, oracle(&zeros, &options));
}

/// Blocks are scanned as if each candidate were a cut: where many are none, those behind them must be found anyway.
#[test]
fn candidates_that_are_no_cuts_hide_none() {
    let noise = desync_test_kit::prng(5 << 20, 3);
    let sizes = |min, avg, max| ChunkSizes::new(min, avg, max, &Limits::HOST).unwrap();
    let d = sizes(10_000, 10_000, 60_000).discriminator(CutRule::Casync).get() as usize;
    // Many candidates within the shortest chunk; some; hardly a cut but the longest; the usual.
    let kinds =
        [(10_000, 10_000, 60_000), (3000, 4096, 5000), (70_000, 90_000, 100_000), (16_384, 65_536, 262_144)];
    let blobs = [
        noise.clone(),
        // One candidate in each repeat, or none at all, wherever blocks begin.
        noise[..d].repeat(noise.len() / d),
        noise[..777].repeat(noise.len() / 777),
        [&noise[..1 << 20], &vec![0; 1 << 20], &noise[..1_500_000], &vec![0; (1 << 20) + 30], &noise[..]]
            .concat(),
    ];
    for blob in &blobs {
        for (min, avg, max) in kinds {
            let options = MakeOptions { sizes: sizes(min, avg, max), ..MakeOptions::default() };
            let expected = oracle(blob, &options);
            for workers in [1, 3] {
                let holey = Holey { bytes: blob, piece: usize::MAX, hole_len_min: usize::MAX };
                let mut placed = Placed { holey, reader: Arc::new(Bytes(blob.clone())) };
                let items = run(&mut placed, &options, workers).0.items;
                assert!(items == expected, "{} bytes, {min}:{avg}:{max}", blob.len());
            }
        }
    }
}

/// A file that grows while the workers read what was its last block: its end is no end when it is looked for again.
struct Growing<'a> {
    placed: Placed<'a>,
    ends: u32,
}

impl Extents for Growing<'_> {
    fn blob_len(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<Option<Extent>, Error> {
        self.placed.next(buffer)
    }

    fn reader(&self) -> Option<Arc<dyn ReadAt>> {
        self.placed.reader()
    }

    fn pass(&mut self, len_max: usize) -> Result<Option<Extent>, Error> {
        let extent = self.placed.pass(len_max)?;
        self.ends += u32::from(extent.is_none());
        if self.ends > 1 { Err(Error::Unsupported("it has grown".into())) } else { Ok(extent) }
    }
}

#[test]
fn a_file_that_grows_while_its_last_block_is_read_is_noticed() {
    let blob = desync_test_kit::prng(3 << 20, 5);
    let holey = Holey { bytes: &blob, piece: usize::MAX, hole_len_min: usize::MAX };
    let placed = Placed { holey, reader: Arc::new(Bytes(blob.clone())) };
    let mut input = Growing { placed, ends: 0 };
    let result = crate::testing::with_context(2, |context, _| {
        make(&mut input, None, &MakeOptions::default(), &mut None, context)
    });
    assert_eq!(result.unwrap_err().to_string(), "it has grown");
}

/// A hole of many gigabytes, which no oracle could read.
struct Sparse(u64, bool);

impl Extents for Sparse {
    fn blob_len(&self) -> Option<u64> {
        Some(self.0)
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<Option<Extent>, Error> {
        if self.0 == 0 {
            return Ok(None);
        }
        if std::mem::take(&mut self.1) {
            buffer[0] = 1;
            return Ok(Some(Extent::Data(1)));
        }
        Ok(Some(Extent::Hole(std::mem::take(&mut self.0))))
    }
}

#[test]
fn defect_73_holes_are_not_read() {
    let len = 64 << 30;
    let (index, stats) = run(&mut Sparse(len, false), &MakeOptions::default(), 2);
    assert_eq!(stats, MakeStats { chunks: len / (256 << 10), bytes: len });
    let null = null_id(&MakeOptions::default());
    assert!(index.items.iter().all(|item| item.id == null));

    // One byte of data in front shifts every chunk, but the first.
    let (index, stats) = run(&mut Sparse(len, true), &MakeOptions::default(), 2);
    assert_eq!(stats.bytes, len + 1);
    assert_ne!(index.items[0].id, null);
    assert!(index.items[1..index.items.len() - 1].iter().all(|item| item.id == null));
}

#[test]
fn an_archive_keeps_its_feature_flags() {
    let archive_flags = 0xb000_0001_ffef_fe26_u64;
    let mut entry = Vec::new();
    for word in [64, 0x1396_fabc_ea5b_bb51, archive_flags, 0o40755, 0, 0, 0, 0] {
        entry.extend_from_slice(&u64::to_le_bytes(word));
    }
    let (index, _) = run(&mut entry.as_slice(), &MakeOptions::default(), 1);
    assert_eq!(index.header.flags.bits(), archive_flags);

    let (index, _) = run(&mut &b"just a blob"[..], &MakeOptions::default(), 1);
    assert_eq!(index.header.flags, FeatureFlags::desync_blob(DigestKind::Sha512_256));
}

#[test]
fn defect_13_an_archive_of_another_digest_is_refused() {
    let mut entry = Vec::new();
    for word in [64, 0x1396_fabc_ea5b_bb51, 0xb000_0001_ffef_fe26_u64, 0o40755, 0, 0, 0, 0] {
        entry.extend_from_slice(&u64::to_le_bytes(word));
    }
    let options = MakeOptions { digest: DigestKind::Sha256, ..MakeOptions::default() };
    let cancel = Cancel::default();
    let context = Context {
        workers: NonZeroUsize::MIN,
        progress: &NoProgress,
        cancel: &cancel,
        kernels: Kernels::SCALAR,
    };
    let error = make(&mut entry.as_slice(), None, &options, &mut None, &context).unwrap_err();
    assert!(error.to_string().contains("sha256"), "{error}");
}

#[test]
fn cancelling_is_an_error() {
    let cancel = Cancel::default();
    cancel.cancel();
    let context = Context {
        workers: NonZeroUsize::MIN,
        progress: &NoProgress,
        cancel: &cancel,
        kernels: Kernels::SCALAR,
    };
    let error = make(&mut &[1u8; 100][..], None, &MakeOptions::default(), &mut None, &context).unwrap_err();
    assert!(matches!(error, Error::Interrupted));
}
