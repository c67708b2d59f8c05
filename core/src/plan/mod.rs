//! Which bytes come from where. Pure: no device is touched, the same on a microcontroller and on a server.

pub mod step;

pub use step::{Source, Step};
