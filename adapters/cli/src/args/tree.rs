//! The commands on trees: `tar`, `untar`, `mtree`.

use std::ffi::OsString;

use super::help;
use super::shared::{KeepArgs, SourceArgs, StoreArgs};
use crate::settings::notation;

/// What of a tree is recorded or taken.
#[derive(Clone, Default, clap::Args)]
pub(crate) struct FeatureArgs {
    /// Only this metadata or kind of node; may be repeated [default: all]
    ///
    /// The words are casync's: 16bit-uids, 32bit-uids, user-names, sec-time, usec-time, nsec-time, 2sec-time,
    /// read-only, permissions, symlinks, device-nodes, fifos, sockets, flag-hidden, flag-system, flag-archive,
    /// flag-append, flag-noatime, flag-compr, flag-nocow, flag-nodump, flag-dirsync, flag-immutable, flag-sync,
    /// flag-nocomp, flag-projinherit, subvolume, subvolume-ro, xattrs, acl, selinux, fcaps, quota-projid, and
    /// for sets of them best, unix, fat, chattr, fuse, privileged.
    #[arg(long, value_name = "FEATURE")]
    pub(crate) with: Vec<String>,

    /// Not this metadata or kind of node; may be repeated
    #[arg(long, value_name = "FEATURE")]
    pub(crate) without: Vec<String>,
}

/// Archive a tree, as a file or in chunks
///
/// Writes a directory tree, or a tar stream, as a catar archive. With --index the archive is cut into chunks on the
/// way, never stored whole, and its index written. What the archive cannot hold is told, one line each, and the exit
/// status is 1 then although the archive is complete otherwise.
#[derive(clap::Args)]
#[command(after_help = help::TAR)]
pub(crate) struct TarArgs {
    /// Where to write the archive or index; '-' for stdout
    #[arg(value_name = "catar|index")]
    pub(crate) output: OsString,

    /// The directory to archive, or the tar stream to read; '-' for a stream from stdin
    #[arg(value_name = "source")]
    pub(crate) source: OsString,

    #[command(flatten)]
    pub(crate) keep: KeepArgs,

    /// Write an index and keep the chunks in a store, instead of writing an archive
    #[arg(short = 'i', long, value_parser = notation::boolean)]
    pub(crate) index: Option<bool>,

    /// disk or tar [default: disk]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) input_format: Option<String>,

    /// Record no times
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) no_time: Option<bool>,

    /// Make up a root directory for a tar stream that has none
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) tar_add_root: Option<bool>,

    /// Leave directories on other file systems empty
    #[arg(short = 'x', long, value_parser = notation::boolean)]
    pub(crate) one_file_system: Option<bool>,

    #[command(flatten)]
    pub(crate) features: FeatureArgs,

    /// Leave out what has the attribute nodump (chattr +d)
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) exclude_nodump: Option<bool>,

    /// It is wanted that hard links become files of their own, which is all that an archive can hold
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) copy_hard_links: Option<bool>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}

/// Unpack an archive to disk or as a tar stream
///
/// Reads a catar archive, or with --index the chunks that an index names, and writes the tree. Nothing is written
/// outside the target, whatever the archive says. What cannot be set is told, one line each, the rest is done, and
/// the exit status is 1.
#[derive(clap::Args)]
#[command(after_help = help::UNTAR)]
pub(crate) struct UntarArgs {
    /// The archive or index to read; '-' for stdin
    #[arg(value_name = "catar|index")]
    pub(crate) input: OsString,

    /// The directory to write to, or the tar file; '-' for a tar stream to stdout
    #[arg(value_name = "target")]
    pub(crate) target: OsString,

    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// The first argument is an index
    #[arg(short = 'i', long, value_parser = notation::boolean)]
    pub(crate) index: Option<bool>,

    /// An archive or tree on this machine to take chunks from, behind its index and a colon or alone; may be
    /// repeated
    ///
    /// A tree is archived again as the wanted archive was, without storing it, and its chunks are used where they
    /// are the same: an older version of the tree, for example, from which an update is made.
    #[arg(long, value_name = "SEED")]
    pub(crate) seed: Vec<OsString>,

    /// Leave owners as they come
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) no_same_owner: Option<bool>,

    /// Leave modes as the umask makes them
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) no_same_permissions: Option<bool>,

    /// disk or gnu-tar [default: disk]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) output_format: Option<String>,

    #[command(flatten)]
    pub(crate) features: FeatureArgs,

    /// Set extended attributes of every namespace, not only user and trusted
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) all_xattrs: Option<bool>,

    /// The archive was made by Go desync: take the NUL off each extended attribute that it adds, and set those of
    /// every namespace
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) go_xattrs: Option<bool>,

    /// Accept names in any order, as archives made of tar streams by Go desync have them
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) lenient: Option<bool>,

    /// Remove directories with all in them where the archive has something else
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) replace_directories: Option<bool>,

    /// Do not wait for the disk: faster, but after a power cut files may be empty or torn
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) no_sync: Option<bool>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}

/// List a tree in mtree format
///
/// Prints one line for each node of an archive, of the archive behind an index, or of a directory: type, mode, owner,
/// time, and the digest of each file.
#[derive(clap::Args)]
#[command(after_help = help::MTREE)]
pub(crate) struct MtreeArgs {
    /// The archive, index or directory; '-' for an archive or index from stdin
    #[arg(value_name = "catar|index|dir")]
    pub(crate) input: OsString,

    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// The argument is an index
    #[arg(short = 'i', long, value_parser = notation::boolean)]
    pub(crate) index: Option<bool>,

    /// Accept names in any order, as archives made of tar streams by Go desync have them
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) lenient: Option<bool>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}
