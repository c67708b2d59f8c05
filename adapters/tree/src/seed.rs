//! A tree on disk as a seed: archived again as the wanted archive was, and read at any offset of that archive.
//!
//! While the tree is archived it is noted where each stretch of the archive comes from: bytes between files, and
//! short files, are kept in a temporary file without a name; the rest stays in the tree. So a seed takes little memory
//! and no copy of the tree. What the tree gives later is believed only once it was hashed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use desync_core::Limits;
use desync_core::format::FeatureFlags;
use desync_core::format::catar::{CatarError, Content, Encoder, Node};
use desync_engine::{Context, SeedRead};
use rustix::fs::{self, Mode, OFlags};

use crate::path::TreePath;
use crate::{Error, Notices, Owners, PackOptions, Sink, pack, system};

/// Files up to this length are kept with the bytes between files.
const KEPT_LEN_MAX: u64 = 4096;

/// The archive of a tree, as far as it was made.
#[derive(Default)]
struct Map {
    /// In order of their starts; each ends where the next starts.
    stretches: Vec<Stretch>,
    /// Paths of files, one after another.
    paths: Vec<u8>,
    len: u64,
}

/// Bytes of the archive that come from one place.
#[derive(Clone, Copy)]
struct Stretch {
    /// Where in the archive they start.
    start: u64,
    from: From,
}

#[derive(Clone, Copy)]
enum From {
    /// From here on in the temporary file.
    Kept(u64),
    /// The file whose path stands here among the paths.
    File { path: usize, len: usize },
}

/// A tree that can be read as an archive.
pub struct TreeSeed {
    root: OwnedFd,
    map: Map,
    kept: File,
    /// The file that was read last: chunks of a large one follow each other.
    last: Mutex<Option<(usize, File)>>,
}

impl std::fmt::Debug for TreeSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TreeSeed").field("len", &self.map.len).finish_non_exhaustive()
    }
}

/// A tree that is about to be archived as a seed.
pub struct TreeSeeder {
    root: PathBuf,
    options: PackOptions,
    map: Map,
    kept: File,
}

/// Losses of a seed are nobody's loss.
struct Nobody;

impl Notices for Nobody {
    fn lost(&self, path: &Path, what: &str) {
        log::debug!("seed: {}: {what}", path.display());
    }
}

impl TreeSeeder {
    /// Prepares to archive the tree at `root` with these features.
    ///
    /// # Errors
    /// If no temporary file can be made.
    pub fn new(root: &Path, features: FeatureFlags) -> Result<Self, Error> {
        let kept = tempfile::tempfile().map_err(Error::file("make a temporary file for", root))?;
        let one_file_system = features.contains(FeatureFlags::EXCLUDE_SUBMOUNTS);
        let options = PackOptions { features, one_file_system, copy_hard_links: true };
        Ok(Self { root: root.to_owned(), options, map: Map::default(), kept })
    }

    /// Archives the tree to `out`, for it to be cut, and notes where everything came from.
    ///
    /// # Errors
    /// As [`pack()`].
    pub fn archive(
        &mut self,
        out: &mut dyn Write,
        owners: &Owners,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let encoder = Encoder::new(self.options.features, &Limits::HOST)
            .map_err(|error| Error::archive(&self.root, error))?;
        let mut sink = Mapper {
            encoder,
            map: &mut self.map,
            kept: &mut self.kept,
            kept_len: 0,
            keeps_data: false,
            buffer: Vec::new(),
            path: TreePath::default(),
            root: &self.root,
            out,
        };
        pack(&self.root, &self.options, owners, &Nobody, &mut sink, context)
    }

    /// The seed, once it was archived.
    ///
    /// # Errors
    /// If the root cannot be opened any more.
    pub fn into_seed(self) -> Result<TreeSeed, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = fs::open(&self.root, flags, Mode::empty())
            .map_err(|error| Error::file("open directory", &self.root)(error.into()))?;
        Ok(TreeSeed { root, map: self.map, kept: self.kept, last: Mutex::new(None) })
    }
}

