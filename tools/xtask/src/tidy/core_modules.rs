//! Which modules of the core may know which: the sentences "Inside core" of `core/ARCHITECTURE.md`, read from
//! there.
//!
//! Two forms are understood: ``Inside core: `a`, `b` <- `c` <- `d`.``, where a module may name those of its own
//! group and of groups to its left; and `` `a` and `b` know only `c`. ``

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};

use super::Finding;
use super::tree::Tree;

const DOCUMENT: &str = "core/ARCHITECTURE.md";
const START: &str = "Inside core:";

/// For each module, those that it may name.
type Rules = BTreeMap<String, BTreeSet<String>>;

/// Compares what modules name with what the document allows.
pub(crate) fn check(tree: &Tree) -> anyhow::Result<Vec<Finding>> {
    let document = tree.text(DOCUMENT).with_context(|| format!("{DOCUMENT} is missing"))?;
    let rules = parse_rules(document)?;
    let mut findings = Vec::new();
    for file in tree.rust() {
        let Some(inside) = file.path.strip_prefix("core/src/") else { continue };
        let module = inside.split(['/', '.']).next().unwrap_or_default();
        if module == "lib" {
            continue;
        }
        let Some(allowed) = rules.get(module) else {
            findings.push(Finding::new(
                &file.path,
                0,
                format!("{DOCUMENT} does not say whom `{module}` may know"),
            ));
            continue;
        };
        for (number, line) in file.product_lines() {
            for named in named_modules(line).filter(|named| *named != module && rules.contains_key(*named)) {
                if !allowed.contains(named) {
                    let message = format!(
                        "`{module}` must not know `{named}`; if it has a reason to, {DOCUMENT} says so"
                    );
                    findings.push(Finding::new(&file.path, number, message));
                }
            }
        }
    }
    Ok(findings)
}

fn parse_rules(document: &str) -> anyhow::Result<Rules> {
    let text = document.split(START).nth(1).with_context(|| format!("{DOCUMENT} lacks `{START}`"))?;
    let paragraph = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let mut sentences = paragraph.split(". ");
    let mut rules = Rules::new();
    let mut known = BTreeSet::new();
    for group in sentences.next().unwrap_or_default().split("<-") {
        known.extend(names(group));
        rules.extend(names(group).map(|module| (module, known.clone())));
    }
    for (modules, may_know) in sentences.filter_map(|sentence| sentence.split_once("know only")) {
        rules.extend(names(modules).map(|module| (module, names(may_know).collect())));
        known.extend(names(modules));
    }
    ensure!(rules.len() > 1, "{DOCUMENT}: no module is named after `{START}`");
    // Whoever stands furthest right is built on all of them.
    if let Some(top) = names(paragraph.split(". ").next().unwrap_or_default()).last() {
        rules.insert(top, known);
    }
    Ok(rules)
}

/// What stands in backquotes.
fn names(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// Modules that a line of code names from the crate's root.
fn named_modules(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    let ends = |c: char| !(c.is_alphanumeric() || c == '_');
    code.split("crate::")
        .skip(1)
        .filter_map(move |rest| rest.split(ends).next())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::tree::TextFile;
    use super::*;

    const DOCUMENT_TEXT: &str = "x\n\nInside core: `digest` <- `format`, `codec` <-\n`extract`. `block_io` and `source`\n\
                                 know only `digest`.\n\n`other` text";

    fn findings(path: &str, line: &str) -> Vec<String> {
        let file = |path: &str, text: &str| TextFile { path: path.into(), text: text.into() };
        let files = vec![file(DOCUMENT, DOCUMENT_TEXT), file(path, &format!("//! A.\n{line}\n"))];
        let tree = Tree { root: "/".into(), files };
        check(&tree).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn right_arrows_pass() {
        let none: [String; 0] = [];
        assert_eq!(findings("core/src/format/index.rs", "use crate::digest::ChunkId;"), none);
        assert_eq!(findings("core/src/format/index.rs", "use crate::codec::Decoder;"), none);
        assert_eq!(findings("core/src/extract/mod.rs", "use crate::block_io::BlockRead;"), none);
        assert_eq!(findings("core/src/digest.rs", "// see crate::extract"), none);
    }

    #[test]
    fn turned_arrows_are_found() {
        for (path, line) in [
            ("core/src/digest.rs", "use crate::format::Index;"),
            ("core/src/block_io.rs", "use crate::format::Index;"),
            ("core/src/codec/zstd.rs", "fn f(x: &crate::extract::Runner) {}"),
            ("core/src/novel.rs", ""),
        ] {
            assert_eq!(findings(path, line).len(), 1, "{path}");
        }
    }
}
