//! A device that is updated by somebody who lies: about the index, about chunks, about how much there is. The
//! old image stays as it is and boots, or the new one does, proven.

use std::convert::Infallible;

use desync_core::chunk_source::Wanted;
use desync_core::codec::stream_memory;
use desync_core::update::{
    Config, Flash, Geometry, Layout, Offer, Region, Slot, Stored, UpdateSource, Updater, Workspace, block_on,
    boot, words_needed,
};
use desync_core::{DigestKind, Limits};

use crate::allocation::peak_of;

const SECTOR: usize = 256;
const DIGEST: DigestKind = DigestKind::Sha256;
const LIMITS: Limits =
    Limits { chunk_len_max: 4096, index_chunks_max: 40, zstd_window_max: 1024, ..Limits::HOST };

const fn region(first: u64, sectors: u64) -> Region {
    Region { start: first * SECTOR as u64, len: sectors * SECTOR as u64 }
}

const LAYOUT: Layout = Layout {
    journal: region(0, 2),
    indexes: [region(2, 7), region(9, 7)],
    slots: [region(16, 16), region(32, 16)],
};

/// Cells without a fault.
struct Cells(Vec<u8>);

impl Flash for Cells {
    type Error = Infallible;

    fn geometry(&self) -> Geometry {
        Geometry { erase_len: SECTOR as u32, write_len: 4 }
    }

    async fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), Infallible> {
        into.copy_from_slice(&self.0[at as usize..][..into.len()]);
        Ok(())
    }

    async fn erase(&mut self, sector: u64) -> Result<(), Infallible> {
        self.0[sector as usize..][..SECTOR].fill(0xff);
        Ok(())
    }

    async fn program(&mut self, at: u64, bytes: &[u8]) -> Result<(), Infallible> {
        let cells = &mut self.0[at as usize..][..bytes.len()];
        assert!(cells.iter().all(|&cell| cell == 0xff), "programmed twice at {at}");
        cells.copy_from_slice(bytes);
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Gives the input as the index, and from its other end as chunks; how much of it and how stored, the input says.
struct Liar<'i> {
    index: &'i [u8],
    chunks: &'i [u8],
    at: usize,
    until: usize,
}

impl UpdateSource for Liar<'_> {
    type Error = Infallible;

    async fn index(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, Infallible> {
        let rest = self.index.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    async fn open(&mut self, wanted: &Wanted) -> Result<Stored, Infallible> {
        // Where an honest index names a piece of the chunks, that piece can be found.
        let len = wanted.len.max() as usize;
        let honest = self.chunks.windows(len.max(1)).position(|piece| DIGEST.id_of(piece) == wanted.id);
        self.at = honest.unwrap_or(usize::from(wanted.id.as_bytes()[0]));
        self.until = honest.map_or(self.chunks.len(), |at| at + len);
        Ok(if wanted.id.as_bytes()[1] & 1 == 0 || honest.is_some() { Stored::Plain } else { Stored::Zstd })
    }

    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        let rest = self.chunks.get(self.at..self.until).unwrap_or_default();
        let len = rest.len().min(into.len()).min(100);
        into[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        Ok(len + usize::from(self.chunks.first() == Some(&0xfe)) * 1000)
    }
}

pub(super) fn run(bytes: &[u8]) {
    update(bytes);
}

/// Whether the new image boots.
fn update(bytes: &[u8]) -> bool {
    let (index, chunks) = bytes.split_at(bytes.len().min(104 + 40 * usize::from(bytes.len() as u8 % 5)));
    let mut flash = Cells(vec![0xff; 48 * SECTOR]);
    let old: Vec<u8> = (0..16 * SECTOR).map(|at| ((at * at) >> 7) as u8).collect();
    let slot = LAYOUT.slots[0].start as usize;
    flash.0[slot..slot + old.len()].copy_from_slice(&old);

    let config = Config { layout: LAYOUT, limits: LIMITS, digest: DIGEST, trial_boots: 1, lookup_key: 1 };
    let offer = Offer {
        index_id: DIGEST.id_of(index),
        index_len: index.len() as u64,
        digest: DIGEST,
        zstd_window: 1024,
    };
    let (mut sector, mut zstd) = (vec![0; SECTOR], vec![0; stream_memory(1024)]);
    let mut words = vec![0; words_needed(40)];
    let mut source = Liar { index, chunks, at: 0, until: 0 };
    let mut updater = Updater::new::<Infallible>(flash, config).expect("the layout fits");
    let workspace = Workspace { sector: &mut sector, words: &mut words, zstd: &mut zstd };
    let (report, peak) = peak_of(|| updater.run_blocking(&offer, &mut source, workspace));
    assert_eq!(peak, 0, "an update allocates");

    let mut flash = updater.into_flash();
    assert!(flash.0[slot..][..old.len()] == old, "the old image was touched");
    let started = block_on(boot::start(&mut flash, &LAYOUT)).unwrap();
    assert_eq!(started == Slot::B, report.is_ok(), "{report:?}");
    report.is_ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn honest_inputs_update() {
        let seeds = crate::seeds::seeds("updater");
        assert!(seeds.iter().take(4).all(|seed| super::update(seed)));
    }
}
