//! What is refused, and that nothing was touched for it.

use super::*;
use crate::chunking::SizesError;
use crate::format::IndexError;

/// The error, and whether the flash is as it was.
fn refused(offer: &Offer, source: &mut TestSource) -> (Failure, bool) {
    let (old, _) = Release::pair();
    let mut flash = device(&old);
    let error = update(&mut flash, offer, source).unwrap_err();
    assert_eq!(block_on(boot::start(&mut flash, &LAYOUT)), Ok(Slot::A));
    assert!(flash.holds(LAYOUT.slots[0].start as usize, &old.image));
    (error, flash.touched.is_empty())
}

#[test]
fn refuses_before_the_first_erase() {
    let (_, new) = Release::pair();
    let source = || TestSource::new(&new);
    let offer = new.offer;

    let other_digest = Offer { digest: DigestKind::Sha256, ..offer };
    let wrong = UpdateError::WrongDigest { expected: DIGEST, found: DigestKind::Sha256 };
    assert_eq!(refused(&other_digest, &mut source()), (wrong.clone(), true));
    for index_len in [0, 103, 104, 105, u64::MAX] {
        let error = refused(&Offer { index_len, ..offer }, &mut source());
        assert_eq!(error, (UpdateError::NoIndexLen { len: index_len }, true));
    }
    let too_long = Offer { index_len: 104 + 40 * 56, ..offer };
    let error = UpdateError::IndexTooLong { chunks: 56, room: 55 };
    assert_eq!(refused(&too_long, &mut source()), (error, true));
    let window = Offer { zstd_window: 4097, ..offer };
    let error = UpdateError::WindowTooLarge { window: 4097, limit: 4096 };
    assert_eq!(refused(&window, &mut source()), (error, true));

    let mut lying = source();
    lying.index[16..24].copy_from_slice(&FeatureFlags::desync_blob(DigestKind::Sha256).bits().to_le_bytes());
    assert_eq!(refused(&offer, &mut lying), (wrong, true));
    let mut large = source();
    large.index[40..48].copy_from_slice(&257_u64.to_le_bytes());
    let error = UpdateError::Index(IndexError::Sizes(SizesError::TooLarge { max: 257, limit: 256 }));
    assert_eq!(refused(&offer, &mut large), (error, true));
    let mut long = source();
    let last = long.index.len() - 80;
    long.index[last..last + 8].copy_from_slice(&(SLOT_LEN + 1).to_le_bytes());
    let error = UpdateError::ImageTooLong { len: SLOT_LEN + 1, room: SLOT_LEN };
    assert_eq!(refused(&offer, &mut long), (error, true));
    let mut short = source();
    short.index.truncate(90);
    let (error, untouched) = refused(&offer, &mut short);
    assert!(matches!(error, UpdateError::Index(IndexError::Truncated { .. })) && untouched);
}

#[test]
fn refuses_too_little_memory() {
    let (old, new) = Release::pair();
    let mut updater = Updater::new::<NoSuchChunk>(device(&old), CONFIG).unwrap();
    let needed = words_needed(new.offer.chunks().unwrap());
    let (mut sector, mut words) = ([0; 256], alloc::vec![0; needed - 1]);
    let mut zstd = [0; stream_memory(256)];
    let mut source = TestSource::new(&new);
    let workspace = Workspace { sector: &mut sector, words: &mut words, zstd: &mut zstd };
    let error = block_on(updater.run(&new.offer, &mut source, workspace)).unwrap_err();
    assert_eq!(error, UpdateError::TooFewWords { needed, given: needed - 1 });
    words.push(0);
    let workspace = Workspace { sector: &mut sector[1..], words: &mut words, zstd: &mut zstd };
    let error = block_on(updater.run(&new.offer, &mut source, workspace)).unwrap_err();
    assert_eq!(error, UpdateError::SectorBuffer { needed: 256, given: 255 });
    assert!(updater.into_flash().touched.is_empty());
}

#[test]
fn lying_indexes_and_chunks_never_boot() {
    let (_, new) = Release::pair();
    for at in 0..new.index_bytes.len() {
        let mut source = TestSource::new(&new);
        source.index[at] ^= 1 << (at % 8);
        refused(&new.offer, &mut source);
    }
    let ids: Vec<ChunkId> = TestSource::new(&new).chunks.into_keys().collect();
    let mut noticed = 0;
    for id in ids {
        for change in [0, 1, 2] {
            let mut source = TestSource::new(&new);
            let (_, bytes) = source.chunks.get_mut(&id).unwrap();
            match change {
                0 => *bytes.last_mut().unwrap() ^= 1,
                1 => bytes.push(0),
                _ => bytes.truncate(bytes.len() - 1),
            }
            let (old, _) = Release::pair();
            let mut flash = device(&old);
            match update(&mut flash, &new.offer, &mut source) {
                // A chunk that the device has itself.
                Ok(_) => assert!(flash.holds(LAYOUT.slots[1].start as usize, &new.image)),
                Err(error) => {
                    let named = matches!(error, UpdateError::WrongChunk { .. } | UpdateError::Decode { .. });
                    assert!(named, "{error:?}");
                    assert_eq!(block_on(boot::start(&mut flash, &LAYOUT)), Ok(Slot::A));
                    // With an honest source it then completes.
                    update(&mut flash, &new.offer, &mut TestSource::new(&new)).unwrap();
                    assert!(flash.holds(LAYOUT.slots[1].start as usize, &new.image));
                    noticed += 1;
                }
            }
        }
    }
    assert!(noticed > 12, "{noticed}");
}

#[test]
fn layouts_that_cannot_work() {
    let broken = |change: fn(&mut Layout)| {
        let mut layout = LAYOUT;
        change(&mut layout);
        layout.check(GEOMETRY).unwrap_err()
    };
    assert_eq!(LAYOUT.check(GEOMETRY), Ok(()));
    let moved = broken(|layout| layout.slots[1].start += 8);
    assert!(matches!(moved, LayoutError::NotOnSectors { .. }));
    let far = broken(|layout| layout.slots[1].start = u64::MAX - 255);
    assert!(matches!(far, LayoutError::NotOnSectors { .. }));
    let longer = broken(|layout| layout.slots[0].len += SECTOR);
    assert!(matches!(longer, LayoutError::Overlap { .. }));
    assert_eq!(broken(|layout| layout.journal.len = SECTOR), LayoutError::JournalTooShort);
    let units = Geometry { erase_len: 256, write_len: 64 };
    assert_eq!(LAYOUT.check(units), Err(LayoutError::Units { erase_len: 256, write_len: 64 }));
}
