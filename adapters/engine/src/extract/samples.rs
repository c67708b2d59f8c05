//! Whether a long seed without an index is worth being cut: samples tell.
//!
//! Cutting a seed costs as much as hashing all of it. Where chunks come across a network, that is little against one
//! chunk in a hundred found; where they lie on the same machine, a seed must hold a good part of what is wanted, or the
//! extraction is slower than with none. So there a seed is left out in whose samples too few wanted chunks are found.
//! Taking samples costs time, too: after a few in which there is nothing, no more are taken. That misses one in 400,000
//! of the seeds of which four fifths are wanted.

use std::path::Path;

use desync_core::ChunkId;
use desync_core::chunking::Cutter;
use desync_core::format::Index;
use desync_core::plan::ZeroChunk;
use desync_files::{Disk, FileKind};

use crate::make::{Extent, Extents as _, FileInput, MakeOptions, ReadAt};
use crate::{ChunkSet, Context, Error};

/// How a seed is sampled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampling {
    /// Samples, evenly spread over the seed's data.
    pub(super) count: u64,
    /// How many are taken first, evenly spread, too: a divisor of `count`.
    pub(super) count_first: u64,
    /// Bytes of each: some chunks, of which the first may begin anywhere and the last end beyond.
    pub(super) len: usize,
    /// The part of the chunks in them that must be wanted, in hundredths.
    pub(super) wanted_min: u64,
}

impl Sampling {
    pub(super) const DEFAULT: Self = Self { count: 32, count_first: 8, len: 256 << 10, wanted_min: 80 };

    /// Leaves out what has nothing in common, as far as all the samples can tell.
    pub(super) const FOR_NOTHING_AT_ALL: Self = Self { count_first: 32, wanted_min: 0, ..Self::DEFAULT };

    /// Seeds with less data are cut: the samples would be a large part of it.
    const fn data_len_min(self) -> u64 {
        4 * self.count * self.len as u64
    }

    /// The numbers of the samples, in the order in which they are taken.
    fn numbers(self) -> impl Iterator<Item = u64> {
        (0..self.count).map(move |turn| {
            turn % self.count_first * (self.count / self.count_first) + turn / self.count_first
        })
    }
}

/// Stretches of data that are looked through for places to sample; a seed in more pieces is cut.
const STRETCHES_MAX: usize = 1 << 16;

/// Whether so little of what an index wants is in the samples of a long seed that to cut it would take longer than it
/// saves. Zeros do not count: they need no seed. A seed that cannot be read is not judged here.
pub(super) fn find_too_little(
    disk: &dyn Disk,
    path: &Path,
    index: &Index,
    options: &MakeOptions,
    sampling: Sampling,
    context: &Context<'_>,
) -> Result<bool, Error> {
    let is_long = |found: desync_files::Metadata| {
        matches!(found.kind, FileKind::File | FileKind::BlockDevice) && found.len >= sampling.data_len_min()
    };
    // Chunks of one length lie where they are counted off from the start.
    if options.sizes.is_fixed() || !disk.metadata(path).ok().flatten().is_some_and(is_long) {
        return Ok(false);
    }
    let Ok(mut input) = FileInput::open(disk, path) else { return Ok(false) };
    let (Some(reader), Ok(Some(data))) = (input.reader(), stretches(&mut input)) else { return Ok(false) };
    let total: u64 = data.iter().map(|stretch| stretch.len).sum();
    if total < sampling.data_len_min() {
        return Ok(false);
    }
    let zero = ZeroChunk::of(&index.header);
    let wanted: ChunkSet = index.entries().filter(|entry| !zero.is(entry)).map(|entry| entry.id).collect();
    let mut buffer = vec![0; sampling.len];
    let (mut found, mut seen) = (0, 0);
    for (turn, number) in (0..).zip(sampling.numbers()) {
        context.cancel.check()?;
        if turn == sampling.count_first && seen > 0 && found == 0 {
            return Ok(true);
        }
        let at = total / sampling.count * number;
        let Some(sample) = sample(&data, at, &*reader, &mut buffer) else { return Ok(false) };
        for id in whole_chunks(sample, options, context).into_iter().filter(|id| *id != zero.id()) {
            seen += 1;
            found += u64::from(wanted.contains(&id));
        }
    }
    Ok(seen > 0 && found == 0 || found * 100 < seen * sampling.wanted_min)
}

/// A range of a file that is no hole.
struct Stretch {
    start: u64,
    len: u64,
}

/// Where the data of a file are; `None` if they are in too many pieces.
fn stretches(input: &mut FileInput) -> Result<Option<Vec<Stretch>>, Error> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(extent) = input.pass(1 << 30)? {
        match extent {
            Extent::Hole(len) => at += len,
            Extent::Data(_) if found.len() == STRETCHES_MAX => return Ok(None),
            Extent::Data(len) => {
                found.push(Stretch { start: at, len: len as u64 });
                at += len as u64;
            }
        }
    }
    Ok(Some(found))
}

