//! A line between two sockets that drops, doubles and flips bytes, falls silent and hangs up.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a line that has fallen silent carries nothing: longer than a device waits for an answer.
const SILENCE: Duration = Duration::from_secs(1);

/// What happens to one byte in so many; 0 for never.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// It is lost.
    pub dropped: u64,
    /// It comes twice.
    pub doubled: u64,
    /// One of its bits changes.
    pub flipped: u64,
    /// It is lost, and so is all that comes this way within a second.
    pub silence: u64,
    /// The host's connection ends.
    pub hang_up: u64,
}

/// Such a line.
#[derive(Debug)]
pub struct NoisyLine {
    socket: PathBuf,
    happened: Arc<AtomicU64>,
}

impl NoisyLine {
    /// Lays it from the board's socket to a new one, `noisy` beside it, for hosts: one after the other. The
    /// board's end stays connected.
    ///
    /// # Errors
    /// When a socket cannot be made or reached.
    pub fn lay(board: &Path, faults: Faults, seed: u64) -> io::Result<Self> {
        let socket = board.with_file_name("noisy");
        let listener = UnixListener::bind(&socket)?;
        let board = UnixStream::connect(board)?;
        let happened = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&happened);
        thread::spawn(move || serve(&listener, &board, faults, seed, &count));
        Ok(Self { socket, happened })
    }

    /// Where hosts connect.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// How much has gone wrong so far.
    #[must_use]
    pub fn happened(&self) -> u64 {
        self.happened.load(Ordering::Relaxed)
    }
}

fn serve(
    listener: &UnixListener,
    board: &UnixStream,
    faults: Faults,
    seed: u64,
    count: &AtomicU64,
) -> io::Result<()> {
    for (round, host) in listener.incoming().enumerate() {
        let host = host?;
        let seed = seed + 2 * round as u64;
        // Either direction may end it; then so does the other, at its next byte.
        let hang_up = || host.shutdown(Shutdown::Both);
        thread::scope(|scope| {
            scope.spawn(|| disturb(&host, board, faults, seed, count).and_then(|()| hang_up()));
            let _ = disturb(board, &host, faults, seed + 1, count);
            let _ = hang_up();
        });
    }
    Ok(())
}

/// Moves bytes with faults.
fn disturb(
    mut from: &UnixStream,
    mut to: &UnixStream,
    faults: Faults,
    seed: u64,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut bytes, mut noisy) = ([0; 512], Vec::new());
    let mut silent_since: Option<Instant> = None;
    loop {
        let len = from.read(&mut bytes)?;
        if len == 0 {
            return Ok(());
        }
        if silent_since.is_some_and(|since| since.elapsed() < SILENCE) {
            continue;
        }
        noisy.clear();
        for byte in &bytes[..len] {
            let Faults { dropped, doubled, flipped, silence, hang_up } = faults;
            let fault = [dropped, doubled, flipped, silence, hang_up].map(|n| dice.roll(n));
            count.fetch_add(fault.iter().filter(|happens| **happens).count() as u64, Ordering::Relaxed);
            match fault {
                [true, ..] => {}
                [_, true, ..] => noisy.extend([*byte, *byte]),
                [_, _, true, ..] => noisy.push(byte ^ 1 << (dice.0 >> 60 & 7)),
                [_, _, _, true, _] => {
                    silent_since = Some(Instant::now());
                    break;
                }
                [_, _, _, _, true] => return Ok(()),
                _ => noisy.push(*byte),
            }
        }
        to.write_all(&noisy)?;
    }
}

/// Reproducible randomness (xorshift, G. Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, one_in: u64) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        one_in != 0 && (self.0 >> 8).is_multiple_of(one_in)
    }
}
