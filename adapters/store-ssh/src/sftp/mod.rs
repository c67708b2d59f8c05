//! `sftp://`: chunks and indexes through the SFTP server of a machine that is reached by ssh.
//!
//! Version 3 of the protocol, which OpenSSH speaks (draft-ietf-secsh-filexfer-02), with three extensions of
//! OpenSSH's where the server has them: renaming over an existing file, syncing, larger pieces.

mod chunks;
mod index;
mod packet;
mod session;

pub use chunks::SftpStore;
pub use index::SftpIndexes;

use std::time::Duration;

use desync_store::ErrorKind;

use crate::sessions::{Failure, Sessions};
use crate::{Programs, SshTarget};
use session::Session;

/// Sessions with the server of a target, below whose path everything lies.
fn sessions(target: SshTarget, programs: Programs, silence: Option<Duration>) -> Sessions<Session> {
    Sessions::new(move || {
        let mut session = Session::open(target.sftp_command(&programs), silence)?;
        let root = root(&target);
        match session.stat(&root)? {
            Some(found) if found.is_directory() => Ok(session),
            Some(_) => Err(Failure::Refused(ErrorKind::Permanent, format!("{root} is not a directory"))),
            None => Err(Failure::Refused(ErrorKind::Permanent, format!("failed to stat '{root}'"))),
        }
    })
}

/// The directory of a target.
fn root(target: &SshTarget) -> String {
    match target.path() {
        "" => ".".to_owned(),
        path if path.len() > 1 => path.trim_end_matches('/').to_owned(),
        path => path.to_owned(),
    }
}

/// A name that nobody else has, beside others that begin alike.
fn temporary(prefix: &str) -> String {
    // Without random numbers, a name that is taken shows when the file is created.
    format!("{prefix}{}", getrandom::u32().unwrap_or(0))
}
