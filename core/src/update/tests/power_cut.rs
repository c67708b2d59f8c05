//! Power cuts at every operation of an update, and again at every operation of the recovery.
//!
//! Whatever happens, the device boots the old or the new image whole, from sectors that read the same for
//! ever; the update completes when it is tried again; and what was durably right is not fetched anew. Bugs
//! that are planted on purpose show that the sweep would notice.

use alloc::format;
use alloc::string::String;

use super::block_model::BlockModel;
use super::model::{Fault, Outcome};
use super::*;

const CUTS: [Outcome; 3] = [Outcome::Undone, Outcome::Torn, Outcome::Done];
const OUTCOMES: [Outcome; 4] = [Outcome::Undone, Outcome::Torn, Outcome::Done, Outcome::Flawed];
/// Each fault is tried so often, with other consequences each time: of all that a cut may leave behind.
const TIMES: u64 = 8;
/// After the faults, so many undisturbed runs must do.
const RUNS_MAX: u32 = 3;

/// A device about to be updated.
struct Scene<M> {
    old: Release,
    new: Release,
    flash: M,
    source: TestSource,
    /// Chunk bytes that an undisturbed update fetches.
    fetched: u64,
    /// Operations that it takes.
    operations: u32,
}

impl Scene<NorModel> {
    /// The target slot holds something else, so that sectors are erased; a first update has been made before,
    /// so that slot A's index lies in flash.
    fn new() -> Self {
        let (old, _) = Release::pair();
        let flash = device(&old);
        Self::with_history(flash)
    }
}

impl<M: Model> Scene<M> {
    fn with_history(mut flash: M) -> Self {
        let (old, new) = Release::pair();
        let other = Release::new([&old.image[..300], &prng(2400, 9)].concat());
        update(&mut flash, &other.offer, &mut TestSource::new(&other)).unwrap();
        // It fails: falls back to slot A.
        (0..3).for_each(|_| assert!(block_on(boot::start(&mut flash, &LAYOUT)).is_ok()));
        flash.forgive();
        Self::with(old, new, flash)
    }

    fn with(old: Release, new: Release, flash: M) -> Self {
        let source = TestSource::new(&new);
        let mut scene = Self { old, new, flash, source, fetched: 0, operations: 0 };
        let (mut flash, mut source) = (scene.flash.clone(), scene.source.clone());
        flash.power_up(None);
        update(&mut flash, &scene.new.offer, &mut source).unwrap();
        (scene.fetched, scene.operations) = (source.fetched_bytes, flash.operations());
        scene
    }

    /// Runs through faults to the new image; operations that the last faulty run took.
    fn live(&self, faults: &[Fault], time: u64, planted: Planted) -> Result<u32, String> {
        let (mut flash, mut source) = (self.flash.clone(), self.source.clone());
        flash.stir(time << 32);
        let mut operations = 0;
        for &fault in faults {
            flash.power_up(Some(fault));
            let _ = update_with(&mut flash, &self.new.offer, &mut source, planted);
            operations = flash.operations();
            flash.power_up(None);
            self.check_boot(&flash)?;
        }
        for _ in 0..RUNS_MAX {
            match update_with(&mut flash, &self.new.offer, &mut source, planted) {
                Ok(_) | Err(UpdateError::OnTrial) => {}
                // What a flaw does is found out, and the next run mends it.
                Err(_) if faults.iter().any(|fault| fault.outcome == Outcome::Flawed) => {}
                Err(error) => {
                    self.check_boot(&flash)?;
                    return Err(format!("does not complete: {error}"));
                }
            }
            flash.power_up(None);
            self.check_boot(&flash)?;
        }
        self.check_end(&mut flash)?;
        self.check_fetched(&source, faults)?;
        Ok(operations)
    }

    /// What boots now is one of the two images.
    fn check_boot(&self, flash: &M) -> Result<Slot, String> {
        if let Some(rule) = flash.complaint() {
            return Err(format!("rule broken: {rule}"));
        }
        let slot = block_on(boot::start(&mut flash.clone(), &LAYOUT)).map_err(|error| format!("{error}"))?;
        let image = if slot == Slot::A { &self.old.image } else { &self.new.image };
        let whole = flash.holds(LAYOUT.slots[slot.position()].start as usize, image);
        if whole { Ok(slot) } else { Err(format!("boots a spoilt slot {slot:?}")) }
    }

    fn check_end(&self, flash: &mut M) -> Result<(), String> {
        if self.check_boot(flash)? != Slot::B {
            return Err("new image does not boot".into());
        }
        let mut unconfirmed = flash.clone();
        let boots =
            (0..6).filter(|_| block_on(boot::start(&mut unconfirmed, &LAYOUT)) == Ok(Slot::B)).count();
        if boots != usize::from(CONFIG.trial_boots) {
            return Err(format!("{boots} boots on trial"));
        }
        block_on(boot::confirm(flash, &LAYOUT)).map_err(|error| format!("{error}"))?;
        flash.power_up(None);
        if self.check_boot(flash)? != Slot::B {
            return Err("confirmed image does not boot".into());
        }
        match update(flash, &self.new.offer, &mut self.source.clone()) {
            Err(UpdateError::Current) => Ok(()),
            other => Err(format!("offered once more: {other:?}")),
        }
    }

