//! The chunker in every form against the oracle: pushed in pieces, cut in memory, chosen from candidates.

use desync_core::Limits;
use desync_core::chunking::{ChunkSizes, Chunker, CutChooser, CutRule, Cutter, Kernel, reference};

pub(super) fn run(bytes: &[u8]) {
    let Some((&[min, avg, max, pieces], blob)) = bytes.split_first_chunk() else { return };
    let min = u64::from(min) + 1;
    let avg = min + u64::from(avg);
    let max = avg + u64::from(max);
    let Ok(sizes) = ChunkSizes::new(min, avg, max, &Limits::HOST) else { return };
    for rule in [CutRule::Casync, CutRule::Desync] {
        let wanted = reference::chunk_lengths(blob, &sizes, rule);
        assert_eq!(wanted.iter().sum::<usize>(), blob.len());
        for kernel in [Kernel::SCALAR, Kernel::REFERENCE] {
            let piece_len = usize::from(pieces) + 1;
            assert_eq!(pushed(Chunker::new(&sizes, rule, kernel), blob, piece_len), wanted, "pushed");
            assert_eq!(cut(&Cutter::new(&sizes, rule, kernel), blob), wanted, "cut");
            assert_eq!(chosen(&sizes, rule, kernel, blob), wanted, "chosen");
        }
    }
}

fn pushed(mut chunker: Chunker, blob: &[u8], piece_len: usize) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut len = 0;
    for mut piece in blob.chunks(piece_len) {
        while let Some(taken) = chunker.push(piece) {
            lengths.push(len + taken);
            len = 0;
            piece = &piece[taken..];
        }
        len += piece.len();
    }
    lengths.extend(chunker.finish().map(|rest| usize::try_from(rest).expect("part of a blob in memory")));
    lengths
}

fn cut(cutter: &Cutter, blob: &[u8]) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut rest = blob;
    while let Some(len) = cutter.first_cut(rest, true) {
        lengths.push(len);
        rest = &rest[len..];
    }
    lengths
}

fn chosen(sizes: &ChunkSizes, rule: CutRule, kernel: Kernel, blob: &[u8]) -> Vec<usize> {
    let mut candidates = Vec::new();
    kernel.candidates(blob, sizes.discriminator(rule), &mut |position| candidates.push(position as u64));
    let mut candidates = candidates.into_iter();
    let mut first_from = |earliest| candidates.find(|candidate| *candidate >= earliest);
    let mut chooser = CutChooser::new(sizes, rule);
    let mut lengths = Vec::new();
    while let Some(chunk) = chooser.next(&mut first_from, blob.len() as u64, true) {
        lengths.push(usize::try_from(chunk.end - chunk.start).expect("part of a blob in memory"));
    }
    lengths
}
