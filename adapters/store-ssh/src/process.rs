//! A process that we speak with over its stdin and stdout, and that may fall silent.
//!
//! Its stderr is ours: what ssh asks and says is for the user.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// How long a process may take to end after it was told to.
const FAREWELL: Duration = Duration::from_millis(300);

/// A process with both ends of a conversation.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    /// Closed first at the end.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    silence: Option<Duration>,
}

impl Peer {
    /// Starts a program. No read or write waits longer than `silence`.
    pub(crate) fn start(mut command: Command, silence: Option<Duration>) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", command.get_program().display()))
        })?;
        let (stdin, stdout) =
            (child.stdin.take().expect("it is piped"), child.stdout.take().expect("it is piped"));
        for end in [stdin.as_fd(), stdout.as_fd()] {
            fcntl_setfl(end, fcntl_getfl(end)? | OFlags::NONBLOCK)?;
        }
        Ok(Self { child, stdin: Some(stdin), stdout, silence })
    }

    /// Waits longer or shorter from now on.
    pub(crate) fn set_silence(&mut self, silence: Option<Duration>) {
        self.silence = silence;
    }

    /// Why the process does not speak any more, in words.
    pub(crate) fn last_words(&mut self) -> String {
        let end = Instant::now() + FAREWELL;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return format!("the session ended ({status})"),
                Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(10)),
                _ => return "the session ended".to_owned(),
            }
        }
    }
}

/// Waits until a pipe can be used.
fn wait(pipe: BorrowedFd<'_>, flags: PollFlags, silence: Option<Duration>) -> io::Result<()> {
    let timeout = silence
        .map(|silence| Timespec::try_from(silence).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 }));
    match poll(&mut [PollFd::from_borrowed_fd(pipe, flags)], timeout.as_ref()) {
        Ok(0) => Err(io::Error::new(io::ErrorKind::TimedOut, "timed out: nothing came")),
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stdout.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(self.stdout.as_fd(), PollFlags::IN, self.silence)?;
                }
                read => return read,
            }
        }
    }
}

impl Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        loop {
            match stdin.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(stdin.as_fd(), PollFlags::OUT, self.silence)?;
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // At the end of its input it ends by itself.
        self.stdin = None;
        let end = Instant::now() + FAREWELL;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() >= end {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, silence: u64) -> Peer {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Peer::start(command, Some(Duration::from_millis(silence))).unwrap()
    }

    #[test]
    fn what_is_written_comes_back() {
        let mut peer = shell("exec cat", 30_000);
        // More than pipes hold: cat stops until it is read.
        let bytes = vec![7; 300_000];
        for part in bytes.chunks(30_000) {
            peer.write_all(part).unwrap();
            let mut back = vec![0; part.len()];
            peer.read_exact(&mut back).unwrap();
            assert!(back == part);
        }
    }

    #[test]
    fn silence_and_death_are_told() {
        let mut silent = shell("exec sleep 60", 20);
        assert_eq!(silent.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let mut full = shell("exec sleep 60", 20);
        assert_eq!(full.write_all(&vec![0; 1 << 20]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let mut dead = shell("exit 7", 30_000);
        assert_eq!(dead.read(&mut [0]).unwrap(), 0);
        assert_eq!(dead.last_words(), "the session ended (exit status: 7)");
        assert!(
            Peer::start(Command::new("/no/such/program"), None).unwrap_err().to_string().contains("/no/such")
        );
    }
}
