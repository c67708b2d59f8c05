//! A NOR flash that is stricter and nastier than hardware.
//!
//! It refuses what a chip would silently spoil: programs that set bits, that touch a unit twice between erases
//! or a sector whose erase was cut, and anything unaligned. It loses power at a chosen operation, and then
//! everything the power-loss contract of [`super::super::flash`] allows may have happened, unsynced
//! operations before it included.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use super::model::{Fault, Model, ModelError, Outcome, next};
use crate::update::{Flash, Geometry};

pub(super) const GEOMETRY: Geometry = Geometry { erase_len: 256, write_len: 8 };
const SECTOR: usize = GEOMETRY.erase_len as usize;
const UNIT: usize = GEOMETRY.write_len as usize;

#[derive(Clone)]
enum Operation {
    Erase(usize),
    Program(usize, Vec<u8>),
}

/// How a sector reads whose erase was cut.
#[derive(Clone, Copy)]
enum Unstable {
    AsBefore,
    Blank,
    Noise,
}

/// Cells, and what is known of them.
#[derive(Clone)]
struct Cells {
    bytes: Vec<u8>,
    unstable: Vec<Option<Unstable>>,
    programmed: Vec<bool>,
}

#[derive(Clone)]
pub(super) struct NorModel {
    /// What reads see: all operations done.
    seen: Cells,
    /// What certainly survives a cut.
    durable: Cells,
    unsynced: Vec<Operation>,
    fault: Option<Fault>,
    powered: bool,
    /// Decides what a cut leaves behind, of all that it may.
    random: u64,
    operations: u32,
    pub(super) wear: Vec<u32>,
    pub(super) broken_rule: Option<&'static str>,
    /// Sectors that were erased or programmed.
    pub(super) touched: BTreeSet<usize>,
}

impl Cells {
    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Erase(at) => {
                self.bytes[*at..at + SECTOR].fill(0xff);
                self.programmed[at / UNIT..(at + SECTOR) / UNIT].fill(false);
                self.unstable[at / SECTOR] = None;
            }
            Operation::Program(at, bytes) => {
                self.bytes[*at..].iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
                self.programmed[at / UNIT..(at + bytes.len()) / UNIT].fill(true);
            }
        }
    }

    fn tear(&mut self, operation: &Operation, random: &mut u64) {
        match operation {
            Operation::Erase(at) => {
                let how = [Unstable::AsBefore, Unstable::Blank, Unstable::Noise];
                self.unstable[at / SECTOR] = Some(how[next(random) as usize % 3]);
            }
            Operation::Program(at, bytes) => {
                // Whole units up to somewhere, then one with some of its bytes, or any of its bits, cleared.
                let whole = next(random) as usize % (bytes.len() / UNIT) * UNIT;
                self.apply(&Operation::Program(*at, bytes[..whole].to_vec()));
                let bitwise = next(random).is_multiple_of(2);
                let mask = if bitwise { next(random) } else { u64::MAX << (next(random) % 8 * 8) };
                let mask = mask.to_le_bytes();
                let torn = bytes[whole..whole + UNIT].iter().zip(mask).map(|(byte, mask)| byte | mask);
                self.apply(&Operation::Program(at + whole, torn.collect()));
                for unit in at / UNIT..(at + bytes.len()) / UNIT {
                    self.programmed[unit] = self.bytes[unit * UNIT..][..UNIT] != [0xff; UNIT];
                }
            }
        }
    }
}

impl NorModel {
    pub(super) fn new(len: usize) -> Self {
        let cells = Cells {
            bytes: vec![0xff; len],
            unstable: vec![None; len / SECTOR],
            programmed: vec![false; len / UNIT],
        };
        Self {
            seen: cells.clone(),
            durable: cells,
            unsynced: Vec::new(),
            fault: None,
            powered: true,
            random: 1,
            operations: 0,
            wear: vec![0; len / SECTOR],
            broken_rule: None,
            touched: BTreeSet::new(),
        }
    }

    /// What the factory puts there.
    pub(super) fn preset(&mut self, at: usize, bytes: &[u8]) {
        for cells in [&mut self.seen, &mut self.durable] {
            cells.bytes[at..at + bytes.len()].copy_from_slice(bytes);
            cells.programmed[at / UNIT..(at + bytes.len()).div_ceil(UNIT)].fill(true);
        }
    }

    fn lose_power(&mut self, last: Option<(Operation, Outcome)>) {
        self.powered = false;
        for operation in core::mem::take(&mut self.unsynced) {
            match next(&mut self.random) % 4 {
                0 => {}
                1 => self.durable.tear(&operation, &mut self.random),
                _ => self.durable.apply(&operation),
            }
        }
        match last {
            Some((operation, Outcome::Torn)) => self.durable.tear(&operation, &mut self.random),
            Some((operation, Outcome::Done)) => self.durable.apply(&operation),
            _ => {}
        }
        self.seen = self.durable.clone();
    }