/// Archives and notes.
struct Mapper<'a> {
    encoder: Encoder,
    map: &'a mut Map,
    kept: &'a mut File,
    kept_len: u64,
    /// Whether the data of the present file are kept.
    keeps_data: bool,
    buffer: Vec<u8>,
    path: TreePath,
    root: &'a Path,
    out: &'a mut dyn Write,
}

impl Mapper<'_> {
    /// Passes bytes on and keeps them.
    fn keep(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let follows = matches!(self.map.stretches.last(), Some(Stretch { from: From::Kept(_), .. }));
        if !follows && !bytes.is_empty() {
            self.map.stretches.push(Stretch { start: self.map.len, from: From::Kept(self.kept_len) });
        }
        self.kept.write_all(bytes).map_err(Error::file("write a temporary file for", self.root))?;
        self.kept_len += bytes.len() as u64;
        self.pass(bytes)
    }

    fn pass(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.map.len += bytes.len() as u64;
        self.out.write_all(bytes).map_err(Error::file("write", self.root))
    }

    /// Keeps what the encoder put into the buffer.
    fn keep_encoded(&mut self, result: Result<(), CatarError>) -> Result<(), Error> {
        result.map_err(|error| Error::archive(self.root, error))?;
        let mut buffer = std::mem::take(&mut self.buffer);
        self.keep(&buffer)?;
        buffer.clear();
        self.buffer = buffer;
        Ok(())
    }
}

impl Sink for Mapper<'_> {
    fn node(&mut self, node: &Node) -> Result<(), Error> {
        let result = self.encoder.node(node, &mut self.buffer);
        self.keep_encoded(result)?;
        match node.content {
            Content::Directory => self.path.enter(&node.name),
            Content::File { len } => {
                self.keeps_data = len <= KEPT_LEN_MAX;
                if !self.keeps_data {
                    let path = self.path.of(&node.name);
                    let from = From::File { path: self.map.paths.len(), len: path.len() };
                    self.map.stretches.push(Stretch { start: self.map.len, from });
                    self.map.paths.extend_from_slice(&path);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn data(&mut self, bytes: &[u8], _is_last: bool) -> Result<(), Error> {
        self.encoder.skip_data(bytes.len() as u64).map_err(|error| Error::archive(self.root, error))?;
        if self.keeps_data { self.keep(bytes) } else { self.pass(bytes) }
    }

    fn leave(&mut self) -> Result<(), Error> {
        self.path.leave();
        let result = self.encoder.leave(&mut self.buffer);
        self.keep_encoded(result)
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(Error::file("write", self.root))
    }
}

impl SeedRead for TreeSeed {
    fn read_at(&self, offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.map.len);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut position = offset;
        while !buffer.is_empty() {
            let next = self.map.stretches.partition_point(|stretch| stretch.start <= position);
            let stretch = self.map.stretches[next - 1];
            let end = self.map.stretches.get(next).map_or(self.map.len, |next| next.start);
            let len = (end - position).min(buffer.len() as u64) as usize;
            let (now, later) = buffer.split_at_mut(len);
            let within = position - stretch.start;
            match stretch.from {
                From::Kept(start) => self.kept.read_exact_at(now, start + within)?,
                From::File { path, len } => self.read_file(path, len, within, now)?,
            }
            position += len as u64;
            buffer = later;
        }
        Ok(())
    }
}

impl TreeSeed {
    fn read_file(&self, path: usize, len: usize, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.as_ref().is_none_or(|(open, _)| *open != path) {
            let name = &self.map.paths[path..path + len];
            *last = Some((path, self.open(name)?));
        }
        let file = last.as_ref().map(|(_, file)| file.try_clone()).transpose()?;
        drop(last);
        file.ok_or(io::ErrorKind::NotFound)?.read_exact_at(buffer, offset)
    }

    fn open(&self, path: &[u8]) -> io::Result<File> {
        let mut directory = None::<OwnedFd>;
        let mut names = path.split(|byte| *byte == b'/').peekable();
        while let Some(name) = names.next() {
            let parent = directory.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            if names.peek().is_none() {
                return Ok(system::open_beneath(parent, name, OFlags::RDONLY, Mode::empty())?.into());
            }
            directory = Some(system::open_directory(parent, name)?);
        }
        Err(io::Error::new(io::ErrorKind::NotFound, OsStr::from_bytes(path).display().to_string()))
    }
}
