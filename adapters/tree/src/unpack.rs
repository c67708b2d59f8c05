//! An archive into a tree: bytes in as they come, nodes out to a sink.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use desync_core::Limits;
use desync_core::format::FeatureFlags;
use desync_core::format::Strictness;
use desync_core::format::catar::{Content, Decoder, Event, Expected, Node};
use desync_engine::Cancel;

use crate::path::TreePath;
use crate::{Error, Sink};

/// What `desync tar` of the Go program records, always.
pub(crate) const GO_DESYNC: FeatureFlags = FeatureFlags::from_bits_retain(0xb000_0000_1000_1f22);

/// How an archive is read.
#[derive(Clone, Copy, Debug)]
pub struct UnpackOptions {
    /// What is known of the archive.
    pub expected: Expected,
    /// Whether names may come in any order, among other things.
    pub strictness: Strictness,
    /// Only these features of the archive are taken; the rest is left out as if it were not there.
    pub features: FeatureFlags,
    /// Whether Go desync made the archive: then each extended attribute's value has a NUL too many.
    pub strip_nul_of_xattrs: bool,
}

/// Takes the bytes of an archive and hands its nodes to a sink.
pub struct Unpacker<'a> {
    decoder: Decoder,
    options: UnpackOptions,
    sink: &'a mut dyn Sink,
    cancel: &'a Cancel,
    name: PathBuf,
    path: TreePath,
    /// Whether the data of the present node are left out with it.
    is_left_out: bool,
    /// Whether every value so far ended with a NUL; none if there was no value.
    values_end_with_nul: Option<bool>,
    error: Option<Error>,
}

impl<'a> Unpacker<'a> {
    /// An unpacker at the start of an archive that errors call `name`.
    pub fn new(name: &Path, options: UnpackOptions, sink: &'a mut dyn Sink, cancel: &'a Cancel) -> Self {
        Self {
            decoder: Decoder::new(Limits::HOST, options.strictness, options.expected),
            options,
            sink,
            cancel,
            name: name.to_owned(),
            path: TreePath::default(),
            is_left_out: false,
            values_end_with_nul: None,
            error: None,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Error::Archive`] for what is no archive, the sink's, [`Error::Interrupted`].
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        self.cancel.check()?;
        while let Some(event) = self
            .decoder
            .next(&mut bytes)
            .map_err(|error| Error::archive(&self.name.join(self.path.shown(b"")), error))?
        {
            match event {
                Event::Node(node) => self.node(*node)?,
                Event::Data { bytes, is_last } if !self.is_left_out => self.sink.data(bytes, is_last)?,
                Event::Data { .. } => {}
                Event::Leave => {
                    self.path.leave();
                    self.sink.leave()?;
                }
            }
        }
        Ok(())
    }

    /// Declares the end of the archive.
    ///
    /// # Errors
    /// [`Error::Archive`] if it is not complete; the sink's.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.decoder.finish().map_err(|error| Error::archive(&self.name, error))?;
        self.sink.finish()
    }

    /// The error that ended a write, if one did: better than what the writer was told.
    pub fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }

    /// Whether the archive looks like one of Go desync whose values have a NUL too many.
    #[must_use]
    pub fn seems_to_have_nuls(&self) -> bool {
        self.decoder.features() == Some(GO_DESYNC)
            && self.values_end_with_nul == Some(true)
            && !self.options.strip_nul_of_xattrs
    }

    fn node(&mut self, mut node: Node) -> Result<(), Error> {
        self.cancel.check()?;
        for xattr in &mut node.xattrs {
            let ends_with_nul = xattr.value.last() == Some(&0);
            *self.values_end_with_nul.get_or_insert(true) &= ends_with_nul;
            if self.options.strip_nul_of_xattrs && ends_with_nul {
                xattr.value.pop();
            }
        }
        let archived = self.decoder.features().unwrap_or(FeatureFlags::empty());
        let kept = (archived & self.options.features).normal_form();
        if node.name.is_empty() {
            self.sink.begin(archived, kept)?;
        }
        self.is_left_out = kept != archived && !node.reduce(kept);
        if self.is_left_out {
            return Ok(());
        }
        if let Content::Directory = node.content {
            self.path.enter(&node.name);
        }
        self.sink.node(&node)
    }
}

impl Write for Unpacker<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.push(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                let told = io::Error::other(error.to_string());
                self.error = Some(error);
                Err(told)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
