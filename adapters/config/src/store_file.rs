//! What `--store-file` names says: the locations of stores and of a cache.

use crate::section::{ConfigError, Section, first_value};

/// The locations of a store file: `{"stores": ["<location>", …], "cache": "<location>"}`. Each is one word, as if
/// it stood behind a flag; commas in it are nothing special.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreFile {
    /// The stores, in order.
    pub stores: Vec<String>,
    /// The cache in front of them.
    pub cache: Option<String>,
}

impl StoreFile {
    /// Reads the text of a store file, by the same rules as a config file.
    ///
    /// # Errors
    /// Text that is no JSON, or says something else.
    pub fn parse(text: &[u8]) -> Result<Self, ConfigError> {
        let value = first_value(text)?;
        let file = Section::file(&value)?;
        Ok(Self { stores: file.texts("stores")?.unwrap_or_default(), cache: file.text("cache")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_as_they_stand() {
        let read = |text: &str| StoreFile::parse(text.as_bytes()).unwrap();
        let file = read(r#"{"Stores": ["/a,b", "http://h/x|/y"], "cache": "/c", "other": 1}"#);
        assert_eq!(file.stores, ["/a,b", "http://h/x|/y"]);
        assert_eq!(file.cache.unwrap(), "/c");
        assert_eq!(read(r#"{"stores": ["/a"], "cache": null}"#).cache, None);
        assert_eq!(read("{}"), StoreFile::default());
    }

    #[test]
    fn what_is_no_store_file_is_refused_with_its_place() {
        for (text, complaint) in [
            ("", "EOF"),
            ("[]", "the file: expected an object"),
            (r#"{"stores": "/a"}"#, "stores: expected an array of strings"),
            (r#"{"stores": [1]}"#, "stores: expected an array of strings"),
            (r#"{"stores": ["/a"], "cache": []}"#, "cache: expected a string"),
        ] {
            let error = StoreFile::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }
}
