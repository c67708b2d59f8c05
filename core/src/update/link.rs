//! An update over a link: the device's end of [`crate::protocol::link`] as an [`UpdateSource`].
//!
//! What is asked and when, is [`LinkClient`]'s; here it is given bytes and time by a [`LinkPort`]. Lost,
//! doubled and damaged bytes are asked for again there; here a silent line is opened anew, a few times.
//! Nothing is allocated: pieces lie in the client's buffer until they are read.
//!
//! Whoever trusts the line may take its word for what is offered ([`LinkSource::offer`]). Otherwise the offer
//! comes from a signed manifest, and the host serves what it names or is refused.

use super::source::{Offer, Stored, UpdateSource};
use crate::chunk_source::Wanted;
use crate::digest::DigestKind;
use crate::format::StorageForm;
use crate::limits::Limits;
use crate::protocol::link::{LinkClient, LinkEvent, LinkTurn, Want};

/// Bytes taken from the port at once.
const INPUT_LEN: usize = 64;

/// A line to the host and a clock: a UART and a timer.
#[allow(async_fn_in_trait, reason = "a device has one executor: whether futures are Send is not ours to say")]
pub trait LinkPort {
    /// What can go wrong with it. Noise is no error.
    type Error;

    /// Milliseconds since some moment. May stand still between waits, but never goes back.
    fn now(&mut self) -> u64;

    /// Writes all of these bytes to the line.
    ///
    /// # Errors
    /// The port's own.
    async fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Puts what has come into `into` and returns how many bytes; waits for the first one, but not beyond
    /// `deadline`, a time of [`LinkPort::now`]: 0 then.
    ///
    /// # Errors
    /// The port's own.
    async fn receive(&mut self, into: &mut [u8], deadline: u64) -> Result<usize, Self::Error>;

    /// Opens the line anew, as far as there is anything to open: nothing came for long.
    ///
    /// # Errors
    /// The port's own.
    async fn reopen(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Why nothing more came over a link; `E` is the port's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LinkError<E> {
    /// The port failed.
    #[error("the line failed")]
    Port(E),
    /// Nobody answers.
    #[error("nobody answers")]
    Silent,
    /// The host does not have the chunk, or the index is shorter than it said.
    #[error("the host does not have what was asked for")]
    Missing,
    /// The host's store has failed. It may not fail again.
    #[error("the host's store has failed")]
    HostFailed,
    /// The host speaks another version.
    #[error("the host speaks version {version} of the link's language")]
    OtherVersion {
        /// Which.
        version: u8,
    },
    /// The stored chunk changed while it was read.
    #[error("the chunk changed while it was read")]
    Changed,
    /// Bytes of a chunk were wanted that nobody has begun.
    #[error("no chunk was begun")]
    NothingBegun,
}

/// What came, without the bytes of a piece: those lie in the client.
enum Came {
    Opened(Offer),
    Piece { form: StorageForm },
    Closed,
}

/// A host at the other end of a line.
#[derive(Debug)]
pub struct LinkSource<'b, P> {
    port: P,
    client: LinkClient<'b>,
    limits: Limits,
    /// Silences in a row after which it is given up.
    silences_max: u8,
    input: [u8; INPUT_LEN],
    /// What of the input is not looked at yet.
    unread: (usize, usize),
    /// How much of the client's piece was given away.
    taken: usize,
    /// Whether a chunk was begun and has more to come.
    more: bool,
}

impl<'b, P: LinkPort> LinkSource<'b, P> {
    /// A source over this line. Chunks that need a larger window than `limits` allow are asked for in another
    /// form. After `silences_max` silences in a row it is given up; 0 counts as 1.
    pub const fn new(port: P, client: LinkClient<'b>, limits: Limits, silences_max: u8) -> Self {
        let input = [0; INPUT_LEN];
        Self { port, client, limits, silences_max, input, unread: (0, 0), taken: 0, more: false }
    }

    /// Gives the port back.
    pub fn into_port(self) -> P {
        self.port
    }

    /// Bytes of index and chunks that were asked for, those asked for again included.
    pub const fn asked_bytes(&self) -> u64 {
        self.client.asked_bytes()
    }

