//! Whether two HELLOs fit, and which messages may then come from the other side.

use super::message::Kind;
use super::services::Services;

/// Two sides that fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Agreement {
    ours: Services,
    theirs: Services,
}

/// Two sides that have nothing to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum HelloError {
    /// The peer does not offer what we want.
    #[error("peer does not offer what we want: it says {theirs:#x}, we {ours:#x}")]
    NotOffered {
        /// Our flags.
        ours: u64,
        /// The peer's flags.
        theirs: u64,
    },
    /// The peer wants what we do not offer.
    #[error("peer wants what is not offered: it says {theirs:#x}, we {ours:#x}")]
    NotServed {
        /// Our flags.
        ours: u64,
        /// The peer's flags.
        theirs: u64,
    },
    /// Neither side wants anything.
    #[error("neither side wants anything: the peer says {theirs:#x}, we {ours:#x}")]
    Idle {
        /// Our flags.
        ours: u64,
        /// The peer's flags.
        theirs: u64,
    },
}

impl Agreement {
    /// Compares what both sides said.
    ///
    /// # Errors
    /// [`HelloError`] if a side wants what the other does not offer, or neither wants anything.
    pub fn new(ours: Services, theirs: Services) -> Result<Self, HelloError> {
        let (our_bits, their_bits) = (ours.bits(), theirs.bits());
        if !is_served(ours, theirs) {
            return Err(HelloError::NotOffered { ours: our_bits, theirs: their_bits });
        }
        if !is_served(theirs, ours) {
            return Err(HelloError::NotServed { ours: our_bits, theirs: their_bits });
        }
        let wants = |side: Services| Services::OPERATIONS.iter().any(|(wanted, _)| side.contains(*wanted));
        if !wants(ours) && !wants(theirs) {
            return Err(HelloError::Idle { ours: our_bits, theirs: their_bits });
        }
        Ok(Self { ours, theirs })
    }

    /// Whether the peer may send a message of this kind now.
    #[must_use]
    pub const fn allows_from_peer(&self, kind: Kind) -> bool {
        let (we_want, peer_wants) = (self.ours, self.theirs);
        match kind {
            Kind::Hello => false,
            Kind::Index | Kind::IndexEof => {
                we_want.contains(Services::PULL_INDEX) || peer_wants.contains(Services::PUSH_INDEX)
            }
            Kind::Archive | Kind::ArchiveEof => {
                we_want.contains(Services::PULL_ARCHIVE) || peer_wants.contains(Services::PUSH_ARCHIVE)
            }
            Kind::Request => {
                we_want.contains(Services::PUSH_CHUNKS) || peer_wants.contains(Services::PULL_CHUNKS)
            }
            Kind::Chunk | Kind::Missing => {
                we_want.contains(Services::PULL_CHUNKS) || peer_wants.contains(Services::PUSH_CHUNKS)
            }
            Kind::Goodbye | Kind::Abort => true,
        }
    }
}

/// Whether each operation that `client` wants is offered by `server`.
fn is_served(client: Services, server: Services) -> bool {
    let mut wanted = Services::OPERATIONS.iter().filter(|(wanted, _)| client.contains(*wanted));
    wanted.all(|(_, service)| server.contains(*service))
}
