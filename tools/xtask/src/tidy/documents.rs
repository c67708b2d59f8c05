//! Rules for what is written: the README's map and its table of differences, and paths of one machine.

use std::collections::BTreeSet;
use std::env;

use super::Finding;
use super::tree::Tree;

const README: &str = "README.md";

/// Heading of the table whose first column has numbers of defects.
const DIFFERENCES: &str = "## Differences from Go desync";

/// Folders whose sub-folders the README's map names too.
const HOUSES: [&str; 3] = ["adapters", "tools", "targets"];

/// Applies the rules.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = machine_paths(tree);
    match tree.text(README) {
        None => findings.push(Finding::new(README, 0, "is missing")),
        Some(readme) => {
            findings.extend(unmapped_folders(readme, tree));
            findings.extend(untested_differences(readme, tree));
        }
    }
    findings
}

/// No file holds the path of this checkout, or of the home of who works here.
fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let home = env::var("HOME").ok().filter(|home| home.len() > 1).map(|home| format!("{home}/"));
    let paths: Vec<_> =
        home.into_iter().chain([tree.root.display().to_string()]).filter(|path| path.len() > 1).collect();
    let mut findings = Vec::new();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(path) = paths.iter().find(|path| line.contains(path.as_str())) {
                findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    format!("holds {path}, a path of this machine"),
                ));
            }
        }
    }
    findings
}

/// Folders of the workspace that the README does not name.
fn unmapped_folders(readme: &str, tree: &Tree) -> Vec<Finding> {
    let unnamed = folders(tree).into_iter().filter(|folder| {
        let last = folder.rsplit('/').next().unwrap_or(folder);
        !readme.contains(&format!("{folder}/"))
            && !readme.contains(&format!("`{folder}`"))
            && !readme.contains(&format!("{last}/"))
    });
    unnamed.map(|folder| Finding::new(README, 0, format!("the map does not name {folder}/"))).collect()
}

/// The rooms: top-level folders without a leading dot, and the folders in each house.
fn folders(tree: &Tree) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    for file in tree.files.iter().filter(|file| !file.path.starts_with('.')) {
        let names: Vec<_> = file.path.split('/').collect();
        if names.len() > 1 {
            folders.insert(names[0].to_owned());
        }
        if names.len() > 2 && HOUSES.contains(&names[0]) && !names[1].starts_with('.') {
            folders.insert(format!("{}/{}", names[0], names[1]));
        }
    }
    folders
}

/// Each defect that the README claims to have put right has a test with its number in its name.
fn untested_differences(readme: &str, tree: &Tree) -> Vec<Finding> {
    let tested = tested_defects(tree);
    let claimed = claimed_defects(readme);
    let untested = claimed.into_iter().filter(|(_, defect)| !tested.contains(defect));
    let finding = |(line, defect)| {
        Finding::new(README, line, format!("claims {defect}, but no test is named `defect_{defect:02}_...`"))
    };
    untested.map(finding).collect()
}

/// Lines and numbers of the first column of the table of differences.
fn claimed_defects(readme: &str) -> Vec<(usize, u32)> {
    let numbered = readme.lines().enumerate().map(|(index, line)| (index + 1, line));
    let section = numbered
        .skip_while(|(_, line)| *line != DIFFERENCES)
        .skip(1)
        .take_while(|(_, line)| !line.starts_with("## "));
    let rows =
        section.filter_map(|(number, line)| Some((number, line.strip_prefix('|')?.split('|').next()?)));
    rows.flat_map(|(number, cell)| numbers(cell).map(move |defect| (number, defect))).collect()
}

/// Numbers in the names of tests: `defect_24_...`, several as `defect_24_25_...`.
fn tested_defects(tree: &Tree) -> BTreeSet<u32> {
    let names = tree.rust().flat_map(|file| file.text.split("fn defect_").skip(1));
    names.flat_map(|name| name.split('_').map_while(|part| part.parse().ok())).collect()
}

fn numbers(cell: &str) -> impl Iterator<Item = u32> {
    cell.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::super::tree::TextFile;
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let files = files.iter().map(|(path, text)| TextFile { path: (*path).into(), text: (*text).into() });
        Tree { root: "/nowhere".into(), files: files.collect() }
    }

    #[test]
    fn claims_without_a_test_are_found() {
        let readme = "core/\n## Differences from Go desync\n\n| no. | what |\n|---|---|\n| 3 | a |\n| 24, 25 | b |\n## End\n| 9 | |\n";
        let source = "#[test]\nfn defect_03_is_right() {}\nfn defect_25_24x() {}\n";
        let tree = tree(&[("README.md", readme), ("core/src/lib.rs", source)]);
        let found: Vec<_> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["README.md:7: claims 24, but no test is named `defect_24_...`"]);
    }

    #[test]
    fn folders_missing_from_the_map_are_found() {
        let tree = tree(&[("README.md", "core/ only"), ("core/x.md", ""), ("tools/fuzz/Cargo.toml", "")]);
        let found: Vec<_> = check(&tree).into_iter().map(|finding| finding.message).collect();
        assert_eq!(found, ["the map does not name tools/", "the map does not name tools/fuzz/"]);
    }

    #[test]
    fn paths_of_this_machine_are_found() {
        let tree = tree(&[("README.md", ""), ("a.toml", "x\npath = \"/nowhere/else\"\n")]);
        let found = check(&tree);
        assert_eq!((found.len(), found[0].line), (1, 2), "{found:?}");
    }
}
