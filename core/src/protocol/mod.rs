//! The casync wire protocol as bytes and values: no streams, no processes, no time.
//!
//! Bytes in any split become [`Event`]s ([`MessageReader`], constant memory) or whole [`Message`]s
//! ([`MessageCollector`], a host's convenience); messages become bytes ([`Message::encode`]). Who may say
//! what is [`Agreement`]'s business, once both sides have said [`Services`]. Links that lose and damage
//! bytes speak another, smaller language: [`link`].
//!
//! What must not be here: stores, and the order in which a server answers.

mod agreement;
mod collector;
mod error;
pub mod link;
mod message;
mod reader;
mod services;

pub use agreement::{Agreement, HelloError};
pub use collector::MessageCollector;
pub use error::ProtocolError;
pub use message::{HEAD_LEN, Kind, Message, Priority};
pub use reader::{Event, Head, MessageReader};
pub use services::{Services, ServicesError};

#[cfg(test)]
mod tests;
