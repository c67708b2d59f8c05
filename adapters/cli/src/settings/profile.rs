//! `--profile`: who will read the chunks that are written.

use desync_core::chunking::ChunkSizes;
use desync_core::limits::Limits;
use desync_store::Compression;

use super::{UsageError, sizes};
use crate::args::{ChunkSizeArg, ProfileArg};

/// Smallest, average and largest chunk for devices, in bytes: images of firmware are small.
const DEVICE_SIZES: [u64; 3] = [2 << 10, 8 << 10, 32 << 10];

/// Who will read the chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Programs on hosts.
    #[default]
    Host,
    /// Devices with little memory; and hosts, who can read it all the same.
    Device,
}

impl Profile {
    /// The profile asked for.
    ///
    /// # Errors
    /// Another word than `host` or `device`.
    pub(crate) fn new(arg: &ProfileArg) -> Result<Self, UsageError> {
        match arg.profile.as_deref() {
            None | Some("host") => Ok(Self::Host),
            Some("device") => Ok(Self::Device),
            Some(other) => Err(UsageError::new(format!("invalid profile '{other}', must be host or device"))),
        }
    }

    /// How chunks are compressed.
    pub(crate) const fn compression(self) -> Compression {
        match self {
            Self::Host => Compression::DEFAULT,
            Self::Device => Compression::DEVICE,
        }
    }

    /// The chunk sizes asked for, or those of the profile.
    ///
    /// # Errors
    /// Sizes that cannot be.
    pub(crate) fn sizes(self, arg: &ChunkSizeArg) -> Result<ChunkSizes, UsageError> {
        match self {
            Self::Device if arg.chunk_size.is_none() => {
                let [min, avg, max] = DEVICE_SIZES;
                ChunkSizes::new(min, avg, max, &Limits::HOST)
                    .map_err(|error| UsageError::new(error.to_string()))
            }
            _ => sizes(arg),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_sets_what_is_not_said() {
        let profile = |word: Option<&str>| Profile::new(&ProfileArg { profile: word.map(Into::into) });
        assert_eq!(profile(None), Ok(Profile::Host));
        assert_eq!(profile(Some("device")), Ok(Profile::Device));
        assert!(profile(Some("toaster")).unwrap_err().to_string().contains("'toaster'"));
        let said = ChunkSizeArg { chunk_size: Some("1:2:4".into()), cut_rule: None };
        let max = |profile: Profile, arg: &ChunkSizeArg| profile.sizes(arg).unwrap().max();
        assert_eq!(max(Profile::Device, &said), 4 << 10);
        assert_eq!(max(Profile::Device, &ChunkSizeArg::default()), 32 << 10);
        assert_eq!(max(Profile::Host, &ChunkSizeArg::default()), ChunkSizes::DEFAULT.max());
    }
}
