//! `mount`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use desync_core::format::catar::leading_features;
use desync_files::{Disk as _, HostDisk};
use desync_fuse::{Content, Tree};

use super::mounted_blob::MountedBlob;
use super::mounting;
use crate::args::MountArgs;
use crate::session::Session;
use crate::settings::{Location, Scheme};

/// As many bytes tell an archive.
const HEAD_LEN: u64 = 64;

pub(super) fn run(args: &MountArgs, session: &Session) -> anyhow::Result<()> {
    let (mountpoint, archive) = (Path::new(&args.mountpoint), &args.archive);
    let shown = Location::new(archive);
    let tree = |content| Tree::open(content).with_context(|| shown.to_string());
    if is_archive(archive).with_context(|| shown.to_string())? {
        let file = HostDisk.open(archive.as_ref()).with_context(|| shown.to_string())?;
        let content = Content::File(file.into(), shown.to_string().into());
        return mounting::serve(tree(content)?, mountpoint, session, &());
    }
    let mounted = MountedBlob::open(archive, &args.blob, session)?;
    mounting::serve(tree(Content::Blob(Arc::clone(&mounted.blob)))?, mountpoint, session, &mounted)
}

/// Whether this names a file that is an archive itself. Everything else must be an index.
fn is_archive(archive: &OsStr) -> io::Result<bool> {
    let location = Location::new(archive);
    if location.is_standard_stream() || location.scheme() != Scheme::Local || !location.path().is_file() {
        return Ok(false);
    }
    let mut head = Vec::new();
    File::open(location.path())?.take(HEAD_LEN).read_to_end(&mut head)?;
    Ok(leading_features(&head).is_some())
}
