//! Fetching over a line that loses, doubles and damages bytes, falls silent and comes back: a UART.
//!
//! The device ([`LinkClient`]) asks for one piece at a time, by place: bytes of the index, or bytes of a
//! stored chunk. The host ([`LinkServer`]) answers and remembers nothing that an answer depends on, so either
//! side may restart at any time. What does not arrive whole is asked for again, in smaller pieces while the
//! line is bad; never is more lost than the one piece under way.
//!
//! On the line there are frames ([`frame`]): content and CRC-32, stuffed so that a zero byte ends a frame and
//! occurs nowhere else. Whatever noise does, the next zero byte makes reader and writer agree again.
//!
//! # Layout of the content, words little-endian
//!
//! | request | bytes |
//! |---|---|
//! | any | kind u8, attempt u8, number u16, arguments |
//! | open 0x01 | version u8 |
//! | index 0x02 | offset u64, length u16 |
//! | chunk 0x03 | ID 32 bytes, offset u32, length u16, window log u8 |
//! | close 0x04 | status u8 |
//!
//! | answer | bytes |
//! |---|---|
//! | any | kind u8, tag u32 of the request, arguments |
//! | opened 0x81 | version u8, index length u64, SHA-512/256 of the index |
//! | piece 0x82 | form u8, offset u64, total u64, data |
//! | missing 0x83 | |
//! | failed 0x84 | |
//! | closed 0x85 | |
//!
//! The tag is the CRC-32 of the request with attempt and length 0: an answer fits one question only, and a repeated
//! question takes whichever answer comes first. The attempt lets the host tell a question asked again, which
//! it answers again, from a frame that the line doubled, which it does not.
//!
//! Invariants
//! - Memory is what the caller handed in; nothing is allocated by the client.
//! - A piece that is handed out has passed the CRC and lies where it was asked for. Only a digest proves it.

mod client;
mod crc;
pub mod frame;
mod server;
mod words;

pub use client::{LinkClient, LinkEvent, LinkTurn, Timing, Want};
pub use server::LinkServer;
pub use words::{Answer, Ask, DATA_OVERHEAD, LINK_VERSION, Question};

#[cfg(test)]
pub(crate) mod noise;
#[cfg(test)]
mod tests;
