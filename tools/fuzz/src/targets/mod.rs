//! The targets: one file for each decoder. A panic is a finding.

mod archive;
mod chunk_name;
mod chunker;
mod config;
mod config_key;
mod decoders;
mod index;
mod kernels;
mod link;
mod oci;
mod planner;
mod protocol;
mod request_path;
mod trees;
mod updater;
mod url;

/// A decoder under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is asked for by.
    pub name: &'static str,
    /// Takes any bytes; returns if all is well.
    pub run: fn(&[u8]),
    /// Longest input worth trying, in bytes.
    pub len_max: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "index", run: index::run, len_max: 4096 },
    Target { name: "zstd", run: decoders::run_zstd, len_max: 16 << 10 },
    Target { name: "zstd-stream", run: decoders::run_stream, len_max: 16 << 10 },
    Target { name: "host-decoder", run: decoders::run_host, len_max: 16 << 10 },
    Target { name: "chunk-name", run: chunk_name::run, len_max: 128 },
    Target { name: "chunker", run: chunker::run, len_max: 8 << 10 },
    Target { name: "kernels", run: kernels::run, len_max: 2 << 10 },
    Target { name: "planner", run: planner::run, len_max: 8 << 10 },
    Target { name: "protocol", run: protocol::run, len_max: 8 << 10 },
    Target { name: "config", run: config::run, len_max: 2 << 10 },
    Target { name: "config-key", run: config_key::run, len_max: 128 },
    Target { name: "request-path", run: request_path::run, len_max: 256 },
    Target { name: "link", run: link::run, len_max: 2 << 10 },
    Target { name: "updater", run: updater::run, len_max: 4 << 10 },
    Target { name: "archive", run: archive::run, len_max: 8 << 10 },
    Target { name: "restore", run: trees::run_restore, len_max: 8 << 10 },
    Target { name: "tar-input", run: trees::run_tar, len_max: 16 << 10 },
    Target { name: "oci", run: oci::run, len_max: 2048 },
    Target { name: "url", run: url::run, len_max: 512 },
];

/// The target of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
