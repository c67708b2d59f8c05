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
use std::path::Path;
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

/// A program that serves on a port of loopback; it ends, with all that it started, when dropped.
pub struct Server {
    command: Box<dyn Fn(u16) -> Command + Send>,
    port: u16,
    process: Child,
}

impl Server {
    /// Starts what `command` makes for a free port, and waits until it listens there.
    ///
    /// # Panics
    /// If it does not start. Where it writes `log`, its complaint is told.
    #[must_use]
    pub fn start(log: Option<&Path>, command: impl Fn(u16) -> Command + Send + 'static) -> Self {
        for _ in 0..10 {
            let port = free_port();
            if let Some(process) = start(&mut command(port), port) {
                return Self { command: Box::new(command), port, process };
            }
        }
        let complaint = log.map(std::fs::read_to_string);
        panic!("{:?} does not start: {complaint:?}", command(0));
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as a crash would, and with it the sessions that it began.
    pub fn kill(&mut self) {
        let started = descendants(self.process.id());
        let _ = self.process.kill();
        let _ = self.process.wait();
        for id in started {
            // Those that ended by themselves are none.
            let _ = Command::new("kill").args(["-KILL", &id.to_string()]).stderr(Stdio::null()).status();
        }
    }

    /// Starts it again where it was.
    ///
    /// # Panics
    /// If somebody took its port meanwhile.
    pub fn restart(&mut self) {
        let again = start(&mut (self.command)(self.port), self.port);
        self.process = again.expect("the port is still free");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until a program listens. `None` if it ended before.
fn start(command: &mut Command, port: u16) -> Option<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let begin = Instant::now();
    loop {
        // Somebody else may have taken the port and listen there.
        if process.try_wait().expect("it is our child").is_some() {
            return None;
        }
        if TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_ok() {
            return Some(process);
        }
        assert!(begin.elapsed() < PATIENCE, "{command:?} does not listen on {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes that a process started, and theirs.
fn descendants(process: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> =
        lists.flat_map(|list| list.split(' ').filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect();
    children.into_iter().flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}
