//! Power cuts on a board: at every operation of its flash, through image and bootloader and both slots; and
//! at any instant, by SIGKILL.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use desync_hil_tests::{Board, Emulator, Firmware, Host, Line, Outcome, Program};

use crate::device::{Device, Release};

/// The emulator's exit code when power was cut at an operation.
const CUT: Option<i32> = Some(75);
/// What there must be at least, of all.
const CUTS_MIN: usize = 300;
/// Of all cuts one in so many is made, unless `HIL_CUTS` is `all`, as in `cargo xtask hil`. Odd, so that of both
/// kinds some are made.
const STEP: usize = 5;
const KILLS: usize = 30;
const THREADS: usize = 2;

/// An update whose every operation is cut.
struct Passage {
    /// The flash before it.
    before: Vec<u8>,
    old: Release,
    new: Release,
    /// Which slot it fills.
    slot: usize,
}

/// A board, and the host that offers it an image.
struct Bench<'a> {
    passage: &'a Passage,
    device: Device,
    host: Host,
    index: PathBuf,
}

impl<'a> Bench<'a> {
    fn new(bootloader: &Firmware, emulator: Emulator, passage: &'a Passage) -> Self {
        let device = Device::with(bootloader, emulator);
        let host = Host::new(device.path()).unwrap();
        let index = host.make("image", &passage.new.image, "").unwrap();
        let bench = Self { passage, device, host, index };
        bench.reset();
        bench
    }

    /// The flash as it was before the update.
    fn reset(&self) {
        self.device.flash.write(&self.passage.before).unwrap();
    }

    fn update(&self, words: &[&str]) -> Outcome {
        self.device.update(&self.host, &self.index, words)
    }

