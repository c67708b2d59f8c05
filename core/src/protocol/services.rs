//! What the two sides say in HELLO: what each can serve, and what each wants done.
//!
//! Invariant: a set that came from a peer has passed [`Services::check`] (the reader sees to it).

bitflags::bitflags! {
    /// The flags of a HELLO.
    ///
    /// Source: casync `caprotocol.h`, `CA_PROTOCOL_READABLE_STORE` and following.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Services: u64 {
        /// Offers chunks to be pulled.
        const READABLE_STORE = 0x1;
        /// Offers to keep chunks.
        const WRITABLE_STORE = 0x2;
        /// Offers an index.
        const READABLE_INDEX = 0x4;
        /// Offers to keep an index.
        const WRITABLE_INDEX = 0x8;
        /// Offers an archive.
        const READABLE_ARCHIVE = 0x10;
        /// Offers to keep an archive.
        const WRITABLE_ARCHIVE = 0x20;
        /// Wants to pull chunks.
        const PULL_CHUNKS = 0x40;
        /// Wants to pull the index.
        const PULL_INDEX = 0x80;
        /// Wants to pull the archive.
        const PULL_ARCHIVE = 0x100;
        /// Wants to push chunks.
        const PUSH_CHUNKS = 0x200;
        /// Wants to push an index.
        const PUSH_INDEX = 0x400;
        /// Wants the chunks of the pushed index to be taken, too.
        const PUSH_INDEX_CHUNKS = 0x800;
        /// Wants to push an archive.
        const PUSH_ARCHIVE = 0x1000;
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Services {
    fn format(&self, formatter: defmt::Formatter<'_>) {
        defmt::write!(formatter, "Services({=u64:#x})", self.bits());
    }
}

/// Flags that no HELLO may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ServicesError {
    /// Nothing is offered and nothing wanted.
    #[error("hello offers and wants nothing")]
    Empty,
    /// There are bits nobody knows. The protocol has no version, so they could mean anything.
    #[error("hello has unknown flags {unknown:#x}")]
    Unknown {
        /// The unknown bits.
        unknown: u64,
    },
    /// The chunks of an index are to be pushed without pushing chunks and an index.
    #[error("hello pushes the chunks of an index, but not both chunks and an index")]
    IndexChunksAlone,
}

impl Services {
    /// The operations, each with the service that the other side must offer for it.
    pub(super) const OPERATIONS: [(Self, Self); 6] = [
        (Self::PULL_CHUNKS, Self::READABLE_STORE),
        (Self::PULL_INDEX, Self::READABLE_INDEX),
        (Self::PULL_ARCHIVE, Self::READABLE_ARCHIVE),
        (Self::PUSH_CHUNKS, Self::WRITABLE_STORE),
        (Self::PUSH_INDEX, Self::WRITABLE_INDEX),
        (Self::PUSH_ARCHIVE, Self::WRITABLE_ARCHIVE),
    ];

    /// Refuses a set that makes no sense by itself.
    ///
    /// # Errors
    /// [`ServicesError`].
    pub const fn check(self) -> Result<(), ServicesError> {
        let unknown = self.bits() & !Self::all().bits();
        if self.is_empty() {
            Err(ServicesError::Empty)
        } else if unknown != 0 {
            Err(ServicesError::Unknown { unknown })
        } else if self.contains(Self::PUSH_INDEX_CHUNKS)
            && !self.contains(Self::PUSH_CHUNKS.union(Self::PUSH_INDEX))
        {
            Err(ServicesError::IndexChunksAlone)
        } else {
            Ok(())
        }
    }
}
