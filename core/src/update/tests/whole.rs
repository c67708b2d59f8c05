//! Updates that nothing disturbs: what is fetched, what is erased, and how images change places.

use super::*;

fn start(flash: &mut NorModel) -> Slot {
    block_on(boot::start(flash, &LAYOUT)).unwrap()
}

#[test]
fn fetches_what_the_active_slot_lacks_and_boots_once_proven() {
    let (old, new) = Release::pair();
    let (mut flash, mut source) = (device(&old), TestSource::new(&new));
    let report = update(&mut flash, &new.offer, &mut source).unwrap();
    assert!(flash.holds(LAYOUT.slots[1].start as usize, &new.image));
    assert!(flash.holds(LAYOUT.slots[0].start as usize, &old.image));
    let all = [report.in_place, report.copied, report.zero, report.fetched].map(|amount| amount.bytes);
    assert_eq!(all.iter().sum::<u64>(), new.image.len() as u64);
    assert!(report.copied.bytes > 1200 && report.zero.bytes >= 256, "{report:?}");
    assert_eq!(source.fetched_bytes, report.fetched.bytes);
    // The padding is two equal chunks and more: fetched once.
    assert!(report.fetched.bytes < 600 + 256 * 5, "{report:?}");
    assert_eq!(report.sectors_erased, 0, "a blank slot needs no erase");

    assert_eq!(start(&mut flash), Slot::B);
    assert_eq!(update(&mut flash, &old.offer, &mut TestSource::new(&old)), Err(UpdateError::OnTrial));
    assert!(block_on(boot::confirm(&mut flash, &LAYOUT)).unwrap());
    assert!(!block_on(boot::confirm(&mut flash, &LAYOUT)).unwrap());
    for _ in 0..5 {
        assert_eq!(start(&mut flash), Slot::B);
    }
    // Offered once more it costs nothing.
    let mut source = TestSource::new(&new);
    assert_eq!(update(&mut flash, &new.offer, &mut source), Err(UpdateError::Current));
    assert_eq!((source.fetched_bytes, source.index_bytes_given), (0, 0));
}

#[test]
fn an_image_that_is_never_confirmed_falls_back() {
    let (old, new) = Release::pair();
    let mut flash = device(&old);
    update(&mut flash, &new.offer, &mut TestSource::new(&new)).unwrap();
    let starts: Vec<Slot> = (0..5).map(|_| start(&mut flash)).collect();
    assert_eq!(starts, [Slot::B, Slot::B, Slot::A, Slot::A, Slot::A]);
    // The slot still holds the image: trying again fetches nothing.
    let mut source = TestSource::new(&new);
    let report = update(&mut flash, &new.offer, &mut source).unwrap();
    assert_eq!((source.fetched_bytes, report.sectors_programmed), (0, 0));
}

#[test]
fn right_sectors_are_neither_erased_nor_written_and_wear_is_as_told() {
    let (first, second) = Release::pair();
    let mut changed = first.image.clone();
    changed[1000] ^= 1;
    let third = Release::new(changed);
    let mut flash = device(&first);
    for release in [&second, &third] {
        update(&mut flash, &release.offer, &mut TestSource::new(release)).unwrap();
        start(&mut flash);
        assert!(block_on(boot::confirm(&mut flash, &LAYOUT)).unwrap());
    }
    // The third image is the first but for a bit, and went where the first was.
    let mut source = TestSource::new(&third);
    assert!(flash.holds(LAYOUT.slots[0].start as usize, &third.image));
    let slot = |slot: usize| {
        let first = (LAYOUT.slots[slot].start / SECTOR) as usize;
        flash.wear[first..first + 14].iter().sum::<u32>()
    };
    assert_eq!((slot(0), slot(1)), (1, 0));
    // What runs is not written into the other slot as well.
    assert_eq!(update(&mut flash, &third.offer, &mut source), Err(UpdateError::Current));
}

#[test]
fn many_updates_wear_the_journal_as_told() {
    let (old, new) = Release::pair();
    let mut flash = device(&old);
    let mut sectors = 0;
    for round in 0..20_u64 {
        let release = if round % 2 == 0 { &new } else { &old };
        sectors += update(&mut flash, &release.offer, &mut TestSource::new(release)).unwrap().sectors_erased;
        start(&mut flash);
        assert!(block_on(boot::confirm(&mut flash, &LAYOUT)).unwrap());
        let other = Release::new(prng(3000, 100 + round));
        let at = if round % 2 == 0 { 0 } else { 1 };
        sectors += update(&mut flash, &other.offer, &mut TestSource::new(&other)).unwrap().sectors_erased;
        assert!(flash.holds(LAYOUT.slots[at].start as usize, &other.image));
        start(&mut flash);
        start(&mut flash);
        assert_ne!(start(&mut flash).position(), at, "falls back");
    }
    // Per update two for each sector erased and five; and the boots: two a confirmed one, three a failed one.
    let records = 2 * sectors + 40 * 5 + 20 * 5;
    let per_sector = SECTOR as u32 / 32;
    let journal: u32 = flash.wear[..3].iter().sum();
    assert!(journal <= records.div_ceil(per_sector) + 1, "{journal} erases for {records} records");
}