    /// The update undisturbed: its number of operations from the start to the confirmation, and the flash then.
    fn whole(&self) -> (usize, Vec<u8>) {
        let outcome = self.update(&[]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let last = outcome.output.lines().rev().find_map(|line| line.strip_prefix("app: ")).unwrap();
        (last.split(' ').next().unwrap().parse().unwrap(), self.device.flash.read().unwrap())
    }

    /// Power is cut, and comes again.
    fn cut(&self, word: &str) {
        self.reset();
        let cut = self.update(&[word]);
        assert_eq!(cut.code, CUT, "{word}: {cut:?}");
        self.assert_recovers(word);
    }

    /// Started again, it boots the old image or the new one, ends with the new one, and has spoilt neither slot.
    fn assert_recovers(&self, what: &str) {
        let Passage { old, new, slot, .. } = self.passage;
        let recovered = self.update(&[]);
        assert_eq!(recovered.code, Some(0), "{what}: {recovered:?}");
        let said = |release: &Release| format!("app: version {}\n", release.version);
        let is_known = [old, new].iter().any(|release| recovered.output.starts_with(&said(release)));
        assert!(is_known && recovered.output.contains(&said(new)), "{what}: {recovered:?}");
        let slots = self.device.slots();
        let holds =
            |slot: usize, release: &Release| self.device.flash.holds(slots[slot], &release.image).unwrap();
        assert!(holds(*slot, new), "{what}: the slot is not the image");
        // Confirmed before the cut, the new image was free to take the other slot for what is offered again.
        let was_done = recovered.output.starts_with(&format!("{}update: ", said(new)));
        assert!(holds(1 - slot, if was_done { new } else { old }), "{what}: the other image changed");
    }
}

fn bootloader() -> Firmware {
    Firmware::build(Board::named("mps2-an386"), Program::Bootloader).unwrap()
}

/// From the factory's image in slot A to another in slot B, which holds rubbish.
fn to_b(bootloader: &Firmware, emulator: Emulator) -> Passage {
    let old = Release::built(bootloader.board, 1);
    let factory = Device::with(bootloader, emulator);
    factory.make(&old);
    Passage { before: factory.flash.read().unwrap(), new: old.patched(2, true), old, slot: 1 }
}

/// After that into slot A, which holds rubbish again, so that all of it must be erased.
fn to_a(bootloader: &Firmware, first: Passage, after: Vec<u8>, emulator: Emulator) -> Passage {
    let [a, b] = Device::with(bootloader, emulator).slots().map(|slot| slot as usize);
    let mut before = after;
    before[a..b].copy_from_slice(&desync_test_kit::prng(b - a, 6));
    Passage { before, new: first.old.patched(3, true), old: first.new, slot: 0 }
}

/// Every operation of both updates is cut before it begins and in its middle; after it, is before the next. In
/// CI one cut in [`STEP`].
#[test]
fn power_cut_at_every_operation_through_both_slots() {
    let Some(emulator) = Emulator::find_or_skip() else { return };
    let bootloader = bootloader();
    let first = to_b(&bootloader, emulator);
    let (operations, after) = Bench::new(&bootloader, emulator, &first).whole();
    let begun = Instant::now();
    let mut cuts = sweep(&bootloader, emulator, &first, operations);
    let second = to_a(&bootloader, first, after, emulator);
    let (operations, _) = Bench::new(&bootloader, emulator, &second).whole();
    cuts += sweep(&bootloader, emulator, &second, operations);
    eprintln!("{cuts} cuts in {:?}", begun.elapsed());
    assert!(cuts * step() >= CUTS_MIN, "{cuts} cuts");
}

/// Of all cuts one in so many is made.
fn step() -> usize {
    if std::env::var_os("HIL_CUTS").is_some_and(|cuts| cuts == "all") { 1 } else { STEP }
}

/// Cuts an update's operations; how many cuts that were.
fn sweep(bootloader: &Firmware, emulator: Emulator, passage: &Passage, operations: usize) -> usize {
    let words: Vec<_> = (1..=operations)
        .flat_map(|operation| ["cut", "torn"].map(|kind| format!("{kind}={operation}")))
        .step_by(step())
        .collect();
    let next = AtomicUsize::new(0);
    on_threads(|| {
        let bench = Bench::new(bootloader, emulator, passage);
        while let Some(word) = words.get(next.fetch_add(1, Ordering::Relaxed)) {
            bench.cut(word);
        }
    });
    words.len()
}

/// An update is killed at instants spread over its whole length, and goes on at the next start.
#[test]
fn power_cut_at_any_instant() {
    let Some(emulator) = Emulator::find_or_skip() else { return };
    let bootloader = bootloader();
    let passage = to_b(&bootloader, emulator);
    let begun = Instant::now();
    Bench::new(&bootloader, emulator, &passage).whole();
    let length = begun.elapsed();
    let (next, kills) = (AtomicUsize::new(0), AtomicUsize::new(0));
    on_threads(|| {
        let bench = Bench::new(&bootloader, emulator, &passage);
        // Some come too late, at the end of a run that was quicker: more are made.
        while kills.load(Ordering::Relaxed) < KILLS {
            bench.reset();
            let number = next.fetch_add(1, Ordering::Relaxed);
            kills.fetch_add(usize::from(kill(&bench, number, length)), Ordering::Relaxed);
            bench.assert_recovers(&format!("kill {number}"));
        }
    });
    eprintln!("{} kills within {length:?} of an update", kills.into_inner());
}

/// Kills an update of this length; whether it still ran. Instants are spread over it, in no order.
fn kill(bench: &Bench<'_>, number: usize, length: Duration) -> bool {
    let running = bench.device.start(&Line::Socket, &["update"]);
    let line = bench.device.path().join("line");
    let _serving = bench.host.serve(&bench.index, line.to_str().unwrap(), false).unwrap();
    thread::sleep(length * (number * 7 % KILLS) as u32 / KILLS as u32);
    running.cut().unwrap()
}

fn on_threads(work: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(&work);
        }
    });
}
