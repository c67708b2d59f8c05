//! `chunk-server` and `index-server`, asked by real clients and by hostile ones.

mod living;
mod reading;
mod refusing;
mod tls;
mod writing;

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Output};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::room::Room;

/// No answer takes longer, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so; a test that waits for ever says nothing.
///
/// # Panics
/// Saying `what`, if it does not become so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// A server under test; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens, in the order it said so.
    addresses: Vec<SocketAddr>,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server on a free port, and with `listeners - 1` further ones.
    pub(crate) fn start(room: &Room, args: &[&str], listeners: usize) -> Self {
        Self::spawn(&mut room.command(&[&["--verbose"], args].concat()), listeners)
    }

    pub(crate) fn chunks(room: &Room, args: &[&str]) -> Self {
        Self::start(room, &[&["chunk-server", "-l", "127.0.0.1:0"], args].concat(), 1)
    }

    pub(crate) fn indexes(room: &Room, args: &[&str]) -> Self {
        Self::start(room, &[&["index-server", "-l", "127.0.0.1:0"], args].concat(), 1)
    }

    fn spawn(command: &mut Command, listeners: usize) -> Self {
        let mut child = command.env_remove("DESYNC_HTTP_AUTH").spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (said, mut addresses) = (Arc::new(Mutex::new(String::new())), Vec::new());
        while addresses.len() < listeners {
            let line = lines.next().unwrap_or_else(|| panic!("ended: {}", said.lock().unwrap())).unwrap();
            addresses.extend(
                line.split_once("listening on ")
                    .map(|(_, address)| address.trim_end_matches('"').parse::<SocketAddr>().unwrap()),
            );
            said.lock().unwrap().push_str(&format!("{line}\n"));
        }
        let more = Arc::clone(&said);
        let listener = std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| more.lock().unwrap().push_str(&format!("{line}\n")));
        });
        Self { child, addresses, said, listener: Some(listener) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end; returns how it ended and what was said.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.listener.take().unwrap().join().unwrap();
        let said = self.said.lock().unwrap().clone();
        (status, said)
    }

    pub(crate) fn stop(self) -> String {
        self.signal(Signal::TERM);
        let (status, said) = self.end();
        assert_eq!(status.code(), Some(0), "{said}");
        said
    }

    /// The most memory it had so far, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// How many threads it has now.
    pub(crate) fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().count()
    }

    /// A connection on which no answer is waited for endlessly.
    pub(crate) fn connect(&self) -> TcpStream {
        self.try_connect().unwrap()
    }

    pub(crate) fn try_connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, head: &str, body: &[u8]) -> Answer {
        ask_on(self.connect(), head, body).unwrap_or_else(|error| panic!("{head}: {error}"))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1"), b"")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request, head lines without the last empty one, and reads to the end.
pub(crate) fn ask_on(mut stream: TcpStream, head: &str, body: &[u8]) -> std::io::Result<Answer> {
    let host = stream.peer_addr()?;
    stream.write_all(format!("{head}\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())?;
    // The server may have answered and gone before it had all of the body.
    let _ = stream.write_all(body);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Answer::parse(&bytes).ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

/// An answer of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// `None` if it ends before its head does.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|part| part == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head[9..12].parse().unwrap();
        Some(Self { status, head, body: bytes[end + 4..].to_vec() })
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    /// The status and everything that is said before the body, but for the time.
    pub(crate) fn headers_but_date(&self) -> Vec<&str> {
        self.head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("date:")).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The chunks of the room's store, as paths of requests.
pub(crate) fn chunk_paths(room: &Room, store: &str) -> Vec<String> {
    room.files(store).iter().map(|file| file[store.len()..].to_owned()).collect()
}

/// Runs another program in the room; `None`, after saying so, if a user's machine lacks it.
#[allow(clippy::print_stderr, reason = "whoever runs the tests should know what did not run")]
pub(crate) fn other_program(room: &Room, words: &[&str]) -> Option<Output> {
    match Command::new(words[0]).args(&words[1..]).current_dir(room.path(".")).output() {
        Ok(output) => Some(output),
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("SKIPPED: {} does not run: {error}", words[0]);
            None
        }
        Err(error) => panic!("{} does not run: {error}", words[0]),
    }
}
