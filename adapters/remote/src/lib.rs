//! Serving a chunk store to a peer over any two streams of bytes.
//!
//! [`serve_chunks`] speaks the casync protocol to programs ([`desync_core::protocol`]); [`LinkHost`] answers
//! devices on lines that lose and damage bytes ([`desync_core::protocol::link`]). Both hand out chunks in a
//! form the peer can read, whatever form the store keeps ([`Form`]).
//!
//! What must not be here: sockets, serial ports, processes and arguments. Streams come in opened.

mod form;
mod link;
mod pull;
mod queue;
#[cfg(test)]
mod testing;

pub use form::Form;
pub use link::{LinkEnd, LinkHost};
pub use pull::{SessionError, serve_chunks};
