//! Running a process and what it cost.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// What one run cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system time of all threads.
    pub(crate) cpu: Duration,
    /// The system's part of it.
    pub(crate) system: Duration,
    /// Peak resident memory in bytes. Never below what this harness itself has (a few MiB), since the kernel
    /// counts from the fork.
    pub(crate) peak: u64,
}

/// Lets the peak of this process begin with what it holds now: a command's peak is never told to be below it.
///
/// # Errors
/// If the kernel cannot.
pub(crate) fn forget_peak() -> anyhow::Result<()> {
    // Source: `proc_pid_clear_refs(5)`.
    fs::write("/proc/self/clear_refs", "5").context("cannot reset the peak of this process's memory")
}

/// Runs a command to its end.
///
/// # Errors
/// If it fails, with the end of what it said; `folder` takes that meanwhile.
pub(crate) fn run(command: &mut Command, folder: &Path) -> anyhow::Result<()> {
    measure(command, folder).map(drop)
}

/// As [`run`], and tells the cost.
pub(crate) fn measure(command: &mut Command, folder: &Path) -> anyhow::Result<Cost> {
    let messages = folder.join("stderr");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&messages)?);
    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    let (status, usage) = wait(child.id())?;
    let wall = start.elapsed();
    if status != 0 {
        let said = fs::read_to_string(&messages).unwrap_or_default();
        bail!("{command:?} failed (wait status {status:#x}): {}", said.trim());
    }
    let system = duration(usage.ru_stime);
    Ok(Cost {
        wall,
        cpu: duration(usage.ru_utime) + system,
        system,
        peak: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    })
}

/// Time that this thread has worked since it began, user and system.
pub(crate) fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local that outlives the call.
    #[allow(unsafe_code)]
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "every thread has a clock");
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Waits for a child: its wait status, and what it used.
fn wait(process: u32) -> anyhow::Result<(i32, libc::rusage)> {
    let process = libc::pid_t::try_from(process).context("a process id")?;
    let mut status = 0;
    // SAFETY: all fields of a rusage are numbers, for which zeros are valid.
    #[allow(unsafe_code)]
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to locals that outlive the call; the child is ours and was not waited for.
        #[allow(unsafe_code)]
        let ended = unsafe { libc::wait4(process, &raw mut status, 0, &raw mut usage) };
        if ended == process {
            return Ok((status, usage));
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error).context("cannot wait for a process");
        }
    }
}

fn duration(time: libc::timeval) -> Duration {
    let micros = time.tv_sec * 1_000_000 + time.tv_usec;
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_and_failures_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let busy = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
        let cost = measure(Command::new("sh").args(["-c", busy]), folder.path()).unwrap();
        assert!(cost.cpu > Duration::ZERO && cost.wall >= cost.cpu / 4 && cost.peak > 100 << 10, "{cost:?}");
        let error = run(Command::new("sh").args(["-c", "echo no such thing >&2; exit 3"]), folder.path());
        assert!(error.unwrap_err().to_string().contains("no such thing"));
    }
}
