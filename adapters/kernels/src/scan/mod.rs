//! Scan kernels: many strips of a window of data rolled side by side, one in each lane of a register.
//!
//! [`strips`] is the frame, safe code and the same for every register width; the rest is the inner loop for one
//! instruction set each. What lives here must not choose cuts.

#[cfg(target_arch = "x86_64")]
mod strips;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(target_arch = "x86_64")]
use desync_core::chunking::Kernel;

/// Needs [`crate::Level::Avx512`].
#[cfg(target_arch = "x86_64")]
pub(crate) const AVX512: Kernel = Kernel::new("avx512", avx512::scan);

/// Needs [`crate::Level::Avx2`].
#[cfg(target_arch = "x86_64")]
pub(crate) const AVX2: Kernel = Kernel::new("avx2", avx2::scan);
