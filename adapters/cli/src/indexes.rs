//! Indexes by location: `-` for stdin and stdout, files, and index stores across a network.
//!
//! Reading is strict; every error begins with the location as it was given. A written index appears under
//! its name only when it is complete.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use desync_core::format::index::stream::{self, IndexReader, IndexStreamError};
use desync_core::format::index::{IndexEncoder, Strictness};
use desync_core::format::{ChunkEntry, Index, IndexHeader, IndexItem};
use desync_core::{ChunkId, DigestKind, Limits};
use desync_engine::{Error, IndexSink};
use desync_files::{Disk, Durability, HostDisk, Publication, PublicationWriter};
use desync_store::{IndexWriter, StoreError};

use crate::index_stores::{RemoteIndex, remote};
use crate::output;
use crate::session::Session;
use crate::settings::{Location, UsageError};

/// What the name of an index that is being written begins with.
const TEMPORARY_PREFIX: &str = ".tmp-index.";

/// Reads a whole index into memory.
///
/// # Errors
/// If it cannot be read, is no index, or was made with another digest than the one insisted upon.
pub(crate) fn read(location: &Location, session: &Session) -> anyhow::Result<Index> {
    let input = open(location, session)?;
    let len = input.len;
    let index = stream::read_all(input, &Limits::HOST, Strictness::Strict, len)
        .map_err(|error| refused(location, error))?;
    insist(location, &index.header, session.digest)?;
    Ok(index)
}

/// Reads an index chunk by chunk, without holding it; returns its header.
///
/// # Errors
/// As [`read`], and what `each` returns. `each` may have seen chunks of an index that is refused later.
pub(crate) fn for_each_chunk(
    location: &Location,
    session: &Session,
    mut each: impl FnMut(&IndexHeader, &ChunkEntry) -> anyhow::Result<()>,
) -> anyhow::Result<IndexHeader> {
    let mut reader = IndexReader::new(open(location, session)?, &Limits::HOST, Strictness::Strict)
        .map_err(|error| refused(location, error))?;
    let header = reader.header();
    insist(location, &header, session.digest)?;
    while let Some(entry) = reader.next_chunk().map_err(|error| refused(location, error))? {
        each(&header, &entry)?;
    }
    Ok(header)
}

/// The IDs of several indexes, in order, repeats included.
///
/// # Errors
/// As [`read`].
pub(crate) fn ids(locations: &[Location], session: &Session) -> anyhow::Result<Vec<ChunkId>> {
    let mut ids = Vec::new();
    for location in locations {
        for_each_chunk(location, session, |_, entry| {
            ids.push(entry.id);
            Ok(())
        })?;
    }
    Ok(ids)
}

/// Checks that stdin is wanted once at most.
///
/// # Errors
/// If more than one location is `-`.
pub(crate) fn only_one_from_stdin<'a>(
    locations: impl IntoIterator<Item = &'a Location>,
) -> Result<(), UsageError> {
    if locations.into_iter().filter(|location| location.is_standard_stream()).count() > 1 {
        return Err(UsageError::new("only one index can be read from stdin ('-')"));
    }
    Ok(())
}

/// Bytes of an index, for core's pump.
struct Input {
    bytes: Box<dyn Read>,
    /// Their number, where it is known.
    len: Option<u64>,
}

impl embedded_io::ErrorType for Input {
    type Error = io::Error;
}

impl embedded_io::Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.bytes.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

fn open(location: &Location, session: &Session) -> anyhow::Result<Input> {
    session.index_options(location)?;
    if location.is_standard_stream() {
        return Ok(Input { bytes: Box::new(io::stdin().lock()), len: None });
    }
    if let Some(RemoteIndex { store, name }) = remote(location, session)? {
        return Ok(Input { bytes: store.read(&name)?, len: None });
    }
    let path = location.path();
    let read = || -> io::Result<Input> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Input { len: metadata.is_file().then_some(metadata.len()), bytes: Box::new(file) })
    };
    read().map_err(|error| anyhow!("{location}: {error}"))
}

fn refused(location: &Location, error: IndexStreamError<io::Error>) -> anyhow::Error {
    match error {
        // A store's error names the location itself.
        IndexStreamError::Stream(error) => match error.downcast::<StoreError>() {
            Ok(error) => error.into(),
            Err(error) => anyhow!("{location}: {error}"),
        },
        error => anyhow!("{location}: {error}"),
    }
}

