//! Host pipelines on threads: what the commands do, without arguments, printing or exit codes.
//!
//! Each pipeline takes a [`Context`]: how many workers, where progress goes, and the switch that cancels.
//! Whatever the number of workers, the result is the same. A cancelled pipeline is an error, never a
//! shorter result.

mod context;
mod error;
mod pool;

pub use context::{Cancel, Context, NoProgress, Phase, Progress};
pub use error::Error;
