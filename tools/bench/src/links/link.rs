//! A link between two network namespaces whose packets pass through this process.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::way::{Conditions, Way};

/// The namespaces, and the addresses of their ends.
const ENDS: [(&str, &str); 2] = [("desync-near", "10.213.0.1/30"), ("desync-far", "10.213.0.2/30")];

/// The address of the far end.
pub(super) const FAR: &str = "10.213.0.2";

/// The device in each namespace.
const DEVICE: &str = "wire0";

/// How long the end of the link may go unnoticed.
const GLANCE: Duration = Duration::from_millis(50);

/// A link; it and its namespaces end when dropped.
pub(super) struct Link {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Needs root.
    ///
    /// # Errors
    /// If the system refuses namespaces or devices.
    pub(super) fn new(conditions: Conditions) -> anyhow::Result<Self> {
        remove_namespaces();
        let mut link = Self { ends: Arc::default(), thread: None };
        let [near, far] = ENDS.map(|(namespace, address)| end(namespace, address));
        let ends = Arc::clone(&link.ends);
        let mut wire = Wire { ends: [near?, far?], ways: [1, 2].map(|chance| Way::new(conditions, chance)) };
        link.thread = Some(thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                if let Err(error) = wire.step() {
                    eprintln!("bench: the link: {error}");
                    return;
                }
            }
        }));
        Ok(link)
    }

    /// A command at the near end.
    pub(super) fn near(program: &str) -> Command {
        within(ENDS[0].0, program)
    }

    /// A command at the far end.
    pub(super) fn far(program: &str) -> Command {
        within(ENDS[1].0, program)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
        remove_namespaces();
    }
}

fn within(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]);
    command
}

fn remove_namespaces() {
    for (namespace, _) in ENDS {
        // It need not be there.
        let _ = Command::new("ip").args(["netns", "del", namespace]).stderr(Stdio::null()).status();
    }
}

/// Makes a namespace with one end of the link, and gives its packets.
fn end(namespace: &str, address: &str) -> anyhow::Result<File> {
    ip(&["netns", "add", namespace])?;
    let device = thread::scope(|scope| scope.spawn(|| open_device(namespace)).join());
    let device = device.expect("opening does not panic").context("opening a TUN device")?;
    ip(&["-n", namespace, "addr", "add", address, "dev", DEVICE])?;
    ip(&["-n", namespace, "link", "set", "dev", "lo", "up"])?;
    ip(&["-n", namespace, "link", "set", "dev", DEVICE, "up"])?;
    Ok(device)
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("ip").args(arguments).status().context("cannot start ip")?;
    ensure!(status.success(), "ip {} failed: links need root", arguments.join(" "));
    Ok(())
}

/// A TUN device in a namespace, which its thread moves into.
fn open_device(namespace: &str) -> io::Result<File> {
    let space = File::open(format!("/run/netns/{namespace}"))?;
    move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?;
    let device = File::options().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: an ifreq is numbers, for which zeros are valid.
    #[allow(unsafe_code)]
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(DEVICE.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI).unwrap_or(0);
    // SAFETY: TUNSETIFF reads and writes one ifreq, which outlives the call; the descriptor is open.
    #[allow(unsafe_code)]
    let result = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    fcntl_setfl(&device, OFlags::NONBLOCK)?;
    Ok(device)
}

/// What runs between the ends.
struct Wire {
    ends: [File; 2],
    ways: [Way; 2],
}

impl Wire {
    /// Hands on what has arrived, waits for the next to do so or to come, takes in what came.
    fn step(&mut self) -> io::Result<()> {
        let now = Instant::now();
        for (from, to) in [(0, 1), (1, 0)] {
            while let Some(packet) = self.ways[from].arrived(now) {
                // A packet that the other end has no room for is lost, as on any link.
                let _ = (&self.ends[to]).write(&packet);
            }
        }
        let next = self.ways.iter().filter_map(Way::next).min();
        let wait = next.map_or(GLANCE, |next| next.saturating_duration_since(now).min(GLANCE));
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        let [near, far] = &self.ends;
        poll(&mut [PollFd::new(near, PollFlags::IN), PollFd::new(far, PollFlags::IN)], Some(&wait))?;
        let mut packet = [0; 2048];
        for (end, way) in self.ends.iter_mut().zip(&mut self.ways) {
            loop {
                match end.read(&mut packet) {
                    Ok(len) => way.take(&packet[..len], Instant::now()),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}
