//! Starting firmware under QEMU, with a deadline.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::Firmware;

const QEMU: &str = "qemu-system-arm";

/// An emulator that is installed.
#[derive(Clone, Copy, Debug)]
pub struct Emulator(());

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit code that the firmware asked for; none if a signal ended the emulator.
    pub code: Option<i32>,
    /// What it printed by semihosting.
    pub output: String,
    /// What it sent over its second UART: frames of defmt.
    pub log: Vec<u8>,
}

impl Emulator {
    /// Finds it; none if it is not installed.
    #[must_use]
    pub fn find() -> Option<Self> {
        let version =
            Command::new(QEMU).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success()).then_some(Self(()))
    }

    /// Runs firmware to its end; `folder` takes the log meanwhile.
    ///
    /// # Errors
    /// When the emulator cannot be started, or does not end by the deadline: it is then stopped.
    pub fn run(self, firmware: &Firmware, folder: &Path, deadline: Duration) -> anyhow::Result<Outcome> {
        let log = folder.join("uart1");
        let mut qemu = Command::new(QEMU);
        qemu.args(["-M", firmware.board.name, "-display", "none", "-monitor", "none", "-serial", "none"]);
        qemu.arg("-serial").arg(format!("file:{}", log.display()));
        qemu.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(&firmware.elf);
        let qemu = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = qemu.spawn().with_context(|| format!("cannot start {QEMU}"))?;
        let output = read_in_background(child.stdout.take());
        let errors = read_in_background(child.stderr.take());
        let ended = wait_until(&mut child, Instant::now() + deadline)?;
        let output = output.join().unwrap_or_default() + &errors.join().unwrap_or_default();
        let Some(code) = ended else {
            bail!("{} did not end in {deadline:?}: {output}", firmware.board.name)
        };
        let log = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
        Ok(Outcome { code, output, log })
    }
}

fn read_in_background(pipe: Option<impl std::io::Read + Send + 'static>) -> thread::JoinHandle<String> {
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
        thread::sleep(Duration::from_millis(5));
    }
}
