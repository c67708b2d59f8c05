//! Reading the file that `--store-file` names.

use std::path::Path;

use anyhow::anyhow;
use desync_config::StoreFile;

use super::file::read_bounded;

/// Reads a store file.
///
/// # Errors
/// A file that cannot be read, that is no store file, or that names no store.
pub(crate) fn load(path: &Path) -> anyhow::Result<StoreFile> {
    let shown = path.display();
    let text = read_bounded(path).map_err(|error| anyhow!("reading {shown}: {error}"))?;
    let file = StoreFile::parse(&text).map_err(|error| anyhow!("reading {shown}: {error}"))?;
    if file.stores.is_empty() {
        return Err(anyhow!("reading {shown}: no store provided"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_file_names_a_store_or_is_refused_by_its_path() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("stores.json");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            load(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read(r#"{"stores": ["/a"]}"#).unwrap().stores, ["/a"]);
        for (text, complaint) in [
            ("", "EOF"),
            ("{}", "no store provided"),
            (r#"{"stores": []}"#, "no store provided"),
            (r#"{"stores": "/a"}"#, "stores: expected an array of strings"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains("stores.json") && error.contains(complaint), "{text}: {error}");
        }
    }
}
