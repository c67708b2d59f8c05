//! Chunks and indexes on machines that are reached by ssh.
//!
//! We speak to a process, the ssh of this machine, and through it either the casync protocol to a program there
//! ([`SshStore`], `ssh://`, read only) or SFTP to its server ([`SftpStore`] and [`SftpIndexes`], `sftp://`). Keys,
//! hosts and passwords are ssh's business.
//!
//! Sessions are opened when they are first needed, as many as there are requests at once; one that broke is
//! replaced.

mod casync;
mod process;
mod sessions;
mod sftp;
mod target;

pub use casync::SshStore;
pub use sftp::{SftpIndexes, SftpStore};
pub use target::{InvalidTarget, Programs, SshTarget};