    /// What the host serves, by its own word. Its index is named by SHA-512/256.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn offer(&mut self) -> Result<Offer, LinkError<P::Error>> {
        match self.ask(Want::Open).await? {
            Came::Opened(offer) => Ok(offer),
            Came::Piece { .. } | Came::Closed => Err(LinkError::Missing),
        }
    }

    /// Tells the host that nothing more is wanted: 0 if all went well, else a number that it shows.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn close(&mut self, status: u8) -> Result<(), LinkError<P::Error>> {
        self.ask(Want::Close { status }).await.map(|_| ())
    }

    async fn ask(&mut self, want: Want) -> Result<Came, LinkError<P::Error>> {
        self.more = false;
        self.client.want(want);
        self.next().await
    }

    /// Waits for the next answer to what is wanted.
    async fn next(&mut self) -> Result<Came, LinkError<P::Error>> {
        self.taken = 0;
        let mut silences = 0;
        loop {
            let (start, end) = self.unread;
            let mut unread = &self.input[start..end];
            let event = self.client.receive(&mut unread);
            self.unread.0 = end - unread.len();
            if let Some(event) = event {
                let (came, more) = understand(&event, &self.limits)?;
                self.more = more;
                return Ok(came);
            }
            match self.client.turn(self.port.now()) {
                LinkTurn::Send(bytes) => self.port.send(bytes).await.map_err(LinkError::Port)?,
                LinkTurn::WaitUntil(deadline) => {
                    let received = self.port.receive(&mut self.input, deadline).await;
                    self.unread = (0, received.map_err(LinkError::Port)?.min(INPUT_LEN));
                }
                LinkTurn::Silent => {
                    silences += 1;
                    if silences >= self.silences_max {
                        return Err(LinkError::Silent);
                    }
                    self.port.reopen().await.map_err(LinkError::Port)?;
                    self.client.line_opened();
                }
                LinkTurn::Idle => return Err(LinkError::NothingBegun),
            }
        }
    }

    /// Moves what is left of the client's piece, or its front, into `into`.
    fn take(&mut self, into: &mut [u8]) -> usize {
        let rest = self.client.piece().get(self.taken..).unwrap_or_default();
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        self.taken += len;
        len
    }
}

/// An event without its bytes, and whether the chunk goes on behind it.
fn understand<E>(event: &LinkEvent<'_>, limits: &Limits) -> Result<(Came, bool), LinkError<E>> {
    match *event {
        LinkEvent::Opened { index_len, index_id } => {
            let (digest, zstd_window) = (DigestKind::Sha512_256, limits.zstd_window_max);
            Ok((Came::Opened(Offer { index_id, index_len, digest, zstd_window }), false))
        }
        LinkEvent::Piece { form, last, .. } => Ok((Came::Piece { form }, !last)),
        LinkEvent::Closed => Ok((Came::Closed, false)),
        LinkEvent::Missing => Err(LinkError::Missing),
        LinkEvent::Failed => Err(LinkError::HostFailed),
        LinkEvent::Changed => Err(LinkError::Changed),
        LinkEvent::OtherVersion { version } => Err(LinkError::OtherVersion { version }),
    }
}

impl<P: LinkPort> UpdateSource for LinkSource<'_, P> {
    type Error = LinkError<P::Error>;

    async fn index(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, Self::Error> {
        let end = offset.saturating_add(into.len() as u64);
        self.ask(Want::Index { start: offset, end }).await?;
        Ok(self.take(into))
    }

    async fn open(&mut self, wanted: &Wanted) -> Result<Stored, Self::Error> {
        let window_log = self.limits.zstd_window_max.checked_ilog2().unwrap_or(0) as u8; // below 64
        match self.ask(Want::Chunk { id: wanted.id, start: 0, window_log }).await? {
            Came::Piece { form: StorageForm::Compressed } => Ok(Stored::Zstd),
            Came::Piece { form: StorageForm::Plain } => Ok(Stored::Plain),
            // The language has no word for other forms.
            Came::Piece { .. } | Came::Opened(_) | Came::Closed => Err(LinkError::Missing),
        }
    }

    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Self::Error> {
        let len = self.take(into);
        if len > 0 || !self.more || into.is_empty() {
            return Ok(len);
        }
        self.next().await?;
        Ok(self.take(into))
    }
}
