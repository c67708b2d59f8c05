//! Files and block devices: positioned I/O, holes, reflinks, and publication that survives a power cut.
//!
//! Everything that must be durable goes through [`Disk`], so that tests can put a disk under it that loses
//! what was not synced. [`HostDisk`] is the real one.

pub mod directory;
pub mod disk;
mod host;
mod input;
mod publish;
mod seed;
mod target;

pub use directory::{ByPath, Directory};
pub use disk::{Disk, DiskFile, FileKind, Metadata, Owner};
pub use host::HostDisk;
pub use input::{Extent, Input, Places};
pub use publish::{Durability, Publication, PublicationWriter, resolve_links, temporary_path};
pub use seed::Seed;
pub use target::{Target, TargetError, TargetHandle, TargetKind, TargetOptions};
