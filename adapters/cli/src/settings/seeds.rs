//! Seeds: which words name an index, which its data, which data without an index.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{Location, UsageError, list};
use crate::args::ExtractArgs;
use crate::system;

/// Data on this machine to take chunks from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeedSetting {
    /// The index of the data; without one the data is cut on the fly.
    pub(crate) index: Option<Location>,
    /// The data.
    pub(crate) data: PathBuf,
}

/// The ending of an index of a blob, which its data lacks.
const INDEX_SUFFIX: &[u8] = b".caibx";

/// The seeds that were named, in this order: `--seed`, then `--seed-pair`.
///
/// # Errors
/// A word that is no seed.
pub(crate) fn named(args: &ExtractArgs) -> Result<Vec<SeedSetting>, UsageError> {
    let words = list(&args.seed)?;
    let mut seeds = words.iter().map(|word| seed(word)).collect::<Result<Vec<_>, _>>()?;
    seeds.extend(
        args.seed_pair
            .chunks_exact(2)
            .map(|pair| SeedSetting { index: Some(Location::new(&pair[0])), data: PathBuf::from(&pair[1]) }),
    );
    Ok(seeds)
}

/// One value of `--seed`.
///
/// A word that ends in `.caibx` is an index with its data beside it. Otherwise a word without a colon, or
/// whose part before the colon is no file, may name existing data as a whole: device names hold colons.
fn seed(word: &OsStr) -> Result<SeedSetting, UsageError> {
    if let Some(data) = without_index_suffix(word) {
        return Ok(SeedSetting { index: Some(Location::new(word)), data: data.into() });
    }
    let mut fields = system::bytes(word).split(|b| *b == b':');
    let first = system::word_of(fields.next().unwrap_or_default());
    let second = fields.next();
    if (second.is_none() || !Path::new(&first).exists()) && is_data(Path::new(word)) {
        return Ok(SeedSetting { index: None, data: word.into() });
    }
    match second {
        Some(data) => {
            if fields.next().is_some() {
                log::warn!("seed {}: what follows the second colon is ignored", word.display());
            }
            Ok(SeedSetting { index: Some(Location::new(first)), data: system::word_of(data).into() })
        }
        None => {
            let word = Location::new(word);
            Err(UsageError::new(format!("the provided seed argument \"{word}\" seems to be malformed")))
        }
    }
}

fn without_index_suffix(word: &OsStr) -> Option<OsString> {
    system::bytes(word).strip_suffix(INDEX_SUFFIX).map(system::word_of)
}

#[cfg(feature = "trees")]
/// The seeds of an archive: `INDEX:DATA`, or an index that ends in `.caidx` with its archive beside it, or data
/// without an index, a tree among them.
///
/// # Errors
/// A word that is no seed.
pub(crate) fn of_archives(words: &[OsString]) -> Result<Vec<SeedSetting>, UsageError> {
    list(words)?.iter().map(|word| archive_seed(word)).collect()
}

#[cfg(feature = "trees")]
fn archive_seed(word: &OsStr) -> Result<SeedSetting, UsageError> {
    if Path::new(word).is_dir() {
        return Ok(SeedSetting { index: None, data: word.into() });
    }
    let is_pair = system::bytes(word).contains(&b':') && !Path::new(word).exists();
    match system::bytes(word).strip_suffix(b".caidx") {
        Some(stem) if !is_pair => {
            let data = system::word_of([stem, b".catar"].concat());
            Ok(SeedSetting { index: Some(Location::new(word)), data: data.into() })
        }
        _ => seed(word),
    }
}

/// Whether a path names an existing file or block device.
fn is_data(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() || system::is_block_device(found.file_type()))
}

/// The seeds below directories, in lexical order: every `.caibx` file that has its data beside it, but for
/// the index that is being extracted.
///
/// # Errors
/// A directory that cannot be read.
pub(crate) fn in_directories(directories: &[OsString], index: &Location) -> anyhow::Result<Vec<SeedSetting>> {
    let own = std::path::absolute(index.path()).ok().map(|path| desync_config::clean(&path));
    let directories = list(directories)?;
    let mut seeds = Vec::new();
    for directory in &directories {
        walk(Path::new(directory), &mut |path| {
            let absolute = std::path::absolute(path).ok().map(|path| desync_config::clean(&path));
            if absolute == own {
                return;
            }
            // A file that is just called `.caibx` has no data that could be beside it.
            let Some(data) = without_index_suffix(path.as_os_str()).map(PathBuf::from) else { return };
            if !system::bytes(data.as_os_str()).ends_with(b"/") && data.exists() {
                seeds.push(SeedSetting { index: Some(Location::new(path)), data });
            }
        })?;
    }
    Ok(seeds)
}

