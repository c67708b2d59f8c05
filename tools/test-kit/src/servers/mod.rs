//! Servers for tests: real programs and one that misbehaves on demand. All listen on loopback, on a port of
//! their own, and end with the value that stands for them.
#![allow(clippy::print_stderr)] // a test that is skipped says so

mod certificates;
mod gcs;
mod nginx;
mod registry;
mod s3;
mod sshd;
mod web;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub use certificates::Certificates;
pub use gcs::GcsServer;
pub use nginx::{Nginx, Site};
pub use registry::Registry;
pub use s3::{S3Kind, S3Server};
pub use sshd::Sshd;
pub use web::{Fault, Seen, WebServer};

/// How long a server may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether all programs are there; if not, this is said, and fails where `CI` is set.
///
/// # Panics
/// If one is missing and `CI` is set.
#[must_use]
pub fn have(programs: &[&str]) -> bool {
    let Some(missing) = programs.iter().find(|program| !is_there(program)) else { return true };
    assert!(std::env::var_os("CI").is_none(), "{missing} is not installed: `cargo xtask setup` installs it");
    eprintln!("SKIPPED: {missing} is not installed");
    false
}

fn is_there(program: &str) -> bool {
    let quiet = Command::new(program)
        .arg("-h")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match quiet {
        Ok(mut child) => {
            // Whatever it makes of the word, it is there.
            let _ = child.kill();
            let _ = child.wait();
            true
        }
        Err(_) => false,
    }
}

/// A port of loopback that nobody listens on. Somebody else may take it before it is used: try again then.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

/// A server's process; ends when dropped.
#[derive(Debug)]
pub struct Server(Child);

impl Server {
    /// Starts a program and waits until it listens on `port`. `None` if it ended before.
    ///
    /// # Panics
    /// If it cannot be started, or does not listen after half a minute.
    #[must_use]
    pub fn start(command: &mut Command, port: u16) -> Option<Self> {
        let mut server =
            Self(command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")));
        let begin = Instant::now();
        loop {
            if TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_ok() {
                return Some(server);
            }
            if server.0.try_wait().expect("it is our child").is_some() {
                return None;
            }
            assert!(begin.elapsed() < PATIENCE, "{command:?} does not listen on {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