    /// Counts an operation; what is to go wrong with it.
    fn count(&mut self) -> Result<Option<Outcome>, ModelError> {
        if !self.powered {
            return Err(ModelError::PowerLost);
        }
        let number = self.operations;
        self.operations += 1;
        Ok(self.fault.filter(|fault| fault.operation == number).map(|fault| fault.outcome))
    }

    fn carry_out(&mut self, operation: Operation) -> Result<(), ModelError> {
        match self.count()? {
            None => {}
            Some(Outcome::Flawed) => return self.carry_out_flawed(operation),
            Some(outcome) => {
                self.lose_power(Some((operation, outcome)));
                return Err(ModelError::PowerLost);
            }
        }
        self.seen.apply(&operation);
        self.unsynced.push(operation);
        Ok(())
    }

    fn carry_out_flawed(&mut self, mut operation: Operation) -> Result<(), ModelError> {
        if let Operation::Program(_, bytes) = &mut operation {
            let place = next(&mut self.random) as usize % bytes.len();
            let cleared = (0..8).find(|bit| bytes[place] >> bit & 1 == 0);
            bytes[place] |= cleared.map_or(0, |bit| 1 << bit);
        }
        self.seen.apply(&operation);
        self.unsynced.push(operation);
        Ok(())
    }

    fn rule(&mut self, kept: bool, name: &'static str) -> Result<(), ModelError> {
        if !kept {
            self.broken_rule = Some(name);
            return Err(ModelError::RuleBroken(name));
        }
        Ok(())
    }
}

impl Model for NorModel {
    fn power_up(&mut self, fault: Option<Fault>) {
        if self.powered {
            self.lose_power(None);
        }
        self.fault = fault;
        self.powered = true;
        self.operations = 0;
        // Which unsynced operations survive must differ from run to run.
        let Some(Fault { operation, outcome }) = fault else { return };
        self.random ^= u64::from(operation) << 8 | outcome as u64;
    }

    fn holds(&self, at: usize, bytes: &[u8]) -> bool {
        let sectors = at / SECTOR..(at + bytes.len()).div_ceil(SECTOR);
        let stable = self.durable.unstable[sectors].iter().all(Option::is_none);
        stable && self.durable.bytes[at..at + bytes.len()] == *bytes
    }

    fn stir(&mut self, random: u64) {
        self.random ^= random;
    }

    fn operations(&mut self) -> u32 {
        self.operations
    }

    fn complaint(&self) -> Option<&'static str> {
        let active = (super::LAYOUT.slots[0].start / super::SECTOR) as usize;
        let is_touched = self.touched.range(active..active + 14).next().is_some();
        self.broken_rule.or(is_touched.then_some("active slot touched"))
    }

    fn forgive(&mut self) {
        self.touched.clear();
    }
}

impl Flash for NorModel {
    type Error = ModelError;

    fn geometry(&self) -> Geometry {
        GEOMETRY
    }

    async fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), ModelError> {
        if !self.powered {
            return Err(ModelError::PowerLost);
        }
        let at = at as usize;
        self.rule(at + into.len() <= self.seen.bytes.len(), "read within the device")?;
        for (offset, byte) in into.iter_mut().enumerate() {
            let stored = self.seen.bytes[at + offset];
            *byte = match self.seen.unstable[(at + offset) / SECTOR] {
                None | Some(Unstable::AsBefore) => stored,
                Some(Unstable::Blank) => 0xff,
                Some(Unstable::Noise) => stored | next(&mut self.random) as u8,
            };
        }
        Ok(())
    }

    async fn erase(&mut self, sector: u64) -> Result<(), ModelError> {
        let at = sector as usize;
        self.rule(at.is_multiple_of(SECTOR) && at < self.seen.bytes.len(), "erase one whole sector")?;
        self.touched.insert(at / SECTOR);
        self.wear[at / SECTOR] += 1;
        self.carry_out(Operation::Erase(at))
    }

    async fn program(&mut self, at: u64, bytes: &[u8]) -> Result<(), ModelError> {
        let at = at as usize;
        let end = at + bytes.len();
        let aligned = at.is_multiple_of(UNIT) && bytes.len().is_multiple_of(UNIT) && !bytes.is_empty();
        self.rule(aligned && end <= self.seen.bytes.len(), "program whole units")?;
        let fresh = self.seen.programmed[at / UNIT..end / UNIT].iter().all(|programmed| !programmed);
        self.rule(fresh, "program a unit once between erases")?;
        let stable = self.seen.unstable[at / SECTOR..end.div_ceil(SECTOR)].iter().all(Option::is_none);
        self.rule(stable, "program no sector whose erase was cut")?;
        self.touched.insert(at / SECTOR);
        self.carry_out(Operation::Program(at, bytes.to_vec()))
    }

    async fn sync(&mut self) -> Result<(), ModelError> {
        match self.count()? {
            None | Some(Outcome::Flawed) => {}
            Some(outcome) => {
                if outcome == Outcome::Done {
                    self.durable = self.seen.clone();
                    self.unsynced.clear();
                }
                self.lose_power(None);
                return Err(ModelError::PowerLost);
            }
        }
        for operation in core::mem::take(&mut self.unsynced) {
            self.durable.apply(&operation);
        }
        Ok(())
    }
}
