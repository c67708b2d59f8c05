//! Rules for Rust files: opening comment, length, leftovers, `std` in the core, forgotten files.

use super::Finding;
use super::tree::{TextFile, Tree};

/// Lines without tests above which a file is remarked upon, and above which it fails.
const LONG: usize = 500;
const TOO_LONG: usize = 700;

/// Marks of unfinished work. Written in two halves so that this file does not find itself.
const LEFTOVERS: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("XX", "X:"),
];

/// A test that is left out without a reason.
const BARE_IGNORE: &str = concat!("#[ign", "ore]");

/// Applies the rules to every Rust file.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        findings.extend(opening(file));
        findings.extend(length(file));
        findings.extend(leftovers(file));
        findings.extend(std_in_core(file));
        findings.extend(forgotten(file, tree));
    }
    findings
}

fn opening(file: &TextFile) -> Option<Finding> {
    let has_opening = file.text.starts_with("//!");
    (!has_opening).then(|| Finding::new(&file.path, 1, "opens without a `//!` comment on what lives here"))
}

fn length(file: &TextFile) -> Option<Finding> {
    let lines = file.product_lines().count();
    let message = format!("{lines} lines without tests; split it by what it tells (limit {TOO_LONG})");
    let finding = Finding::new(&file.path, 0, message);
    (lines > LONG).then_some(Finding { is_warning: lines <= TOO_LONG, ..finding })
}

fn leftovers(file: &TextFile) -> Vec<Finding> {
    let lines = file.text.lines().enumerate();
    let found = lines.filter_map(|(index, line)| {
        let leftover = LEFTOVERS.iter().find(|mark| line.contains(**mark));
        let bare = line.trim() == BARE_IGNORE;
        match (leftover, bare) {
            (Some(mark), _) => Some(Finding::new(&file.path, index + 1, format!("`{mark}` is left over"))),
            (None, true) => Some(Finding::new(&file.path, index + 1, "a test is left out without a reason")),
            (None, false) => None,
        }
    });
    found.collect()
}

/// The core names `std` only where the line before asks for the feature.
fn std_in_core(file: &TextFile) -> Vec<Finding> {
    if !file.path.starts_with("core/src/") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut previous = "";
    for (number, line) in file.product_lines() {
        let code = line.split("//").next().unwrap_or_default();
        if names_std(code) && !previous.contains("cfg(") {
            findings.push(Finding::new(
                &file.path,
                number,
                "the core names `std` without asking for the feature",
            ));
        }
        previous = line;
    }
    findings
}

fn names_std(code: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let path = code.match_indices("std::").any(|(at, _)| !code[..at].ends_with(is_part));
    path || code.contains("extern crate std")
}

/// A module file that no other file declares is never compiled.
fn forgotten(file: &TextFile, tree: &Tree) -> Option<Finding> {
    let (folder, name) = file.path.rsplit_once('/')?;
    let stem = name.strip_suffix(".rs")?;
    let in_a_module_tree = file.path.contains("/src/") || file.path.contains("/tests/");
    let is_root = match folder.rsplit_once('/').map_or(folder, |(_, last)| last) {
        "src" => ["lib", "main"].contains(&stem),
        "bin" | "tests" | "examples" | "benches" => is_cargo_folder(folder, tree),
        // A program of several files: `tests/NAME/main.rs`.
        _ => {
            stem == "main" && folder.rsplit_once('/').is_some_and(|(parent, _)| is_cargo_folder(parent, tree))
        }
    };
    if !in_a_module_tree || is_root || stem == "build" {
        return None;
    }
    let (folder, module) = if stem == "mod" { folder.rsplit_once('/')? } else { (folder, stem) };
    let mut parents = ["/mod.rs", "/lib.rs", "/main.rs", ".rs"].map(|end| format!("{folder}{end}")).to_vec();
    // A module of integration tests is declared by a test file beside its folder.
    let beside =
        tree.rust().filter(|other| other.path.rsplit_once('/').is_some_and(|(parent, _)| parent == folder));
    parents.extend(beside.map(|other| other.path.clone()));
    // A module with one file for each system is declared by a `path` attribute.
    let declarations = [format!("mod {module};"), format!("{module}.rs\"")];
    let mut texts = parents.iter().filter_map(|path| tree.text(path));
    let is_declared = texts.any(|text| declarations.iter().any(|declaration| text.contains(declaration)));
    (!is_declared)
        .then(|| Finding::new(&file.path, 0, "no file declares this module, so it is never compiled"))
}

/// Whether cargo compiles each file of this folder by itself: it lies in a crate, not among modules.
fn is_cargo_folder(folder: &str, tree: &Tree) -> bool {
    let parent = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
    let parent = parent.strip_suffix("/src").unwrap_or(parent);
    tree.text(&format!("{parent}/Cargo.toml")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    fn messages(files: Vec<TextFile>) -> Vec<String> {
        let tree = Tree { root: "/".into(), files };
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_tidy_crate_has_no_findings() {
        let files = vec![
            file("a/Cargo.toml", ""),
            file("a/src/lib.rs", "//! A.\nmod b;\n"),
            file("a/src/b.rs", "//! B.\n"),
            file("a/tests/c.rs", "//! C.\nmod d;\n"),
            file("a/tests/d/mod.rs", "//! D.\n"),
            file("a/tests/e/main.rs", "//! E.\nmod f;\n"),
            file("a/tests/e/f.rs", "//! F.\n"),
        ];
        assert_eq!(messages(files), <[String; 0]>::default());
    }

    #[test]
    fn each_rule_finds_its_breach() {
        let long = format!("//! L.\n{}", "\n".repeat(TOO_LONG));
        let cases = [
            ("a/src/lib.rs", "fn f() {}".to_owned(), "opens without"),
            ("a/src/lib.rs", long, "701 lines"),
            ("a/src/lib.rs", format!("//! A.\n// {}: later", LEFTOVERS[0]), "left over"),
            ("a/src/lib.rs", format!("//! A.\n{BARE_IGNORE}\n"), "without a reason"),
            ("core/src/lib.rs", "//! A.\nuse std::fs;\n".to_owned(), "names `std`"),
            ("a/src/b.rs", "//! B.\n".to_owned(), "never compiled"),
        ];
        for (path, text, expected) in cases {
            let found = messages(vec![file(path, &text)]);
            assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
        }
    }

    #[test]
    fn std_is_allowed_behind_its_feature_in_tests_and_in_words() {
        let text = "//! A.\n#[cfg(feature = \"std\")]\nextern crate std;\n// std::fs\nlet x = my_std::y;\n\
                    #[cfg(test)]\nmod tests { use std::fs; }\n";
        assert_eq!(messages(vec![file("core/src/lib.rs", text)]), <[String; 0]>::default());
    }
}
