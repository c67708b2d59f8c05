//! Where a command that serves reads chunks from: `-s` and `-c`, or a store file instead.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Location, UsageError, at_least_one, optional_location};
use crate::args::SourceArgs;
use crate::config;

/// What the flags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceSetting {
    /// These locations, for the whole run.
    Fixed(SourceLocations),
    /// The locations in this file, which may change.
    File(PathBuf),
}

/// The stores that are asked in order, and the cache in front of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceLocations {
    pub(crate) stores: Vec<OsString>,
    pub(crate) cache: Option<Location>,
}

impl SourceSetting {
    /// Reads the flags.
    ///
    /// # Errors
    /// A store file beside a store or cache, or none of them.
    pub(crate) fn new(args: &SourceArgs, store_file: Option<&OsString>) -> Result<Self, UsageError> {
        let Some(file) = store_file.filter(|file| !file.is_empty()) else {
            let stores = at_least_one(&args.store, "no store provided")?;
            return Ok(Self::Fixed(SourceLocations {
                stores,
                cache: optional_location(args.cache.as_ref()),
            }));
        };
        if !args.store.is_empty() {
            return Err(UsageError::new("--store and --store-file can't be used together"));
        }
        if args.cache.is_some() {
            return Err(UsageError::new("--cache and --store-file can't be used together"));
        }
        Ok(Self::File(file.into()))
    }

    /// The locations as they are now.
    ///
    /// # Errors
    /// A store file that cannot be used.
    pub(crate) fn locations(&self) -> anyhow::Result<SourceLocations> {
        match self {
            Self::Fixed(locations) => Ok(locations.clone()),
            Self::File(path) => {
                let file = config::load_store_file(path)?;
                let stores = file.stores.into_iter().map(OsString::from).collect();
                let cache = optional_location(file.cache.map(OsString::from).as_ref());
                Ok(SourceLocations { stores, cache })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_file_stands_alone() {
        let args = |store: &[&str], cache: Option<&str>| SourceArgs {
            store: store.iter().map(OsString::from).collect(),
            cache: cache.map(OsString::from),
        };
        let file = OsString::from("f.json");
        let fixed = SourceSetting::new(&args(&["a,b"], Some("c")), None).unwrap().locations().unwrap();
        assert_eq!((fixed.stores.len(), fixed.cache), (2, Some(Location::new("c"))));
        let alone = SourceSetting::new(&args(&[], None), Some(&file));
        assert_eq!(alone, Ok(SourceSetting::File("f.json".into())));
        let refused = |args: &SourceArgs, file| SourceSetting::new(args, file).unwrap_err().to_string();
        assert_eq!(
            refused(&args(&["a"], None), Some(&file)),
            "--store and --store-file can't be used together"
        );
        assert_eq!(
            refused(&args(&[], Some("c")), Some(&file)),
            "--cache and --store-file can't be used together"
        );
        assert_eq!(refused(&args(&[], None), None), "no store provided");
    }
}
