//! Where the config file lies, reading it, and writing it back.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use desync_config::Config;
use desync_files::{Disk, Durability, HostDisk, Publication};

/// Where the config file lies below the home directory.
const DEFAULT_PATH: &str = ".config/desync/config.json";

/// Longest config file in bytes.
const LEN_MAX: u64 = 16 << 20;

/// Who reads the config file: it may hold secrets.
const MODE: u32 = 0o600;

/// A config file by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    path: PathBuf,
    /// Whether it must exist: the user named it.
    named: bool,
}

impl ConfigFile {
    /// The file named, or the default one; none if there is no home directory either.
    pub(crate) fn locate(named: Option<&OsString>, home: Option<OsString>) -> Option<Self> {
        if let Some(path) = named.filter(|path| !path.is_empty()) {
            return Some(Self { path: path.into(), named: true });
        }
        let home = home.filter(|home| !home.is_empty())?;
        Some(Self { path: Path::new(&home).join(DEFAULT_PATH), named: false })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads the config. A file that does not exist is an empty one, unless it was named and `may_be_new` is not
/// set.
///
/// # Errors
/// A named file that is not there, a file that cannot be read, or one that is not a config.
pub(crate) fn load(file: Option<&ConfigFile>, may_be_new: bool) -> anyhow::Result<Config> {
    let Some(file) = file else { return Ok(Config::default()) };
    let shown = file.path.display();
    let text = match read_bounded(&file.path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && (may_be_new || !file.named) => {
            return Ok(Config::default());
        }
        Err(error) => return Err(anyhow!("reading {shown}: {error}")),
    };
    Config::parse(&text).map_err(|error| anyhow!("reading {shown}: {error}"))
}

/// The bytes of a file that is not longer than a config can be. Some files never end.
pub(super) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(LEN_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LEN_MAX {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("longer than {LEN_MAX} bytes")));
    }
    Ok(text)
}

/// Replaces the config file, durably, readable by its owner only. Missing directories are created.
///
/// # Errors
/// The system's own, with the path. The old file stays then.
pub(crate) fn write(file: &ConfigFile, config: &Config) -> anyhow::Result<()> {
    let text = serde_json::to_vec_pretty(config)?;
    publish(&file.path, &text).with_context(|| format!("writing {}", file.path.display()))
}

fn publish(path: &Path, text: &[u8]) -> std::io::Result<()> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        crate::system::create_directories(directory)?;
    }
    let disk: Arc<dyn Disk> = Arc::new(HostDisk);
    let publication = Publication::create(disk, path, OsStr::new(".config.json."), Durability::Sync)?;
    publication.file().set_access(MODE, None)?;
    let mut writer = publication.into_writer();
    writer.write_all(text)?;
    writer.publish()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn named(path: &Path) -> ConfigFile {
        ConfigFile { path: path.to_owned(), named: true }
    }

    #[test]
    fn the_default_lies_in_the_home_directory() {
        let file = ConfigFile::locate(None, Some("/home/u".into())).unwrap();
        assert_eq!(file.path(), Path::new("/home/u/.config/desync/config.json"));
        assert_eq!(ConfigFile::locate(None, None), None);
        assert_eq!(ConfigFile::locate(Some(&"c".into()), None), Some(named(Path::new("c"))));
        assert_eq!(ConfigFile::locate(Some(&OsString::new()), None), None);
    }

    #[test]
    fn a_missing_file_is_fine_unless_it_was_named() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("c.json");
        assert!(load(Some(&ConfigFile { path: path.clone(), named: false }), false).is_ok());
        assert!(load(Some(&named(&path)), true).is_ok());
        let text = load(Some(&named(&path)), false).unwrap_err().to_string();
        assert!(text.starts_with("reading ") && text.contains("c.json"), "{text}");
    }

    #[test]
    fn only_the_first_value_is_read() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("c.json");
        std::fs::write(&path, "{\"store-options\":{}} trailing").unwrap();
        assert!(load(Some(&named(&path)), false).is_ok());
        std::fs::write(&path, "{bad").unwrap();
        assert!(load(Some(&named(&path)), false).unwrap_err().to_string().starts_with("reading "));
    }

    #[test]
    fn what_is_written_is_private_and_read_back() {
        let room = tempfile::tempdir().unwrap();
        let file = named(&room.path().join("new/dir/c.json"));
        let text = r#"{"store-options":{"/a":{"error-retry":0}}}"#;
        let config = Config::parse(text.as_bytes()).unwrap();
        for _ in 0..2 {
            write(&file, &config).unwrap();
            assert_eq!(load(Some(&file), false).unwrap(), config);
            assert_eq!(file.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(!std::fs::read(file.path()).unwrap().ends_with(b"\n"));
    }
}
