//! A directory of its own for each test, and the program run in it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The program under test: the one that was built with the tests, unless another is named.
pub(crate) fn program() -> String {
    std::env::var("DESYNC_TEST_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_desync").into())
}

/// A temporary directory with an empty store called `store`; also the home directory.
pub(crate) struct Room {
    directory: TempDir,
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Room {
    pub(crate) fn new() -> Self {
        let room = Self { directory: tempfile::tempdir().unwrap() };
        room.create_dir("store");
        room
    }

    /// A room with a blob of several hundred kilobytes, its index and its chunks in the store.
    pub(crate) fn with_blob() -> Self {
        let room = Self::new();
        room.write("blob", &blob());
        room.ok(&["make", "-s", "store", "blob.caibx", "blob"]);
        room
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn create_dir(&self, name: &str) {
        std::fs::create_dir(self.path(name)).unwrap();
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// The files below a directory, relative to the room, sorted.
    pub(crate) fn files(&self, name: &str) -> Vec<String> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(self.path(name)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{name}/{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                files.extend(self.files(&name));
            } else {
                files.push(name);
            }
        }
        files.sort();
        files
    }

    /// The program, to be run in this room with nothing of the tester's environment that could change it.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).current_dir(self.directory.path()).env("HOME", self.directory.path());
        for name in ["DESYNC_PROGRESSBAR_ENABLED", "DESYNC_ENABLE_PARSABLE_PROGRESS", "SOURCE_DATE_EPOCH"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.command(args).output().unwrap().into()
    }

    pub(crate) fn run_with_stdin(&self, args: &[&str], stdin: &[u8]) -> Run {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let stdin = stdin.to_vec();
        // The program may end without reading everything.
        let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output.into()
    }

    /// Runs what must succeed silently on stderr, and returns its stdout.
    pub(crate) fn ok(&self, args: &[&str]) -> Vec<u8> {
        let run = self.run(args);
        assert!(run.code == Some(0) && run.stderr.is_empty(), "{args:?}: {run:?}");
        run.stdout
    }

    /// Runs what must succeed and say nothing but warnings; returns its stdout and the warnings.
    pub(crate) fn ok_with_warnings(&self, args: &[&str]) -> (Vec<u8>, String) {
        let run = self.run(args);
        let only_warnings = run.stderr.lines().all(|line| line.starts_with("Warning: "));
        assert!(run.code == Some(0) && only_warnings, "{args:?}: {run:?}");
        (run.stdout, run.stderr)
    }

    pub(crate) fn ok_text(&self, args: &[&str]) -> String {
        String::from_utf8(self.ok(args)).unwrap()
    }

    /// Runs what must fail with this exit code, and returns what it said. Nothing may be on stdout.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let run = self.run(args);
        assert!(run.code == Some(code) && run.stdout.is_empty(), "{args:?}: {run:?}");
        assert!(run.stderr.starts_with("Error: "), "{args:?}: {run:?}");
        run.stderr
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// 600 kB that cut into several chunks, with a run of zeros in the middle.
pub(crate) fn blob() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(75_000).flatten().collect();
    bytes[200_000..500_000].fill(0);
    bytes
}
