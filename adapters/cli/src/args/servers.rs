//! The commands that serve over HTTP: `chunk-server` and `index-server`.

use std::ffi::OsString;

use super::help;
use super::shared::{SourceArgs, StoreArgs};
use crate::settings::notation;

/// Serve the chunks of stores over HTTP
///
/// Clients are desync, Go desync, casync, anything that speaks HTTP. Chunks go out in one form, compressed
/// unless told otherwise, whatever the form of the stores; those that are stored in it are sent untouched.
/// With --writable clients may also put chunks; each is durable before its client is told. SIGHUP reads the
/// store file and the certificates again and opens the log anew, without losing a request. SIGTERM finishes
/// the requests under way.
#[derive(clap::Args)]
#[command(after_help = help::CHUNK_SERVER)]
pub(crate) struct ChunkServerArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Read the stores from this JSON file, at the start and at each SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(crate) store_file: Option<OsString>,

    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// Send chunks as the stores have them, without checking them first [default: true]
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) skip_verify_read: Option<bool>,

    /// Store chunks as clients send them, without checking them first [default: true]
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) skip_verify_write: Option<bool>,

    /// Exchange chunks with clients uncompressed
    #[arg(short = 'u', long, value_parser = notation::boolean)]
    pub(crate) uncompressed: Option<bool>,

    /// Exchange chunks with clients encrypted
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) encryption: Option<bool>,

    /// Encrypt with this key of 64 hex digits; implies --encryption
    ///
    /// The shell keeps arguments in its history: $DESYNC_ENCRYPTION_KEY is a better place.
    #[arg(long, value_name = "KEY")]
    pub(crate) encryption_key: Option<String>,

    /// xchacha20-poly1305 or aes-256-gcm; implies --encryption [default: xchacha20-poly1305]
    #[arg(long, value_name = "NAME")]
    pub(crate) encryption_algorithm: Option<String>,

    /// Do not wait for the disk when chunks are put: a power cut may then lose or damage them
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) no_sync: Option<bool>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}

/// Serve the indexes of a store over HTTP
///
/// Only whole indexes are served and taken; anything else in the directory is not seen. With --writable
/// clients may also put indexes. SIGHUP reads the certificates again and opens the log anew. SIGTERM finishes
/// the requests under way.
#[derive(clap::Args)]
#[command(after_help = help::INDEX_SERVER)]
pub(crate) struct IndexServerArgs {
    /// Directory or index store to serve
    #[arg(short = 's', long, value_name = "LOCATION")]
    pub(crate) store: Option<OsString>,

    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}

/// What both servers have.
#[derive(Clone, Default, clap::Args)]
pub(crate) struct ServerArgs {
    /// Address to listen on, HOST:PORT or :PORT; may be repeated [default: :http]
    ///
    /// A port may be the name of a service. Sockets that systemd hands over are listened on as well, and then
    /// there is no default.
    #[arg(short = 'l', long, value_name = "ADDRESS")]
    pub(crate) listen: Vec<OsString>,

    /// Let clients write
    #[arg(short = 'w', long, value_parser = notation::boolean)]
    pub(crate) writable: Option<bool>,

    /// The former spelling of --writable
    #[arg(long, hide = true, value_parser = notation::boolean)]
    pub(crate) writeable: Option<bool>,

    /// Serve HTTPS with this certificate, a PEM file; needs --key
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<OsString>,

    /// Key of the certificate, a PEM file; needs --cert
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<OsString>,

    /// Let in only clients with a certificate of an authority in --client-ca
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) mutual_tls: Option<bool>,

    /// Authorities whose clients are let in, a PEM file
    #[arg(long, value_name = "FILE")]
    pub(crate) client_ca: Option<OsString>,

    /// Let in only requests with this Authorization header [default: $DESYNC_HTTP_AUTH]
    ///
    /// The shell keeps arguments in its history: the variable is a better place.
    #[arg(long, value_name = "VALUE")]
    pub(crate) authorization: Option<String>,

    /// Log requests to the end of this file; '-' for stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<OsString>,

    /// Show /healthz and Prometheus /metrics on this address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics: Option<OsString>,

    /// Connections at once; more are refused [default: 10000]
    #[arg(long, value_name = "N", value_parser = notation::integer)]
    pub(crate) max_connections: Option<i64>,
}
