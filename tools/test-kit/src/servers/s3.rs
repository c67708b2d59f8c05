//! Real servers of S3: one that checks signatures and keeps plain files, and one that is Amazon's in more ways.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Server;

/// A server of S3, running until dropped.
pub struct S3Server {
    /// The process.
    pub server: Server,
    kind: S3Kind,
    directory: PathBuf,
}

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Kind {
    /// s3s-fs: checks signatures, keeps objects as files, forgets nothing when it is killed.
    Files,
    /// moto: believes everybody, forgets everything.
    Moto,
}

impl S3Kind {
    /// The program, which a test must [`super::have`].
    #[must_use]
    pub fn program(self) -> String {
        match self {
            Self::Files => "s3s-fs".into(),
            Self::Moto => {
                // Where `cargo xtask setup` puts it; else wherever it is.
                let ours =
                    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/moto/bin/moto_server");
                if ours.exists() { ours.display().to_string() } else { "moto_server".into() }
            }
        }
    }
}

impl S3Server {
    /// The key that is let in.
    pub const KEY: &'static str = "AKEXAMPLE";
    /// Its secret.
    pub const SECRET: &'static str = "a/secret+of=signs";

    /// Starts one that keeps its objects below `directory`.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(kind: S3Kind, directory: &Path) -> Self {
        let directory = directory.to_owned();
        let kept = directory.clone();
        Self { server: Server::start(None, move |port| command(kind, &kept, port)), kind, directory }
    }

    /// Makes a bucket.
    ///
    /// # Panics
    /// If the server refuses.
    pub fn make_bucket(&self, name: &str) {
        match self.kind {
            S3Kind::Files => std::fs::create_dir(self.directory.join(name)).expect("a directory"),
            S3Kind::Moto => {
                let mut stream = TcpStream::connect(("127.0.0.1", self.server.port())).expect("it listens");
                let request = format!(
                    "PUT /{name} HTTP/1.1\r\nHost: s3\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                stream.write_all(request.as_bytes()).expect("it listens");
                let mut answer = String::new();
                stream.read_to_string(&mut answer).expect("it answers");
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            }
        }
    }

    /// The location of a bucket and a prefix.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("s3+http://127.0.0.1:{}/{path}", self.server.port())
    }

    /// The key of its entry among the credentials of a config.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }
}

fn command(kind: S3Kind, directory: &Path, port: u16) -> Command {
    let mut command = Command::new(kind.program());
    let port = port.to_string();
    match kind {
        S3Kind::Files => {
            command.args(["--host", "127.0.0.1", "--port", &port]);
            command.args(["--access-key", S3Server::KEY, "--secret-key", S3Server::SECRET]).arg(directory);
        }
        S3Kind::Moto => {
            command.args(["-H", "127.0.0.1", "-p", &port]);
        }
    }
    command
}
