//! Which bytes come from where. Pure: no device is touched, the same on a microcontroller and on a server.
//!
//! A [`Planner`] walks the target's chunks once and gives [`Step`]s; the plan is never held as a whole. All
//! memory is the caller's: [`Lookup`] takes 12 bytes a chunk (of the target, and of each seed), [`Bits`] one
//! bit. Carrying steps out is [`crate::extract`]'s business.

pub mod bits;
pub mod chunk_list;
pub mod lookup;
pub mod planner;
pub mod step;
pub mod summary;
pub mod zero;

pub use bits::Bits;
pub use chunk_list::ChunkList;
pub use lookup::{Lookup, LookupError, LookupTable};
pub use planner::{PlanInput, PlanSeed, Planner, Progress};
pub use step::{Source, Step};
pub use summary::{Amount, PlanSummary};
pub use zero::{ZeroChunk, zero_id};
