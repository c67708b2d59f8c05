//! Scanning and hashing at the limit of one processor: wide registers behind the seams of `desync-core`.
//!
//! | level | scan | SHA-512/256 | SHA-256 | needs |
//! |---|---|---|---|---|
//! | `avx512` | 16 strips | 8 lanes | 16 lanes | AVX-512 F, BW, VBMI |
//! | `avx2` | 8 strips | 4 lanes | 8 lanes, or one stream with SHA-NI | AVX2 |
//! | `scalar` | one stream | one stream | one stream | nothing |
//!
//! "One stream" for digests is the `sha2` crate, which uses the SHA instructions of x86-64 and ARMv8 itself.
//! `cargo xtask bench` measures what each of these is worth on a machine.
//!
//! ARMv8 has the `scalar` level alone. NEON's 128-bit registers hold two states of SHA-512, which the processor's
//! own instructions for it beat, or four strips. Looking up four bytes of sixteen words takes sixteen `TBL`s
//! over four registers each, of which most processors begin one in two to four cycles: 2 to 4 cycles a byte,
//! as much as the scalar kernel takes for everything; with eight lanes and single look-ups AVX2 gains a third, so
//! four would gain nothing. This was reasoned, not measured: whoever has such a machine should.
//!
//! [`Kernels::detect`] chooses once, at start; after that kernels are values. What lives here must not know
//! files, stores, threads or the environment.
//!
//! Invariants
//! - Every path gives bit for bit what core's oracles give (tests: `tests/scan.rs`, `tests/digest.rs`).
//! - A kernel that needs an instruction set is only reached through a [`Level`] that was seen on this machine.
#![no_std]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

extern crate alloc;

mod digest;
mod level;
mod scan;

use core::fmt;

use desync_core::chunking::Kernel;
use desync_core::digest::HashKernel;

pub use level::{Level, LevelError};

/// The kernels that a program uses: chosen once, then copied about.
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    /// Finds candidates for cuts.
    pub scan: Kernel,
    /// Names chunks.
    pub hash: HashKernel,
}

impl Kernels {
    /// Those that run anywhere.
    pub const SCALAR: Self = Self { scan: Kernel::SCALAR, hash: HashKernel::REFERENCE };

    /// The fastest that this machine has.
    #[must_use]
    pub fn detect() -> Self {
        Self::available().next().map_or(Self::SCALAR, |(_, kernels)| kernels)
    }

    /// Those of one level, by its name; for tests, comparisons and users who distrust the others.
    ///
    /// # Errors
    /// [`LevelError`] if there is no such level, or this machine lacks what it needs: never another level
    /// than the one asked for.
    pub fn forced(name: &str) -> Result<Self, LevelError> {
        let level: Level = name.parse()?;
        let kernels = Self::available().find(|(available, _)| *available == level);
        kernels.map(|(_, kernels)| kernels).ok_or(LevelError::Missing(level))
    }

    /// Every set of kernels that this machine can run, fastest first, with its level. Never empty. Of a level
    /// with several, the first is the one that is taken.
    pub fn available() -> impl Iterator<Item = (Level, Self)> {
        let levels = Level::ALL.into_iter().filter(|level| level.is_available());
        levels.flat_map(|level| Self::of_available(level).iter().map(move |kernels| (level, *kernels)))
    }

    /// `level` must have been found available: its kernels rely on it.
    fn of_available(level: Level) -> &'static [Self] {
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => &[Self { scan: scan::AVX512, hash: digest::AVX512 }],
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 if level::has_sha() => &[
                Self { scan: scan::AVX2, hash: digest::AVX2_SHA },
                Self { scan: scan::AVX2, hash: digest::AVX2 },
            ],
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => &[Self { scan: scan::AVX2, hash: digest::AVX2 }],
            _ => &[Self::SCALAR],
        }
    }
}

impl Default for Kernels {
    /// [`Kernels::detect`].
    fn default() -> Self {
        Self::detect()
    }
}

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scan {}, digests {}", self.scan.name(), self.hash.name())
    }
}