    /// Each cut costs at most the sector in hand, the chunks across its edges and the chunk in transit. A
    /// flaw may cost the help of the active slot's index.
    fn check_fetched(&self, source: &TestSource, faults: &[Fault]) -> Result<(), String> {
        let flawed = faults.iter().filter(|fault| fault.outcome == Outcome::Flawed).count() as u64;
        let faults = faults.len() as u64;
        let cost = faults * (SECTOR + 3 * LIMITS.chunk_len_max) + flawed * self.new.image.len() as u64;
        let allowed = self.fetched + cost;
        let index = self.new.offer.index_len;
        // Both ends and the whole, once a run that had not staged it.
        let index_allowed = (faults + 1) * (index + 104);
        if source.fetched_bytes > allowed || source.index_bytes_given > index_allowed {
            let (fetched, given) = (source.fetched_bytes, source.index_bytes_given);
            return Err(format!("fetched {fetched} of {allowed}, {given} of {index_allowed} of the index"));
        }
        Ok(())
    }

    /// A fault at each of these operations, and a second at every operation of the recovery; how many of those.
    fn sweep_twice(&self, outcomes: &[Outcome], firsts: impl Iterator<Item = u32>) -> u32 {
        let mut second_cuts = 0;
        for operation in firsts {
            for &outcome in outcomes {
                let first = Fault { operation, outcome };
                for again in 0.. {
                    let taken = CUTS.map(|outcome| {
                        let second = Fault { operation: again, outcome };
                        let taken = self.live(&[first, second], second_cuts.into(), Planted::Nothing);
                        second_cuts += 1;
                        taken.unwrap_or_else(|error| panic!("{first:?}, {second:?}: {error}"))
                    });
                    if taken.into_iter().all(|taken| taken <= again) {
                        break; // the recovery was over before
                    }
                }
            }
        }
        second_cuts
    }

    /// One fault at every operation, with every outcome.
    fn sweep_once(&self, outcomes: &[Outcome], planted: Planted) -> Result<(), String> {
        for operation in 0..self.operations {
            for &outcome in outcomes {
                let fault = Fault { operation, outcome };
                for time in 0..TIMES {
                    let lived = self.live(&[fault], time, planted);
                    lived.map_err(|error| format!("{fault:?}, time {time}: {error}"))?;
                }
            }
        }
        Ok(())
    }
}

#[test]
fn power_cut_at_every_operation() {
    let scene = Scene::new();
    assert!(scene.operations > 60, "{}", scene.operations);
    scene.sweep_once(&OUTCOMES, Planted::Nothing).unwrap();
}

#[test]
fn power_cut_at_every_operation_of_a_first_update() {
    // From the factory: no journal, no index of the active slot, a blank target.
    let (old, new) = Release::pair();
    let flash = device(&old);
    Scene::with(old, new, flash).sweep_once(&OUTCOMES, Planted::Nothing).unwrap();
}

#[test]
fn power_cut_again_at_every_operation_of_the_recovery() {
    let scene = Scene::new();
    let second_cuts = scene.sweep_twice(&OUTCOMES, 0..scene.operations);
    assert!(second_cuts > 12 * scene.operations, "{second_cuts}");
}

#[test]
fn power_cut_on_a_block_device() {
    let (old, _) = Release::pair();
    let scene = Scene::with_history(BlockModel::new(&old.image));
    assert!(scene.operations > 60, "{}", scene.operations);
    scene.sweep_once(&CUTS, Planted::Nothing).unwrap();
    // Every block is an operation here, so some of them will do.
    assert!(scene.sweep_twice(&CUTS, (0..scene.operations).step_by(7)) > 9 * scene.operations);
    // A cut alone spoils no block for good there, so the other two are safe.
    for planted in [Planted::FlipBeforeSync, Planted::TrustTornEntry] {
        assert!(scene.sweep_once(&CUTS, planted).is_err(), "the sweep does not notice {planted:?}");
    }
}

#[test]
fn power_cut_in_the_bootloader() {
    let scene = Scene::new();
    let mut updated = scene.flash.clone();
    update(&mut updated, &scene.new.offer, &mut scene.source.clone()).unwrap();
    for operation in 0..8 {
        for outcome in OUTCOMES {
            let mut flash = updated.clone();
            let mut trials = 0;
            for start in 0..6 {
                // A cut in every other start: an image that starts has used up one of its boots.
                let fault = Fault { operation, outcome };
                flash.power_up((start % 2 == 0).then_some(fault));
                trials += u32::from(block_on(boot::start(&mut flash, &LAYOUT)) == Ok(Slot::B));
                flash.power_up(None);
                scene.check_boot(&flash).unwrap();
            }
            // A record with a flaw in it is a boot that is not counted.
            let allowed = if outcome == Outcome::Flawed { 4 } else { 2 };
            assert!(trials <= allowed, "{trials} boots, {outcome:?} at {operation}");

            let mut flash = updated.clone();
            flash.power_up(Some(Fault { operation, outcome }));
            let _ = block_on(boot::confirm(&mut flash, &LAYOUT));
            flash.power_up(None);
            assert_eq!(scene.check_boot(&flash), Ok(Slot::B));
        }
    }
}

/// A planted bug is found by the sweep that the code as it is passes; says how it was found.
fn caught(planted: Planted) -> String {
    let scene = Scene::new();
    scene.sweep_once(&OUTCOMES, planted).expect_err("the sweep does not notice")
}

#[test]
fn power_cut_sweep_catches_a_skipped_read_back() {
    let how = caught(Planted::SkipReadBack);
    assert!(how.contains("boots a spoilt slot"), "{how}");
}

#[test]
fn power_cut_sweep_catches_a_flip_before_sync() {
    let how = caught(Planted::FlipBeforeSync);
    assert!(how.contains("boots a spoilt slot"), "{how}");
}

#[test]
fn power_cut_sweep_catches_a_forgotten_entry() {
    let how = caught(Planted::ForgetEntry);
    assert!(how.contains("rule broken"), "{how}");
}

#[test]
fn power_cut_sweep_catches_trust_in_a_torn_entry() {
    caught(Planted::TrustTornEntry);
}
