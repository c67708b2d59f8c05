//! Who may use whom: the table "Arrows" of `core/ARCHITECTURE.md` against `cargo metadata`.
//!
//! The document is the rule: this reads its table, so the two cannot drift apart. Development dependencies
//! are free, since tests may look at anything.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::Finding;
use super::tree::Tree;
use crate::checks::BARE_TARGETS;
use crate::shell::{cargo, output};

const DOCUMENT: &str = "core/ARCHITECTURE.md";

/// Crates that need an operating system: the core must not reach them on a bare machine.
const OF_AN_OS: [&str; 9] =
    ["libc", "nix", "rustix", "getrandom", "tempfile", "mio", "winapi", "windows-sys", "signal-hook"];

/// A crate's name, and the crates of this workspace that it may use.
type Rules = BTreeMap<String, BTreeSet<String>>;

/// Compares the manifests with the table.
pub(crate) fn check(tree: &Tree) -> anyhow::Result<Vec<Finding>> {
    let table = tree.text(DOCUMENT).with_context(|| format!("{DOCUMENT} is missing"))?;
    let rules = parse_rules(table)?;
    let metadata = metadata(&["--no-deps"])?;
    let mut findings = turned_arrows(&rules, &metadata)?;
    findings.extend(os_crates_of_core()?);
    Ok(findings)
}

/// Reads the table: crates are named by their folder's last part; `all of them` allows all.
fn parse_rules(document: &str) -> anyhow::Result<Rules> {
    let section = document.split("## Arrows").nth(1).context("ARCHITECTURE.md has no section `Arrows`")?;
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let mut rules = Rules::from([(package_of("core"), BTreeSet::new())]);
    let mut open = Vec::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, may_use, ..] = cells[..] else { bail!("a row of the arrows has too few cells: {row}") };
        if may_use == "all of them" {
            open.push(package_of(name));
        } else {
            rules.insert(package_of(name), may_use.split(',').map(|used| package_of(used.trim())).collect());
        }
    }
    let everyone: BTreeSet<_> = rules.keys().cloned().collect();
    rules.extend(open.into_iter().map(|name| (name, everyone.clone())));
    Ok(rules)
}

fn package_of(short: &str) -> String {
    let short = short.trim_matches('`');
    if short == "cli" { "desync".to_owned() } else { format!("desync-{short}") }
}

/// Product crates that use what the table does not allow, or that it does not know.
fn turned_arrows(rules: &Rules, metadata: &Value) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let members: BTreeSet<_> = packages.iter().map(|package| text(&package["name"])).collect();
    for package in packages {
        let name = text(&package["name"]);
        let manifest = text(&package["manifest_path"]);
        if !manifest.contains("/adapters/") && !manifest.ends_with("/core/Cargo.toml") {
            continue;
        }
        let Some(allowed) = rules.get(name) else {
            findings.push(Finding::new(DOCUMENT, 0, format!("the table of arrows lacks {name}")));
            continue;
        };
        for used in dependencies(package).filter(|used| members.contains(used) && !allowed.contains(*used)) {
            let message = format!("{name} must not use {used}; if it has a reason to, {DOCUMENT} says so");
            findings.push(Finding::new(manifest.rsplit("/adapters/").next().unwrap_or(manifest), 0, message));
        }
    }
    Ok(findings)
}

/// Names of a package's dependencies, those for development aside.
fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    let all = package["dependencies"].as_array().into_iter().flatten();
    all.filter(|used| used["kind"] != "dev").map(|used| text(&used["name"]))
}

/// Crates of an operating system that the core reaches when built for a bare machine.
fn os_crates_of_core() -> anyhow::Result<Vec<Finding>> {
    let target = BARE_TARGETS[0];
    let features = ["--features", "defmt"];
    let mut tree = cargo(&["tree", "-p", "desync-core", "--edges", "normal", "--target", target]);
    let reached = output(tree.args(features).args(["--prefix", "none", "--format", "{p}"]))?;
    let names: BTreeSet<_> = reached.lines().filter_map(|line| line.split(' ').next()).collect();
    let wrong = OF_AN_OS.iter().filter(|name| names.contains(**name));
    Ok(wrong.map(|name| Finding::new("core/Cargo.toml", 0, format!("the core reaches {name}"))).collect())
}

fn metadata(arguments: &[&str]) -> anyhow::Result<Value> {
    let json = output(cargo(&["metadata", "--format-version", "1", "--offline"]).args(arguments))?;
    serde_json::from_str(&json).context("cargo metadata is not JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "## Arrows\n\n| crate | may use | why |\n|---|---|---|\n| codec | core | |\n\
                         | store | core, codec | form |\n| cli | all of them | |\n\nMore.";

    #[test]
    fn the_table_is_understood() {
        let rules = parse_rules(TABLE).unwrap();
        assert!(rules["desync-core"].is_empty());
        assert_eq!(rules["desync-store"], ["desync-core", "desync-codec"].map(str::to_owned).into());
        assert_eq!(rules["desync"].len(), 3);
    }

    #[test]
    fn a_turned_arrow_is_found() {
        let package = |name: &str, uses: &str, kind: &str| {
            serde_json::json!({"name": name, "manifest_path": format!("/x/adapters/{name}/Cargo.toml"),
                "dependencies": [{"name": uses, "kind": kind}]})
        };
        let metadata = serde_json::json!({"packages": [
            package("desync-codec", "desync-store", ""),
            package("desync-store", "desync-codec", ""),
            package("desync", "desync-unknown", ""),
        ]});
        let found = turned_arrows(&parse_rules(TABLE).unwrap(), &metadata).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].message.contains("desync-codec must not use desync-store"));
        let only_tests = serde_json::json!({"packages": [package("desync-codec", "desync-store", "dev")]});
        assert_eq!(turned_arrows(&parse_rules(TABLE).unwrap(), &only_tests).unwrap(), []);
    }
}
