//! Signals end every command soon, with a failure, and nothing half-done under its final name.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::extracting::make_fifo;
use crate::room::Room;

/// How long a command may take to end.
const PROMPTLY: Duration = Duration::from_millis(1500);

/// Starts a command that waits for an index or blob that never comes.
fn start(room: &Room, args: &[&str]) -> Child {
    room.command(args).stdin(Stdio::piped()).spawn().unwrap()
}

/// Gives commands the time to begin to wait. Their handlers are there long before.
fn let_them_wait() {
    std::thread::sleep(Duration::from_millis(600));
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn defect_27_every_command_ends_promptly_and_fails() {
    let room = Room::with_blob();
    make_fifo(&room, "never");
    let commands = [
        &["make", "-s", "store", "new", "-"][..],
        &["make", "new", "never"],
        &["extract", "-s", "store", "never", "new"],
        &["verify-index", "never", "blob"],
        &["chunk", "never"],
        &["list-chunks", "never"],
        &["info", "never"],
        &["inspect-chunks", "never", "new"],
        &["cat", "-s", "store", "never"],
        &["chop", "-s", "store", "never", "blob"],
        &["cache", "-s", "store", "-c", "store", "never"],
        &["prune", "-y", "-s", "store", "never"],
        &["prune", "-s", "store", "blob.caibx"],
    ];
    let mut running: Vec<Child> = commands.iter().map(|args| start(&room, args)).collect();
    // Waiting for a child closes its stdin, and that would be the end it waits for.
    let stdins: Vec<_> = running.iter_mut().map(|child| child.stdin.take()).collect();
    let_them_wait();
    for (number, (child, args)) in running.iter_mut().zip(commands).enumerate() {
        assert_eq!(child.try_wait().unwrap(), None, "{args:?} did not wait");
        signal(child, if number % 2 == 0 { Signal::INT } else { Signal::TERM });
    }
    let sent = Instant::now();
    for (child, args) in running.iter_mut().zip(commands) {
        assert_eq!(child.wait().unwrap().code(), Some(1), "{args:?}");
        assert!(sent.elapsed() < PROMPTLY, "{args:?} took {:?}", sent.elapsed());
    }
    drop(stdins);
    assert!(!room.path("new").exists());
}

#[test]
fn defect_27_a_second_signal_ends_at_once() {
    let room = Room::new();
    let mut child = start(&room, &["make", "new", "-"]);
    let _stdin = child.stdin.take();
    let_them_wait();
    let sent = Instant::now();
    signal(&child, Signal::INT);
    std::thread::sleep(Duration::from_millis(50));
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(sent.elapsed() < Duration::from_millis(600), "took {:?}", sent.elapsed());
}

#[test]
fn defect_28_hangup_ends_a_command() {
    let ignored = std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0");
        u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 != 0)
    });
    if ignored {
        // Under nohup a child inherits that hangups are ignored, as it should.
        return;
    }
    let room = Room::new();
    let mut child = start(&room, &["make", "new", "-"]);
    let _stdin = child.stdin.take();
    let_them_wait();
    signal(&child, Signal::HUP);
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::HUP.as_raw()));
}
