//! Groups of flags that several commands share.

use std::ffi::OsString;
use std::time::Duration;

use crate::settings::notation;

/// How stores are used: every command that may open one has these.
#[derive(Clone, Default, clap::Args)]
#[command(next_help_heading = "Store options")]
pub(crate) struct StoreArgs {
    /// Workers, and so requests in flight; at least 1 [default: 10]
    #[arg(short = 'n', long, value_name = "N", value_parser = notation::integer)]
    pub(crate) concurrency: Option<i64>,

    /// TLS client certificate, a PEM file; needs --client-key
    #[arg(long, value_name = "FILE")]
    pub(crate) client_cert: Option<String>,

    /// Key of the TLS client certificate, a PEM file; needs --client-cert
    #[arg(long, value_name = "FILE")]
    pub(crate) client_key: Option<String>,

    /// Trust the authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_cert: Option<String>,

    /// Accept any server certificate
    #[arg(short = 't', long, value_parser = notation::boolean)]
    pub(crate) trust_insecure: Option<bool>,

    /// Fetch chunks that are damaged in the cache again and replace them [default: true]
    #[arg(short = 'r', long, value_parser = notation::boolean)]
    pub(crate) cache_repair: Option<bool>,

    /// How often to try again after an error of the network or a server [default: 3]
    #[arg(short = 'e', long, value_name = "N", value_parser = notation::integer)]
    pub(crate) error_retry: Option<i64>,

    /// Delay before the first retry, longer before each further one [default: 500ms]
    #[arg(short = 'b', long, value_name = "DURATION", value_parser = notation::duration)]
    pub(crate) error_retry_base_interval: Option<Duration>,

    /// Fail rather than download more than this of chunks and indexes
    ///
    /// What was fetched until then stays in a cache (-c) or a target written in place: another run goes on
    /// from there.
    #[arg(long, value_name = "BYTES", value_parser = notation::unsigned)]
    pub(crate) max_download: Option<u64>,
}

/// Where chunks are read from.
#[derive(Clone, Default, clap::Args)]
pub(crate) struct SourceArgs {
    /// Store to read chunks from; repeat it to ask several in order, `a|b` to fail over from a to b
    #[arg(short = 's', long, value_name = "LOCATION")]
    pub(crate) store: Vec<OsString>,

    /// Store in front of the others that keeps what was fetched from them
    #[arg(short = 'c', long, value_name = "LOCATION")]
    pub(crate) cache: Option<OsString>,
}

/// How data is cut.
#[derive(Clone, Default, clap::Args)]
pub(crate) struct ChunkSizeArg {
    /// Smallest, average and largest chunk in KiB [default: 16:64:256]
    #[arg(short = 'm', long, value_name = "MIN:AVG:MAX")]
    pub(crate) chunk_size: Option<String>,

    /// Whose rule for the first possible cut: casync or desync [default: casync]
    ///
    /// casync may cut after exactly MIN bytes, Go desync only after MIN + 1. At the default sizes that
    /// makes a difference about once in 50,000 chunks. Either program reads what the other made.
    #[arg(long, value_name = "RULE")]
    pub(crate) cut_rule: Option<String>,
}

/// Who will read the chunks.
#[derive(Clone, Default, clap::Args)]
pub(crate) struct ProfileArg {
    /// Who will read the chunks: host or device [default: host]
    ///
    /// A device decodes chunks written for it within 4 KiB, whatever their size. That costs some compression;
    /// every program that reads the host's chunks reads these, too.
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<String>,
}

/// How an input is cut, and where its chunks go.
#[derive(Clone, Default, clap::Args)]
pub(crate) struct KeepArgs {
    /// Store to put the chunks into
    #[arg(short = 's', long, value_name = "LOCATION")]
    pub(crate) store: Option<OsString>,

    #[command(flatten)]
    pub(crate) chunk_size: ChunkSizeArg,

    #[command(flatten)]
    pub(crate) profile: ProfileArg,

    /// Do not wait for the disk: faster, but after a power cut the store may hold chunks that are empty or
    /// torn, and the index may name chunks that were never kept
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) no_sync: Option<bool>,
}

/// Which chunks to leave out.
#[derive(Clone, Default, clap::Args)]
pub(crate) struct IgnoreArgs {
    /// Leave out the chunks of this index; may be repeated
    #[arg(long, value_name = "INDEX")]
    pub(crate) ignore: Vec<OsString>,

    /// Leave out the chunks whose IDs are in this text file, one per line; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) ignore_chunks: Vec<OsString>,
}
