//! The place of the tables in a document: between two comments that its readers do not see.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

const BEGIN: &str = "<!-- measured: written by `cargo xtask bench --readme` -->\n";
const END: &str = "<!-- end of measured -->\n";

/// Puts tables into a document, in the place of those that were there, and behind them a picture of them.
///
/// # Errors
/// If the document cannot be read or written, or has no place for them.
pub(crate) fn put(path: &Path, tables: &str, picture: Option<&Path>) -> anyhow::Result<()> {
    let document = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let picture = picture.map(|picture| format!("\n![The same as bars]({})\n", picture.display()));
    let tables = tables.to_owned() + &picture.unwrap_or_default();
    let renewed = replaced(&document, &tables)
        .with_context(|| format!("{} has no lines {BEGIN:?} and {END:?}", path.display()))?;
    fs::write(path, renewed).with_context(|| format!("cannot write {}", path.display()))
}

/// The document with other tables; `None` if it has no place for them.
fn replaced(document: &str, tables: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{tables}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_tables_make_room_for_new_ones() {
        let document = format!("a\n{BEGIN}old\n{END}b\n");
        let renewed = replaced(&document, "new\n").unwrap();
        assert_eq!(renewed, format!("a\n{BEGIN}\nnew\n\n{END}b\n"));
        assert_eq!(replaced(&renewed, "new\n").unwrap(), renewed);
        assert_eq!(replaced("a\nb\n", "new\n"), None);
    }
}
