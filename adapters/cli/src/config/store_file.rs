//! What `--store-file` names: the locations of stores and of a cache, in JSON.
//!
//! `{"stores": ["<location>", …], "cache": "<location>"}`. Each location is one word, as if it stood behind a
//! flag; commas in it are nothing special. Read by the same rules as the config file.

use std::ffi::OsString;
use std::path::Path;

use anyhow::anyhow;
use serde_json::Value;

use super::file::{first_value, read_bounded};
use super::model::{ConfigError, Section};

/// The locations of a store file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoreFile {
    pub(crate) stores: Vec<OsString>,
    pub(crate) cache: Option<OsString>,
}

impl StoreFile {
    fn read(value: &Value) -> Result<Self, ConfigError> {
        let file = Section::new(String::new(), value)?;
        let stores = file.texts("stores")?.unwrap_or_default();
        Ok(Self {
            stores: stores.into_iter().map(OsString::from).collect(),
            cache: file.text("cache")?.map(OsString::from),
        })
    }
}

/// Reads a store file.
///
/// # Errors
/// A file that cannot be read, that is no store file, or that names no store.
pub(crate) fn load(path: &Path) -> anyhow::Result<StoreFile> {
    let shown = path.display();
    let text = read_bounded(path).map_err(|error| anyhow!("reading {shown}: {error}"))?;
    let value = first_value(&text).map_err(|error| anyhow!("reading {shown}: {error}"))?;
    let file = StoreFile::read(&value).map_err(|error| anyhow!("reading {shown}: {error}"))?;
    if file.stores.is_empty() {
        return Err(anyhow!("reading {shown}: no store provided"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<StoreFile, String> {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("stores.json");
        std::fs::write(&path, text).unwrap();
        load(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn locations_are_read_as_they_stand() {
        let file = read(r#"{"Stores": ["/a,b", "http://h/x|/y"], "cache": "/c", "other": 1}"#).unwrap();
        assert_eq!(file.stores, ["/a,b", "http://h/x|/y"]);
        assert_eq!(file.cache.unwrap(), "/c");
        assert_eq!(read(r#"{"stores": ["/a"], "cache": null}"#).unwrap().cache, None);
    }

    #[test]
    fn what_is_no_store_file_is_refused_with_its_place() {
        for (text, complaint) in [
            ("", "EOF"),
            ("[]", "expected an object"),
            ("{}", "no store provided"),
            (r#"{"stores": []}"#, "no store provided"),
            (r#"{"stores": "/a"}"#, "stores: expected an array of strings"),
            (r#"{"stores": [1]}"#, "stores: expected an array of strings"),
            (r#"{"stores": ["/a"], "cache": []}"#, "cache: expected a string"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains("stores.json") && error.contains(complaint), "{text}: {error}");
        }
    }
}
