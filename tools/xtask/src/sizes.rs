//! `cargo xtask sizes`: how large what we ship is, beside how large it may be.
//!
//! Budgets are committed in `tools/xtask/budgets.json`. A row is a thing and its sizes in bytes by kind
//! (`program`, `flash`, `ram`); whoever measures something new adds one line to [`ROWS`] and its budgets.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use desync_hil_tests::{Board, Firmware, Program};
use serde_json::{Value, json};

use crate::boards::LINUX_BOARDS;
use crate::probe;

const BUDGETS: &str = include_str!("../budgets.json");

/// Sizes in bytes, by kind.
type Sizes = BTreeMap<String, u64>;

/// Measures one thing, building it first.
type Measure = fn() -> anyhow::Result<Sizes>;

/// What is measured, by its name in the budgets and in the output.
const ROWS: &[(&str, Measure)] = &[
    ("armv7", || program(0)),
    ("aarch64", || program(1)),
    ("updater-thumbv7em", updater),
    ("mps2-an386-app", || firmware("mps2-an386", Program::App)),
    ("mps2-an386-bootloader", || firmware("mps2-an386", Program::Bootloader)),
    ("mps2-an385-app", || firmware("mps2-an385", Program::App)),
    ("netduinoplus2", || firmware("netduinoplus2", Program::Updater)),
    ("riscv32-virt", || firmware("riscv32-virt", Program::Updater)),
];

fn program(board: usize) -> anyhow::Result<Sizes> {
    let program = LINUX_BOARDS[board].build()?;
    Ok(Sizes::from([("program".to_owned(), program.metadata()?.len())]))
}

/// What the updater adds to a firmware, and what an update takes.
fn updater() -> anyhow::Result<Sizes> {
    let (flash, ram) = (probe::updater_flash()?, probe::updater_ram()?);
    Ok(Sizes::from([("flash".to_owned(), flash), ("ram".to_owned(), ram)]))
}

/// A board's program: logs, messages and drivers included.
fn firmware(board: &str, program: Program) -> anyhow::Result<Sizes> {
    let sizes = Firmware::build(Board::named(board), program)?.sizes()?;
    Ok(Sizes::from([("flash".to_owned(), sizes.flash), ("ram".to_owned(), sizes.ram)]))
}

/// Measures everything, prints it, and fails if anything is above its budget.
pub(crate) fn run(as_json: bool) -> anyhow::Result<()> {
    let budgets: BTreeMap<String, Sizes> = serde_json::from_str(BUDGETS).context("budgets.json")?;
    let mut measured = Vec::new();
    for (name, measure) in ROWS {
        let sizes = measure().with_context(|| format!("measuring {name}"))?;
        measured.push((*name, sizes));
    }
    let above = compare(&measured, &budgets)?;
    if as_json {
        let sizes: serde_json::Map<_, _> =
            measured.iter().map(|(name, sizes)| ((*name).to_owned(), json!(sizes))).collect();
        println!("{:#}", Value::Object(sizes));
    } else {
        print!("{}", table(&measured, &budgets));
    }
    if above.is_empty() { Ok(()) } else { bail!("above budget: {}", above.join("; ")) }
}

/// What is above its budget; that nothing has a size without a budget, or a budget without a size.
fn compare(measured: &[(&str, Sizes)], budgets: &BTreeMap<String, Sizes>) -> anyhow::Result<Vec<String>> {
    let mut above = Vec::new();
    for (name, budget) in budgets {
        let sizes = measured.iter().find(|(known, _)| known == name).map(|(_, sizes)| sizes);
        let sizes = sizes.with_context(|| format!("{name} has a budget but is not measured"))?;
        for (kind, max) in budget {
            let size = sizes.get(kind).with_context(|| format!("{name}: no {kind} was measured"))?;
            if size > max {
                above.push(format!("{name} {kind} has {size} bytes of {max}"));
            }
        }
    }
    for (name, sizes) in measured {
        let budget = budgets.get(*name).with_context(|| format!("{name} has no budget"))?;
        if let Some(kind) = sizes.keys().find(|kind| !budget.contains_key(*kind)) {
            bail!("{name}: {kind} has no budget");
        }
    }
    Ok(above)
}

fn table(measured: &[(&str, Sizes)], budgets: &BTreeMap<String, Sizes>) -> String {
    let mut text = format!("{:24} {:8} {:>10} {:>10}\n", "what", "kind", "bytes", "budget");
    for (name, sizes) in measured {
        for (kind, size) in sizes {
            let budget = budgets[*name][kind];
            text.push_str(&format!("{name:24} {kind:8} {size:>10} {budget:>10}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(program: u64) -> Sizes {
        Sizes::from([("program".to_owned(), program)])
    }

    #[test]
    fn every_row_has_a_budget_and_every_budget_a_row() {
        let budgets: BTreeMap<String, Sizes> = serde_json::from_str(BUDGETS).unwrap();
        let rows: Vec<_> = ROWS.iter().map(|(name, _)| *name).collect();
        assert!(rows.iter().all(|name| budgets.contains_key(*name)), "{rows:?}");
        assert_eq!(rows.len(), budgets.len());
    }

    #[test]
    fn what_is_above_is_named() {
        let budgets = BTreeMap::from([("a".to_owned(), sizes(100)), ("b".to_owned(), sizes(100))]);
        let compare = |a, b| compare(&[("a", sizes(a)), ("b", sizes(b))], &budgets).unwrap();
        assert!(compare(100, 99).is_empty());
        assert_eq!(compare(101, 99), ["a program has 101 bytes of 100"]);
        assert!(super::compare(&[("a", sizes(1))], &budgets).is_err(), "b was not measured");
        assert!(table(&[("a", sizes(7))], &budgets).contains(" 7 "));
    }
}