#[test]
fn drivers_of_embedded_storage_are_read_at_any_address() {
    use embedded_storage::nor_flash as blocking;

    struct Chip([u8; 1024]);
    impl blocking::ErrorType for Chip {
        type Error = blocking::NorFlashErrorKind;
    }
    impl blocking::ReadNorFlash for Chip {
        const READ_SIZE: usize = 8;
        fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
            blocking::check_read(self, offset, bytes.len())?;
            bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
            Ok(())
        }
        fn capacity(&self) -> usize {
            self.0.len()
        }
    }
    impl blocking::NorFlash for Chip {
        const WRITE_SIZE: usize = 4;
        const ERASE_SIZE: usize = 256;
        fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
            blocking::check_erase(self, from, to)?;
            self.0[from as usize..to as usize].fill(0xff);
            Ok(())
        }
        fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
            blocking::check_write(self, offset, bytes.len())?;
            self.0[offset as usize..][..bytes.len()].copy_from_slice(bytes);
            Ok(())
        }
    }

    let mut flash = Nor(Blocking(Chip(core::array::from_fn(|at| at as u8))));
    assert_eq!(flash.geometry(), Geometry { erase_len: 256, write_len: 4 });
    for (at, len) in [(0, 16), (1, 1), (7, 2), (3, 200), (505, 7), (8, 65)] {
        let mut found = [0; 200];
        block_on(flash.read(at, &mut found[..len])).unwrap();
        assert!((0..len).all(|offset| found[offset] == (at as usize + offset) as u8), "{len} at {at}");
    }
    block_on(flash.erase(256)).unwrap();
    block_on(flash.program(260, b"abcd")).unwrap();
    let mut found = [0; 6];
    block_on(flash.read(259, &mut found)).unwrap();
    assert_eq!(found, *b"\xffabcd\xff");
    let beyond = block_on(flash.program(1 << 32, b"abcd"));
    assert_eq!(beyond, Err(NorError::Address { at: 1 << 32 }));
    let unaligned = block_on(flash.program(261, b"abcd"));
    assert_eq!(unaligned, Err(NorError::Driver(blocking::NorFlashErrorKind::NotAligned)));
}

/// A source that lets its caller wait once each time, as a UART does.
struct Waiting<'s>(&'s mut TestSource);

async fn wait_once() {
    let mut waited = false;
    core::future::poll_fn(|_| {
        let ready = core::mem::replace(&mut waited, true);
        if ready { core::task::Poll::Ready(()) } else { core::task::Poll::Pending }
    })
    .await;
}

impl UpdateSource for Waiting<'_> {
    type Error = NoSuchChunk;

    async fn index(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, NoSuchChunk> {
        wait_once().await;
        self.0.index(offset, into).await
    }

    async fn open(&mut self, wanted: &Wanted) -> Result<Stored, NoSuchChunk> {
        wait_once().await;
        self.0.open(wanted).await
    }

    async fn read(&mut self, into: &mut [u8]) -> Result<usize, NoSuchChunk> {
        wait_once().await;
        self.0.read(into).await
    }
}

#[test]
fn dropping_the_future_at_any_wait_is_no_worse_than_a_cut() {
    use core::future::Future as _;
    use core::task::{Context, Waker};

    let (old, new) = Release::pair();
    let mut context = Context::from_waker(Waker::noop());
    let mut waits = 0;
    loop {
        waits += 1;
        let mut source = TestSource::new(&new);
        let mut updater = Updater::new::<NoSuchChunk>(device(&old), CONFIG).unwrap();
        let (mut sector, mut words) = ([0; SECTOR as usize], [0; 200]);
        let mut zstd = [0; stream_memory(256)];
        let workspace = Workspace { sector: &mut sector, words: &mut words, zstd: &mut zstd };
        let mut waiting = Waiting(&mut source);
        let mut future = alloc::boxed::Box::pin(updater.run(&new.offer, &mut waiting, workspace));
        let ended = (0..waits).any(|_| future.as_mut().poll(&mut context).is_ready());
        drop(future);
        if !ended {
            // The same updater, not started anew.
            let workspace = Workspace { sector: &mut sector, words: &mut words, zstd: &mut zstd };
            block_on(updater.run(&new.offer, &mut Waiting(&mut source), workspace)).unwrap();
        }
        let mut flash = updater.into_flash();
        assert!(flash.holds(LAYOUT.slots[1].start as usize, &new.image));
        assert_eq!((start(&mut flash), flash.broken_rule), (Slot::B, None));
        if ended {
            break;
        }
    }
    assert!(waits > 30, "{waits}");
}
