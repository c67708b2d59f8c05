//! What every server is put through.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::images::{FIRST, SECOND, assert_same, assert_stream, image, third};
use crate::peers::{Access, Peer, Refusal};
use crate::room::{Room, Run};

/// How far a command is when its server is killed: bytes that it has read of the image, or written.
const FAR: u64 = 120 << 20;
/// How long a server is away.
const AWAY: Duration = Duration::from_secs(1);

/// The whole scenario with a server.
pub(crate) fn plays(peer: impl FnOnce(&Room) -> Peer) {
    let room = Room::new();
    for name in ["first", "second"] {
        room.create_dir(name);
    }
    let peer = peer(&room);
    let mut play = Play { room, peer, times: Vec::new() };
    play.fill();
    play.read();
    play.crash();
    play.prune();
    play.refuse();
    play.forget();
    let times: Vec<_> = play.times.iter().map(|(what, time)| format!("{what} {time:.1}")).collect();
    eprintln!("{}, seconds: {}", play.peer.name, times.join(", "));
}

struct Play {
    room: Room,
    peer: Peer,
    times: Vec<(&'static str, f32)>,
}

impl Play {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.room.command(args);
        command
            .args(&self.peer.options)
            .envs(self.peer.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs what must succeed silently.
    fn ok(&mut self, what: &'static str, args: &[&str]) -> Vec<u8> {
        let begin = Instant::now();
        let run: Run = self.command(args).output().unwrap().into();
        self.times.push((what, begin.elapsed().as_secs_f32()));
        assert!(run.code == Some(0) && run.stderr.is_empty(), "{}: {what}: {run:?}", self.peer.name);
        run.stdout
    }

    /// Where an index is written and read.
    fn index(&self, name: &str) -> String {
        self.peer.indexes.as_ref().map_or_else(|| name.to_owned(), |place| place.replace("NAME", name))
    }

    /// The first image, through the network where that is allowed, else into the directory behind the server.
    fn fill(&mut self) {
        let index = self.index("first.caibx");
        let store = self.peer.store.clone();
        if let Some(directory) = &self.peer.read_only {
            let directory = directory.clone();
            let run: Run =
                self.command(&["make", "-s", &store, "none.caibx", image(FIRST)]).output().unwrap().into();
            assert!(run.code == Some(1) && run.stderr.contains(self.peer.writing_told), "{run:?}");
            assert!(!self.room.path("none.caibx").exists(), "an index without its chunks");
            self.room.ok(&["make", "-s", &directory, "first.caibx", image(FIRST)]);
            self.room.ok(&["make", "-s", &directory, "second.caibx", image(SECOND)]);
            return;
        }
        self.ok("make", &["make", "-s", &store, &index, image(FIRST)]);
        self.ok("make known", &["make", "-s", &store, &index, image(FIRST)]);
    }

    fn info(&mut self, index: &str) -> (u64, u64) {
        let (store, index) = (self.peer.store.clone(), self.index(index));
        let info = self.ok("info", &["info", "-s", &store, &index]);
        let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
        (info["in-store"].as_u64().unwrap(), info["unique"].as_u64().unwrap())
    }

    fn read(&mut self) {
        let (store, index) = (self.peer.store.clone(), self.index("first.caibx"));
        let (stored, unique) = self.info("first.caibx");
        assert!(stored == unique && unique > 3000, "{stored} of {unique} chunks");
        self.ok("extract", &["extract", "-s", &store, &index, "out"]);
        assert_same(&self.room.path("out"), FIRST);
        self.cat("first.caibx", FIRST);
        self.ok("cache", &["cache", "-s", &store, "-c", "first", &index]);
        assert_eq!(self.room.files("first").len() as u64, unique);
        self.room.ok(&["verify", "-s", "first"]);
    }

    fn cat(&mut self, index: &str, name: &str) {
        let begin = Instant::now();
        let mut child = self.command(&["cat", "-s", &self.peer.store, &self.index(index)]).spawn().unwrap();
        assert_stream(child.stdout.as_mut().unwrap(), name);
        let run: Run = child.wait_with_output().unwrap().into();
        assert!(run.code == Some(0) && run.stderr.is_empty(), "{run:?}");
        self.times.push(("cat", begin.elapsed().as_secs_f32()));
    }

    /// The second image with a server that is killed in the middle, of `make` and of `extract`.
    fn crash(&mut self) {
        let (store, index) = (self.peer.store.clone(), self.index("second.caibx"));
        if self.peer.read_only.is_none() {
            let make = ["make", "-s", &store, &index, image(SECOND)];
            if self.peer.forgets {
                self.ok("make of updates", &make);
            } else {
                self.survives("make of updates, server killed", &make, "rchar");
            }
            if matches!(self.peer.access, Access::Own(_)) {
                self.room.ok(&["verify", "-s", "remote"]);
            }
        }
        let extract = ["extract", "-s", &store, &index, "out"];
        if !self.peer.forgets {
            self.survives("extract, server killed", &extract, "wchar");
            assert_same(&self.room.path("out"), SECOND);
            self.survives("cache, server killed", &["cache", "-s", &store, "-c", "second", &index], "wchar");
            self.room.ok(&["verify", "-s", "second"]);
            return;
        }
        self.ok("extract of updates", &extract);
        assert_same(&self.room.path("out"), SECOND);
    }

    /// Runs a command whose server is killed in the middle and comes back: it must not matter.
    fn survives(&mut self, what: &'static str, args: &[&str], counter: &str) {
        let begin = Instant::now();
        let run = self.killed(args, counter);
        self.times.push((what, begin.elapsed().as_secs_f32()));
        assert!(run.code == Some(0), "{}: {what}: {run:?}", self.peer.name);
    }

    fn killed(&mut self, args: &[&str], counter: &str) -> Run {
        let mut child = self.command(args).spawn().unwrap();
        while !is_far(&mut child, counter) {
            thread::sleep(Duration::from_millis(2));
        }
        self.peer.access.server().kill();
        thread::sleep(AWAY);
        self.peer.access.server().restart();
        child.wait_with_output().unwrap().into()
    }

    /// What only a third index names goes; both images stay whole.
    fn prune(&mut self) {
        let (store, [first, second]) =
            (self.peer.store.clone(), ["first.caibx", "second.caibx"].map(|name| self.index(name)));
        if !self.peer.prunes {
            let run: Run = self.command(&["prune", "-y", "-s", &store, &first]).output().unwrap().into();
            assert!(run.code == Some(1) && run.stderr.contains("does not support pruning"), "{run:?}");
            return;
        }
        self.room.write("third", &third());
        let third = self.index("third.caibx");
        self.ok("make of a third", &["make", "-s", &store, &third, "third"]);
        let (before, unique) = self.info("third.caibx");
        assert_eq!(before, unique);
        let at_once = "--grace-period=0";
        self.ok("prune, all young", &["prune", "-y", "-s", &store, &first, &second]);
        assert_eq!(self.info("third.caibx").0, unique);
        let listed = ["prune", "--dry-run", at_once, "-s", &store, &first, &second];
        let listed = String::from_utf8(self.ok("prune --dry-run", &listed)).unwrap().lines().count() as u64;
        assert_eq!(self.info("third.caibx").0, unique, "a dry run removes nothing");
        self.ok("prune", &["prune", "-y", at_once, "-s", &store, &first, &second]);
        let (after, _) = self.info("third.caibx");
        assert!(listed > 100 && unique - after == listed, "{listed} listed, {} gone", unique - after);
        for index in ["first.caibx", "second.caibx"] {
            let (stored, unique) = self.info(index);
            assert_eq!(stored, unique, "{index} after prune");
        }
        self.cat("first.caibx", FIRST);
    }

    /// Wrong credentials, and buckets or directories that are not there.
    fn refuse(&mut self) {
        fs::copy(self.room.path("out"), self.room.path("kept")).unwrap();
        for Refusal { what, store, options, environment, told } in &self.peer.refusals {
            let index = if self.peer.read_only.is_some() || self.peer.indexes.is_none() {
                "first.caibx".to_owned()
            } else {
                // Who is refused reads no index either: a local one.
                self.room.ok(&["make", "local.caibx", image(FIRST)]);
                "local.caibx".to_owned()
            };
            let mut extract = self.room.command(&["extract", "-s", store, &index, "kept"]);
            extract.args(options).envs(environment.iter().map(|(name, value)| (name, value)));
            let begin = Instant::now();
            let run: Run = extract.stdin(Stdio::null()).output().unwrap().into();
            let shown = store.replace(":hunter2@", ":xxxxx@").replace(":wrong@", ":xxxxx@");
            // Before it, ssh speaks for itself.
            let line = run.stderr.lines().find(|line| line.starts_with(&format!("Error: {shown}")));
            let named = line.is_some_and(|line| line.contains(told));
            assert!(run.code == Some(1) && named, "{}: {what}: {run:?}", self.peer.name);
            assert!(begin.elapsed() < Duration::from_secs(60), "{what}: {:?}", begin.elapsed());
            eprintln!("{}: {what}: {}", self.peer.name, line.unwrap_or_default());
        }
        assert_same(&self.room.path("kept"), SECOND);
    }

    /// A server that comes back empty: an error that says so, and the old file stays.
    fn forget(&mut self) {
        if !self.peer.forgets {
            return;
        }
        let store = self.peer.store.clone();
        fs::copy(self.room.path("out"), self.room.path("kept")).unwrap();
        let run = self.killed(&["extract", "-s", &store, "local.caibx", "kept"], "wchar");
        assert!(run.code == Some(1) && run.stderr.contains("does not exist"), "{run:?}");
        assert_same(&self.room.path("kept"), SECOND);
    }
}

/// Whether a process has moved enough bytes by now.
fn is_far(child: &mut Child, counter: &str) -> bool {
    assert!(child.try_wait().unwrap().is_none(), "it ended before its server could be killed");
    let io = fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap_or_default();
    let count = io.lines().find_map(|line| line.strip_prefix(counter)?.strip_prefix(": ")?.parse().ok());
    count.unwrap_or(0) > FAR
}
