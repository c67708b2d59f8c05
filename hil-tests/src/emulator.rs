//! Starting firmware under QEMU, with a deadline, and ending it the hard way.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::{Firmware, Line};

/// How long any run may take, on a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(300);

/// Emulators that are installed.
#[derive(Clone, Copy, Debug)]
pub struct Emulator(());

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit code that the firmware asked for; none if a signal ended the emulator.
    pub code: Option<i32>,
    /// What it printed by semihosting.
    pub output: String,
    /// What it complained of, and the emulator.
    pub errors: String,
    /// What it sent over its second UART: frames of defmt.
    pub log: Vec<u8>,
}

/// A board that runs. Dropping it takes its power away.
#[derive(Debug)]
pub struct Running {
    child: Child,
    folder: PathBuf,
    terminal: Option<PathBuf>,
    output: Option<thread::JoinHandle<String>>,
    errors: Option<thread::JoinHandle<String>>,
}

impl Emulator {
    /// Finds both; none if one is not installed.
    #[must_use]
    pub fn find() -> Option<Self> {
        let is_there = |qemu: &str| {
            let mut version = Command::new(qemu);
            version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
            version.status().is_ok_and(|status| status.success())
        };
        (is_there("qemu-system-arm") && is_there("qemu-system-riscv32")).then_some(Self(()))
    }

    /// Finds them, or says that a test is skipped; in CI they must be there.
    ///
    /// # Panics
    /// In CI.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "a skipped test must say so")]
    pub fn find_or_skip() -> Option<Self> {
        let found = Self::find();
        if found.is_none() {
            assert!(std::env::var_os("CI").is_none(), "QEMU is missing");
            eprintln!("SKIPPED: QEMU is missing; `cargo xtask setup` installs it");
        }
        found
    }

    /// Starts firmware with the flash and the line of a folder, and words on its command line.
    ///
    /// # Errors
    /// When the emulator cannot be started, or does not name its terminal.
    pub fn start(
        self,
        firmware: &Firmware,
        folder: &Path,
        line: &Line,
        words: &[&str],
    ) -> anyhow::Result<Running> {
        let board = firmware.board;
        let socket = folder.join("line");
        if socket.exists() {
            fs::remove_file(&socket)?;
        }
        let mut qemu = Command::new(board.qemu);
        qemu.args(board.machine).args(["-display", "none", "-monitor", "none"]);
        qemu.args(["-serial", &line.argument(&socket), "-serial", "file:log"]);
        let words: String = words.iter().map(|word| format!(",arg={word}")).collect();
        qemu.arg("-semihosting-config").arg(format!("enable=on,target=native,arg=firmware{words}"));
        qemu.arg("-kernel").arg(&firmware.elf).current_dir(folder);
        qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = qemu.spawn().with_context(|| format!("cannot start {}", board.qemu))?;
        let (names, name) = mpsc::channel();
        let output = read_output(child.stdout.take(), names);
        let errors = read_in_background(child.stderr.take());
        let mut running = Running {
            child,
            folder: folder.to_owned(),
            terminal: None,
            output: Some(output),
            errors: Some(errors),
        };
        match line {
            Line::Socket => wait_for("the line's socket", || listens_at(&socket))?,
            Line::Tcp(port) => wait_for("the line's port", || is_listening(*port))?,
            Line::Terminal => running.terminal = Some(name.recv_timeout(DEADLINE).context("no terminal")?),
            Line::None => {}
        }
        Ok(running)
    }

    /// Runs firmware to its end, without a line.
    ///
    /// # Errors
    /// As [`Emulator::start`] and [`Running::end`].
    pub fn run(self, firmware: &Firmware, folder: &Path, words: &[&str]) -> anyhow::Result<Outcome> {
        self.start(firmware, folder, &Line::None, words)?.end()
    }
}

impl Running {
    /// The terminal that is its UART, if it is one.
    #[must_use]
    pub fn terminal(&self) -> Option<&Path> {
        self.terminal.as_deref()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When it does not end by a deadline: it is then stopped.
    pub fn end(mut self) -> anyhow::Result<Outcome> {
        let code = wait_until(&mut self.child, Instant::now() + DEADLINE)?;
        let text = |thread: Option<thread::JoinHandle<String>>| {
            thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
        };
        let (output, errors) = (text(self.output.take()), text(self.errors.take()));
        let Some(code) = code else { bail!("it did not end in {DEADLINE:?}: {output}{errors}") };
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        Ok(Outcome { code, output, errors, log })
    }

    /// Takes its power away at once, with SIGKILL; whether it ran until then.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn cut(mut self) -> anyhow::Result<bool> {
        let ran = self.child.try_wait()?.is_none();
        self.child.kill()?;
        self.child.wait()?;
        Ok(ran)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is there.
fn wait_for(what: &str, is_there: impl Fn() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + DEADLINE;
    while !is_there() {
        if Instant::now() >= deadline {
            bail!("{what} does not appear");
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Whether somebody listens at this socket, which is there a little before. Source of the columns and of the
/// flag: Linux, net/unix/af_unix.c, `unix_seq_show`.
fn listens_at(socket: &Path) -> bool {
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    table.lines().any(|line| {
        let mut columns = line.split_whitespace().skip(3);
        columns.next() == Some("00010000") && columns.nth(3).map(Path::new) == Some(socket)
    })
}

/// Whether somebody listens on this port of 127.0.0.1. Not tried by connecting: the board takes one connection.
/// Source of the columns and of state 0A: proc_pid_net(5).
fn is_listening(port: u16) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let address = format!("0100007F:{port:04X}");
    table.lines().any(|line| {
        let mut columns = line.split_whitespace().skip(1);
        columns.next() == Some(&address) && columns.nth(1) == Some("0A")
    })
}

/// Collects lines; the name of a terminal, if one is told, goes to the channel.
fn read_output(
    pipe: Option<impl Read + Send + 'static>,
    names: mpsc::Sender<PathBuf>,
) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        let Some(pipe) = pipe else { return text };
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            match line.strip_prefix("char device redirected to ").and_then(|rest| rest.split(' ').next()) {
                // Nobody may be waiting for it.
                Some(name) => drop(names.send(name.into())),
                None => text.extend([&line, "\n"]),
            }
        }
        text
    })
}

fn read_in_background(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The exit code, or none if the deadline passed; the child has ended either way.
fn wait_until(child: &mut Child, deadline: Instant) -> anyhow::Result<Option<Option<i32>>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.code()));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(2));
    }
}
