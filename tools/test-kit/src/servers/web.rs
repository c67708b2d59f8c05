//! A web server in the test's own process: objects in memory, and every misbehaviour a client must survive.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Ends every connection after this many bytes of answers.
    CutAfter(usize),
    /// Answers every n-th request with this status and no object.
    Every(u64, u16),
    /// The same, and asks to wait for this many seconds.
    EveryWithRetryAfter(u64, u16, u64),
    /// Answers requests whose target lacks a word with this status, these header lines and this body.
    UnlessTarget(&'static str, u16, &'static str, &'static str),
    /// Answers requests of a method with this status and no object.
    Method(&'static str, u16),
    /// Sends 200, no length and half of the body.
    Truncate,
    /// Inverts one bit of each body.
    Flip,
    /// Says that bodies have this many bytes more, or fewer, than they have.
    WrongLength(i64),
    /// Sends 200, no length, and bytes for ever.
    Endless,
    /// Waits before the body of each answer.
    Stall(Duration),
    /// Redirects to itself.
    RedirectLoop,
    /// Redirects GET, HEAD and PUT with this status to another server's same path.
    RedirectTo(u16, SocketAddr),
    /// Answers with bytes that are no HTTP.
    Garbage,
    /// Sends a header without end.
    EndlessHeader,
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// GET, HEAD, PUT …
    pub method: String,
    /// Path and query as they were sent.
    pub target: String,
    /// Header lines, names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// The server; ends when dropped.
#[derive(Debug)]
pub struct WebServer {
    shared: Arc<Shared>,
    address: SocketAddr,
}

#[derive(Debug)]
struct Shared {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    fault: Mutex<Fault>,
    seen: Mutex<Vec<Seen>>,
    requests: AtomicU64,
    sent: AtomicU64,
    ends: AtomicBool,
}

impl WebServer {
    /// Starts one without objects and faults.
    ///
    /// # Panics
    /// Without a free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            objects: Mutex::default(),
            fault: Mutex::new(Fault::None),
            seen: Mutex::default(),
            requests: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            ends: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if server.ends.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&server);
                // A client that goes away is no matter.
                thread::spawn(move || drop(shared.serve(&connection)));
            }
        });
        Self { shared, address }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Puts an object at a path without a leading `/`.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        lock(&self.shared.objects).insert(format!("/{path}"), bytes.to_vec());
    }

    /// The object at a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Vec<u8>> {
        lock(&self.shared.objects).get(&format!("/{path}")).cloned()
    }

    /// Misbehaves from now on.
    pub fn set_fault(&self, fault: Fault) {
        *lock(&self.shared.fault) = fault;
        self.shared.requests.store(0, Ordering::SeqCst);
    }

    /// The requests that came so far; forgets them.
    #[must_use]
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.shared.seen))
    }

    /// How many bytes of bodies were sent so far.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that ends after so many bytes.
struct Out<'s> {
    stream: &'s TcpStream,
    left: usize,
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let count = self.stream.write(&bytes[..bytes.len().min(self.left)])?;
        self.left -= count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let fault = *lock(&self.fault);
        let left = if let Fault::CutAfter(bytes) = fault { bytes } else { usize::MAX };
        let mut out = Out { stream, left };
        let mut input = BufReader::new(stream);
        while let Some((request, body)) = read_request(&mut input)? {
            let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
            lock(&self.seen).push(request.clone());
            self.answer(&request, body, number, &mut out)?;
        }
        Ok(())
    }

    fn answer(&self, request: &Seen, body: Vec<u8>, number: u64, out: &mut Out<'_>) -> io::Result<()> {
        let path = request.target.split('?').next().unwrap_or_default().to_owned();
        let fault = *lock(&self.fault);
        match fault {
            Fault::Every(n, status) if number.is_multiple_of(n) => return empty(out, status, ""),
            Fault::EveryWithRetryAfter(n, status, seconds) if number.is_multiple_of(n) => {
                return empty(out, status, &format!("Retry-After: {seconds}\r\n"));
            }
            Fault::UnlessTarget(word, status, headers, body) if !request.target.contains(word) => {
                let body = if request.method == "HEAD" { "" } else { body };
                let len = body.len();
                return write!(out, "HTTP/1.1 {status} No\r\n{headers}Content-Length: {len}\r\n\r\n{body}");
            }
            Fault::Method(method, status) if request.method == method => return empty(out, status, ""),
            Fault::RedirectLoop => return empty(out, 302, &format!("Location: {}x\r\n", request.target)),
            Fault::RedirectTo(status, other) => {
                return empty(out, status, &format!("Location: http://{other}{}\r\n", request.target));
            }
            Fault::Garbage => return out.write_all(b"\x00\x01 these are not the bytes you look for\r\n\r\n"),
            Fault::EndlessHeader => {
                out.write_all(b"HTTP/1.1 200 OK\r\n")?;
                loop {
                    out.write_all(b"X-More: of the same, and more of it\r\n")?;
                }
            }
            _ => {}
        }
        if request.method == "PUT" {
            lock(&self.objects).insert(path, body);
            return empty(out, 201, "");
        }
        let object = lock(&self.objects).get(&path).cloned();
        let Some(object) = object else { return empty(out, 404, "") };
        self.object(request, object, fault, out)
    }

    fn object(&self, request: &Seen, mut body: Vec<u8>, fault: Fault, out: &mut Out<'_>) -> io::Result<()> {
        let range = request
            .headers
            .get("range")
            .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let mut head = String::from("HTTP/1.1 200 OK\r\n");
        if let Some(first) = range.filter(|first: &usize| *first < body.len()) {
            let len = body.len();
            head =
                format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{}/{len}\r\n", len - 1);
            body.drain(..first);
        }
        let mut len = Some(body.len() as u64);
        match fault {
            Fault::Truncate | Fault::Endless => len = None,
            Fault::WrongLength(more) => len = len.and_then(|len| len.checked_add_signed(more)),
            Fault::Flip if !body.is_empty() => {
                let middle = body.len() / 2;
                body[middle] ^= 0x10;
            }
            _ => {}
        }
        head += &len.map_or("Connection: close\r\n".into(), |len| format!("Content-Length: {len}\r\n"));
        out.write_all(format!("{head}\r\n").as_bytes())?;
        if request.method == "HEAD" {
            return if len.is_none() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) };
        }
        match fault {
            Fault::Stall(time) => thread::sleep(time),
            Fault::Truncate => {
                self.send(out, &body[..body.len() / 2])?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            Fault::Endless => loop {
                self.send(out, &[0x55; 4096])?;
            },
            _ => {}
        }
        self.send(out, &body)
    }

    fn send(&self, out: &mut Out<'_>, body: &[u8]) -> io::Result<()> {
        out.write_all(body)?;
        self.sent.fetch_add(body.len() as u64, Ordering::SeqCst);
        Ok(())
    }
}

fn empty(out: &mut Out<'_>, status: u16, headers: &str) -> io::Result<()> {
    write!(out, "HTTP/1.1 {status} Told so\r\n{headers}Content-Length: 0\r\n\r\n")
}

/// A request and its body; `None` at the end of the connection.
fn read_request(input: &mut impl BufRead) -> io::Result<Option<(Seen, Vec<u8>)>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let mut request = Seen { method: word(), target: word(), headers: BTreeMap::new() };
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let len = request.headers.get("content-length").and_then(|len| len.parse().ok()).unwrap_or(0);
    let mut body = vec![0; len];
    input.read_exact(&mut body)?;
    Ok(Some((request, body)))
}
