//! What a processor must have for each set of kernels, and whether this one has it.

use core::fmt;
use core::str::FromStr;

/// A set of kernels that need the same of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// 512-bit registers with byte permutes over tables of 128 entries: AVX-512 F, BW and VBMI.
    Avx512,
    /// 256-bit registers: AVX2.
    Avx2,
    /// Any processor.
    Scalar,
}

/// A level that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// Not the name of a level.
    #[error("there are no kernels of this name; known are avx512, avx2 and scalar")]
    Unknown,
    /// The level exists, this processor or target lacks it.
    #[error("this machine cannot run the {0} kernels, which need {needs}", needs = .0.needs())]
    Missing(Level),
}

impl Level {
    /// All levels, fastest first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Scalar];

    /// The name, as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Scalar => "scalar",
        }
    }

    /// Whether this machine can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Avx512 => has_avx512(),
            Self::Avx2 => has_avx2(),
            Self::Scalar => true,
        }
    }

    const fn needs(self) -> &'static str {
        match self {
            Self::Avx512 => "AVX-512 F, BW and VBMI",
            Self::Avx2 => "AVX2",
            Self::Scalar => "nothing",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(name: &str) -> Result<Self, LevelError> {
        Self::ALL.into_iter().find(|level| level.name() == name).ok_or(LevelError::Unknown)
    }
}

#[cfg(target_arch = "x86_64")]
mod processor {
    // The operating system must save the wide registers too; these look for that as well.
    cpufeatures::new!(avx512, "avx512f", "avx512bw", "avx512vbmi");
    cpufeatures::new!(avx2, "avx2");
    cpufeatures::new!(sha, "sha", "sse4.1");

    pub(super) fn has_avx512() -> bool {
        avx512::get()
    }

    pub(super) fn has_avx2() -> bool {
        avx2::get()
    }

    /// Whether `sha2` hashes SHA-256 by the processor's own instructions.
    pub(crate) fn has_sha() -> bool {
        sha::get()
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod processor {
    pub(super) fn has_avx512() -> bool {
        false
    }

    pub(super) fn has_avx2() -> bool {
        false
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use processor::has_sha;
use processor::{has_avx2, has_avx512};

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;
    use crate::Kernels;

    #[test]
    fn levels_are_forced_by_name_or_refused() {
        for level in Level::ALL {
            let forced = Kernels::forced(level.name());
            assert_eq!(forced.is_ok(), level.is_available());
            if let Err(error) = forced {
                assert_eq!(error, LevelError::Missing(level));
                assert!(error.to_string().contains(level.name()));
            }
        }
        for wrong in ["", "AVX2", "avx", "auto", "scalar "] {
            assert_eq!(Kernels::forced(wrong).unwrap_err(), LevelError::Unknown);
        }
    }

    #[test]
    fn the_fastest_is_chosen() {
        let (first, kernels) = Kernels::available().next().unwrap();
        assert_eq!(kernels.to_string(), Kernels::detect().to_string());
        assert!(
            Level::ALL.into_iter().take_while(|level| *level != first).all(|level| !level.is_available())
        );
        assert!(Kernels::available().any(|(level, _)| level == Level::Scalar));
    }
}