/// Calls `found` for each file below `directory`, in lexical order. Links to directories are not followed.
fn walk(directory: &Path, found: &mut dyn FnMut(&Path)) -> anyhow::Result<()> {
    let read = |error: std::io::Error| anyhow::anyhow!("{}: {error}", directory.display());
    let mut entries =
        std::fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(read)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(read)?;
        if kind.is_dir() {
            walk(&entry.path(), found)?;
        } else {
            found(&entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_index(index: &str, data: &str) -> SeedSetting {
        SeedSetting { index: Some(Location::new(index)), data: data.into() }
    }

    #[test]
    fn an_index_has_its_data_beside_it_or_after_a_colon() {
        assert_eq!(seed("a/v1.caibx".as_ref()).unwrap(), with_index("a/v1.caibx", "a/v1"));
        assert_eq!(seed("a:b.caibx".as_ref()).unwrap(), with_index("a:b.caibx", "a:b"));
        assert_eq!(seed("v1.caibx:/data/v1".as_ref()).unwrap(), with_index("v1.caibx", "/data/v1"));
        assert_eq!(seed("i:d:later".as_ref()).unwrap(), with_index("i", "d"));
        let text = seed("no-such-file".as_ref()).unwrap_err().to_string();
        assert_eq!(text, "the provided seed argument \"no-such-file\" seems to be malformed");
    }

    #[test]
    fn an_existing_file_is_a_seed_without_an_index() {
        let room = tempfile::tempdir().unwrap();
        let plain = room.path().join("v1");
        let odd = room.path().join("pci-0000:00:1f.2");
        std::fs::write(&plain, "data").unwrap();
        std::fs::write(&odd, "data").unwrap();
        for path in [plain, odd] {
            assert_eq!(seed(path.as_os_str()).unwrap(), SeedSetting { index: None, data: path });
        }
        assert!(seed(room.path().as_os_str()).is_err(), "a directory is no seed");
    }

    #[test]
    fn defect_69_pairs_can_express_any_names() {
        let args = ExtractArgs {
            seed: vec!["\"a,b.caibx\"".into()],
            seed_pair: ["http://h:80/x.caibx", "blob.caibx", "a:b", "c,d"].map(OsString::from).to_vec(),
            ..extract_args()
        };
        assert_eq!(
            named(&args).unwrap(),
            [
                with_index("a,b.caibx", "a,b"),
                with_index("http://h:80/x.caibx", "blob.caibx"),
                with_index("a:b", "c,d")
            ]
        );
    }

    fn extract_args() -> ExtractArgs {
        let line = ["desync", "extract", "i", "o"].map(OsString::from).to_vec();
        match crate::args::parse(line).unwrap().command {
            Some(crate::args::Command::Extract(args)) => args,
            _ => panic!("another command"),
        }
    }

    #[test]
    fn directories_are_searched_in_lexical_order_and_below() {
        let room = tempfile::tempdir().unwrap();
        let path = |name: &str| room.path().join(name);
        std::fs::create_dir(path("b")).unwrap();
        for name in ["c.caibx", "c", "b/x.caibx", "b/x", "a.caibx", "a", "lonely.caibx", ".caibx", "plain"] {
            std::fs::write(path(name), "").unwrap();
        }
        let own = Location::new(room.path().join("b/../a.caibx"));
        let found = in_directories(&[room.path().into()], &own).unwrap();
        let expected = ["b/x", "c"].map(|name| SeedSetting {
            index: Some(Location::new(path(&format!("{name}.caibx")))),
            data: path(name),
        });
        assert_eq!(found, expected);
        let error = in_directories(&[path("none").into()], &own).unwrap_err();
        assert!(error.to_string().contains("none"));
    }
}
