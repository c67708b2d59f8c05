//! `mount-index`.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use desync_fuse::BlobFile;

use super::mounted_blob::MountedBlob;
use super::mounting;
use crate::args::MountIndexArgs;
use crate::session::Session;

pub(super) fn run(args: &MountIndexArgs, session: &Session) -> anyhow::Result<()> {
    let mounted = MountedBlob::open(&args.index, &args.blob, session)?;
    let file = BlobFile::new(Arc::clone(&mounted.blob), &name_of(&args.index));
    mounting::serve(file, Path::new(&args.mountpoint), session, &mounted)
}

/// What the file is called: the last part of the index's location without its last extension.
fn name_of(index: &OsStr) -> OsString {
    let path = Path::new(index);
    path.file_stem().map_or_else(|| "blob".into(), OsStr::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_named_as_the_index_without_its_last_extension() {
        for (index, name) in [
            ("/x/blob.raw.caibx", "blob.raw"),
            ("blob.caibx", "blob"),
            ("-", "-"),
            ("http://host/a.caibx", "a"),
            ("/x/plain", "plain"),
            ("/", "blob"),
        ] {
            assert_eq!(name_of(index.as_ref()), name, "{index}");
        }
    }
}