fn insist(location: &Location, header: &IndexHeader, digest: Option<DigestKind>) -> anyhow::Result<()> {
    if digest.is_some_and(|digest| digest != header.digest()) {
        bail!(
            "{location}: index file uses {}",
            match header.digest() {
                DigestKind::Sha256 => "SHA256",
                DigestKind::Sha512_256 => "SHA512-256",
            }
        );
    }
    Ok(())
}

/// A place where an index will appear: checked before the work, so that a typing error does not show after
/// hours. Takes the index item by item, so that its length does not matter.
///
/// On stdout, a FIFO or a device the index shows as it is made; until its tail is there, it is refused by
/// every reader.
pub(crate) struct Destination {
    location: Location,
    /// Where it is, if across a network.
    remote: Option<RemoteIndex>,
    durability: Durability,
    begun: Option<(Out, IndexEncoder)>,
}

/// What an index is written to.
enum Out {
    Stream(Box<dyn Write>),
    File(PublicationWriter),
    Store(Box<dyn IndexWriter>),
}

impl Destination {
    /// Checks that an index could be written there. No file appears before [`Destination::publish`].
    ///
    /// # Errors
    /// A location that cannot be written.
    pub(crate) fn new(
        location: &Location,
        durability: Durability,
        session: &Session,
    ) -> anyhow::Result<Self> {
        session.index_options(location)?;
        let remote = remote(location, session)?;
        if remote.is_none() && !location.is_standard_stream() {
            check_writable(location.path()).map_err(|error| anyhow!("{location}: {error}"))?;
        }
        Ok(Self { location: location.clone(), remote, durability, begun: None })
    }

    /// Writes the tail and makes the index appear, whole and durable if it is a file.
    ///
    /// # Errors
    /// The system's own; a file that was there before stays then.
    pub(crate) fn publish(mut self) -> anyhow::Result<()> {
        let (mut out, encoder) = self.begun.take().context("internal error: no index was made")?;
        out.write_all(&encoder.tail()).with_context(|| format!("writing {}", self.location))?;
        match out {
            Out::Store(out) => Ok(out.publish()?),
            Out::File(out) => out.publish().with_context(|| format!("writing {}", self.location)),
            Out::Stream(mut out) => out.flush().with_context(|| format!("writing {}", self.location)),
        }
    }

    fn open(&self) -> io::Result<Out> {
        let path = self.location.path();
        if self.location.is_standard_stream() {
            return Ok(Out::Stream(Box::new(output::stdout())));
        }
        if let Some(RemoteIndex { store, name }) = &self.remote {
            return store.write(name).map(Out::Store).map_err(io::Error::other);
        }
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            let file = File::options().write(true).open(path)?;
            return Ok(Out::Stream(Box::new(BufWriter::new(file))));
        }
        let disk: Arc<dyn Disk> = Arc::new(HostDisk);
        let publication = Publication::create(disk, path, TEMPORARY_PREFIX.as_ref(), self.durability)?;
        Ok(Out::File(publication.into_writer()))
    }

    fn error(&self, operation: &'static str) -> impl FnOnce(io::Error) -> Error {
        Error::file(operation, self.location.path())
    }
}

impl Out {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stream(out) => out.write_all(bytes),
            Self::File(out) => out.write_all(bytes),
            Self::Store(out) => out.write_all(bytes),
        }
    }
}

impl IndexSink for Destination {
    fn header(&mut self, header: &IndexHeader) -> Result<(), Error> {
        let encoder = IndexEncoder::new(*header);
        let mut out = self.open().map_err(self.error("create"))?;
        out.write_all(&encoder.header()).map_err(self.error("write"))?;
        self.begun = Some((out, encoder));
        Ok(())
    }

    fn item(&mut self, item: IndexItem) -> Result<(), Error> {
        let failed = Error::file("write", self.location.path());
        let (out, encoder) = self.begun.as_mut().expect("the header comes first");
        let bytes = encoder.item(&item).map_err(|error| Error::Index(error.to_string()))?;
        out.write_all(&bytes).map_err(failed)
    }
}

/// Checks that a file could be created or replaced at `path`.
fn check_writable(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    HostDisk.check_writable(parent.unwrap_or(Path::new(".")))
}
