//! The host's end of a link to a device: questions about one index and a store of chunks, answered.
//!
//! Keeps the last chunk in the form the device reads, since a device fetches a chunk in many pieces.
//! What is handed out was verified by the store, so that a device is not sent damaged bytes over a slow line.

use std::io::{self, Read, Write};

use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::format::{IndexHeader, StorageForm};
use desync_core::protocol::link::{Answer, Ask, LINK_VERSION, LinkServer, Question};
use desync_core::{ChunkId, DigestKind};
use desync_store::{Bytes, ChunkStore, ErrorKind};

use crate::form::{Form, Former};

/// Bytes that are read from a line at once: more than a question has.
const READ_LEN: usize = 512;

/// How a connection to a device ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// The device needs no more.
    Closed {
        /// What it said: 0 if all went well.
        status: u8,
    },
    /// The line was closed. The device may come back.
    HungUp,
}

/// Answers the questions of one device.
pub struct LinkHost<'a> {
    index: &'a [u8],
    index_id: ChunkId,
    digest: DigestKind,
    chunk_len_max: u64,
    store: &'a dyn ChunkStore,
    former: Former,
    last: Option<Prepared>,
}

/// A chunk in the form that was asked for.
struct Prepared {
    id: ChunkId,
    form: Form,
    bytes: Bytes,
}

impl<'a> LinkHost<'a> {
    /// Serves an index, given as its bytes and its header, and the chunks of a store.
    #[must_use]
    pub fn new(index: &'a [u8], header: &IndexHeader, store: &'a dyn ChunkStore) -> Self {
        Self {
            index,
            index_id: DigestKind::Sha512_256.id_of(index),
            digest: header.digest(),
            chunk_len_max: header.sizes.max(),
            store,
            former: Former::new(),
            last: None,
        }
    }

    /// Answers what comes from a line until the device or the line closes.
    ///
    /// # Errors
    /// The line's own.
    pub fn serve(&mut self, line: &mut (impl Read + Write)) -> io::Result<LinkEnd> {
        let mut question_buffer = [0; LinkServer::BUFFER_LEN];
        let mut server = LinkServer::new(&mut question_buffer);
        let (mut buffer, mut frame) = ([0; READ_LEN], Vec::new());
        loop {
            let len = match line.read(&mut buffer) {
                Ok(0) => return Ok(LinkEnd::HungUp),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let mut bytes = &buffer[..len];
            while let Some(question) = server.next(&mut bytes) {
                self.answer(&question, &mut frame);
                line.write_all(&frame)?;
                line.flush()?;
                if let Ask::Close { status } = question.ask {
                    return Ok(LinkEnd::Closed { status });
                }
            }
        }
    }

    /// Replaces the content of `frame` with the answer.
    fn answer(&mut self, question: &Question, frame: &mut Vec<u8>) {
        match question.ask {
            Ask::Open => {
                let (index_len, index_id) = (self.index.len() as u64, self.index_id);
                let opened = Answer::Opened { version: LINK_VERSION, index_len, index_id };
                LinkServer::answer(question, &opened, frame);
            }
            Ask::Index { offset, len } => {
                let answer = piece(self.index, StorageForm::Plain, offset, len);
                LinkServer::answer(question, &answer, frame);
            }
            Ask::Chunk { id, offset, len, window_log } => match self.chunk(id, window_log) {
                Ok((bytes, form)) => {
                    LinkServer::answer(question, &piece(&bytes, form, offset.into(), len), frame);
                }
                Err(answer) => LinkServer::answer(question, &answer, frame),
            },
            Ask::Close { .. } => LinkServer::answer(question, &Answer::Closed, frame),
        }
    }

    /// A chunk in a form the device can read; or what to answer instead.
    fn chunk(&mut self, id: ChunkId, window_log: u8) -> Result<(Bytes, StorageForm), Answer<'static>> {
        let (form, stored_form) = match window_log {
            0 => (Form::Plain, StorageForm::Plain),
            log => (Form::ZstdWindow(log), StorageForm::Compressed),
        };
        if let Some(last) = self.last.as_ref().filter(|last| last.id == id && last.form == form) {
            return Ok((last.bytes.clone(), stored_form));
        }
        let wanted = Wanted { id, digest: self.digest, len: WantedLen::AtMost(self.chunk_len_max) };
        let chunk = self.store.get(&wanted).map_err(|error| {
            log::warn!("{error}");
            if error.kind == ErrorKind::Missing { Answer::Missing } else { Answer::Failed }
        })?;
        let bytes = self.former.bring(&chunk, form).map_err(|error| {
            log::warn!("chunk {id}: {error}");
            Answer::Failed
        })?;
        self.last = Some(Prepared { id, form, bytes: bytes.clone() });
        Ok((bytes, stored_form))
    }
}

/// The bytes asked for, as many as there are; nothing lies behind the end.
fn piece(whole: &[u8], form: StorageForm, offset: u64, len: u16) -> Answer<'_> {
    let rest = usize::try_from(offset).ok().and_then(|start| whole.get(start..)).unwrap_or_default();
    match &rest[..rest.len().min(len.into())] {
        [] => Answer::Missing,
        data => Answer::Piece { form, offset, total: whole.len() as u64, data },
    }
}

#[cfg(test)]
mod tests;