/// The bytes from byte number `at` of the data on, as far as they lie together; `None` if they cannot be read.
fn sample<'b>(data: &[Stretch], mut at: u64, reader: &dyn ReadAt, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    for stretch in data {
        if at < stretch.len {
            let len = buffer.len().min(usize::try_from(stretch.len - at).unwrap_or(usize::MAX));
            reader.read_exact_at(&mut buffer[..len], stretch.start + at).ok()?;
            return Some(&buffer[..len]);
        }
        at -= stretch.len;
    }
    None
}

/// The names of the chunks that are whole in a sample: of all but the first, which may have begun before, and the last.
fn whole_chunks(mut sample: &[u8], options: &MakeOptions, context: &Context<'_>) -> Vec<ChunkId> {
    let cutter = Cutter::new(&options.sizes, options.rule, context.kernels.scan);
    let mut chunks = Vec::new();
    while let Some(len) = cutter.first_cut(sample, false) {
        let (chunk, rest) = sample.split_at(len);
        chunks.push(chunk);
        sample = rest;
    }
    context.kernels.hash.ids_of(options.digest, chunks.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use desync_files::HostDisk;
    use desync_test_kit::prng;

    use super::*;
    use crate::make::make;
    use crate::testing::with_context;

    const SAMPLING: Sampling = Sampling { count: 16, count_first: 4, len: 64 << 10, wanted_min: 50 };
    const LEN: usize = 4 * 16 * (64 << 10);

    fn options() -> MakeOptions {
        let sizes = desync_core::chunking::ChunkSizes::new(1024, 4096, 16_384, &Default::default()).unwrap();
        MakeOptions { sizes, ..MakeOptions::default() }
    }

    fn index_of(mut blob: &[u8], options: &MakeOptions) -> Index {
        let mut index = None;
        with_context(2, |context, _| make(&mut blob, None, options, &mut index, context)).unwrap();
        index.unwrap()
    }

    fn judge(path: &Path, index: &Index, options: &MakeOptions) -> bool {
        with_context(2, |context, _| find_too_little(&HostDisk, path, index, options, SAMPLING, context))
            .unwrap()
    }

    /// A seed whose last `percent` are those of `other`, at another offset.
    fn seed(other: &[u8], percent: usize) -> Vec<u8> {
        let own = LEN * (100 - percent) / 100;
        [&prng(own + 77, 1 << 40)[..], &other[own..]].concat()
    }

    #[test]
    fn long_seeds_with_little_in_common_are_told() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("seed");
        let other = prng(LEN, 1);
        let (options, fixed) = (options(), MakeOptions { sizes: fixed_sizes(), ..options() });
        let index = index_of(&other, &options);
        let judge = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            judge(&path, &index, &options)
        };
        for (percent, too_little) in [(0, true), (30, true), (60, false), (100, false)] {
            assert_eq!(judge(&seed(&other, percent)), too_little, "{percent} % in common");
        }
        assert!(!judge(&prng(LEN - 1, 1 << 40)), "a short seed is cut");
        let index = index_of(&other, &fixed);
        assert!(!super::tests::judge(&path, &index, &fixed), "and one in chunks of one length");
        fs::remove_file(&path).unwrap();
        assert!(!super::tests::judge(&path, &index, &options), "what is not there is not judged");
    }

    fn fixed_sizes() -> desync_core::chunking::ChunkSizes {
        desync_core::chunking::ChunkSizes::new(4000, 4000, 4000, &Default::default()).unwrap()
    }

    #[test]
    fn samples_are_taken_once_each_and_the_first_lie_far_apart() {
        let numbers: Vec<u64> = SAMPLING.numbers().collect();
        assert_eq!(numbers[..SAMPLING.count_first as usize], [0, 4, 8, 12]);
        let mut sorted = numbers;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..SAMPLING.count));
    }

    #[test]
    fn holes_are_not_sampled_and_zeros_are_nothing_in_common() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("seed");
        let options = options();
        let other = prng(LEN, 1);
        let zeros_too = index_of(&[&other[..], &vec![0; 1 << 20]].concat(), &options);
        let file = fs::File::create(&path).unwrap();
        file.set_len(100 * LEN as u64).unwrap();
        assert!(!judge(&path, &zeros_too, &options), "a hole is cut in no time");
        std::os::unix::fs::FileExt::write_all_at(&file, &other, 50 * LEN as u64).unwrap();
        assert!(!judge(&path, &zeros_too, &options), "all of it behind a hole");
        fs::write(&path, [&prng(LEN, 1 << 40)[..], &vec![0; LEN]].concat()).unwrap();
        assert!(judge(&path, &zeros_too, &options));
        fs::write(&path, vec![0; LEN]).unwrap();
        assert!(!judge(&path, &zeros_too, &options), "zeros are cut in no time, too");
    }
}
