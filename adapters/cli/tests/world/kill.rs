//! SIGKILL at random moments: what was there stays, no chunk is wrong, and the next run finishes the work.
//!
//! Each command is killed fifty times while it runs; killed runs follow each other until it is told to finish.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::material::{Dice, SMALL_CHUNKS, new_version, old_version, soak_rounds};
use crate::room::Room;

/// Kills of each command: 200 in all.
const KILLS: u32 = 50;

/// Kills in a row before the command may finish.
const KILLS_IN_A_ROW: u32 = 5;

/// A room with both versions, their indexes, a store with the old one's chunks and one with both.
struct Scene {
    room: Room,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let (room, old, new) = (Room::new(), old_version(), new_version());
        room.write("old", &old);
        room.write("new", &new);
        room.create_dir("old-chunks");
        room.create_dir("both");
        let make = |store, index, blob| room.ok(&["make", "-m", SMALL_CHUNKS, "-s", store, index, blob]);
        make("old-chunks", "old.caibx", "old");
        make("both", "old.caibx", "old");
        make("both", "new.caibx", "new");
        Self { room, old, new }
    }

    /// Puts a fresh copy of a store, made of links, in the place of another.
    fn reset(&self, name: &str, pristine: &str) {
        let path = self.room.path(name);
        if path.exists() {
            std::fs::remove_dir_all(&path).unwrap();
        }
        link_tree(&self.room.path(pristine), &path);
    }

    fn verify(&self, store: &str, when: &str) {
        let run = self.room.run(&["verify", "-s", store]);
        assert!(run.code == Some(0) && run.stderr.is_empty(), "{when}: {run:?}");
    }

    /// A store and an index still give the blob.
    fn assert_gives(&self, store: &str, index: &str, blob: &[u8], when: &str) {
        let run = self.room.run(&["cat", "-s", store, index]);
        assert!(run.code == Some(0) && run.stdout == blob, "{when}: {index} from {store}: {}", run.stderr);
    }
}

fn link_tree(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            link_tree(&entry.path(), &target);
        } else {
            std::fs::hard_link(entry.path(), target).unwrap();
        }
    }
}

/// Runs `args` again and again and kills it at random moments. `reset` brings back the beginning; `check` is
/// called after the last of several kills in a row, `finished` after each run that came to its end.
fn kill_often(
    scene: &Scene,
    seed: u64,
    args: &[&str],
    reset: impl Fn(),
    check: impl Fn(&str),
    finished: impl Fn(&str),
) {
    let mut dice = Dice::new(seed);
    reset();
    let start = Instant::now();
    scene.room.ok(args);
    let undisturbed = start.elapsed();
    finished("undisturbed");
    let (mut kills, mut in_a_row, mut runs) = (0, 0, 0);
    reset();
    while kills < KILLS * soak_rounds() {
        runs += 1;
        assert!(runs < 100 * KILLS * soak_rounds(), "{args:?} always ends before it is killed");
        let moment = undisturbed.mul_f64(dice.roll());
        let when = format!("{} {seed}, kill {kills}, after {moment:?}", args[0]);
        if killed_after(&mut scene.room.command(args), moment, &when) {
            kills += 1;
            in_a_row += 1;
            if in_a_row < KILLS_IN_A_ROW {
                continue;
            }
            // What an earlier kill broke would show here too: no run repairs what it finds under its final name.
            check(&when);
            scene.room.ok(args);
        }
        finished(&when);
        in_a_row = 0;
        reset();
    }
}

/// Whether the command was killed; otherwise it was done before, in full.
fn killed_after(command: &mut Command, moment: Duration, when: &str) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(moment);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{when}: {status}");
    status.signal() == Some(9)
}

#[test]
fn make() {
    let scene = Scene::new();
    let (old, new) = (scene.room.read("old.caibx"), scene.room.read("new.caibx"));
    let args = ["make", "-m", SMALL_CHUNKS, "-s", "store", "blob.caibx", "new"];
    let reset = || {
        scene.reset("store", "old-chunks");
        scene.room.write("blob.caibx", &old);
    };
    let check = |when: &str| {
        scene.verify("store", when);
        let found = scene.room.read("blob.caibx");
        if found == old {
            scene.assert_gives("store", "blob.caibx", &scene.old, when);
        } else {
            assert!(found == new, "{when}: an index that is neither the old nor the new one");
            scene.assert_gives("store", "blob.caibx", &scene.new, when);
        }
    };
    let finished = |when: &str| {
        scene.verify("store", when);
        assert!(scene.room.read("blob.caibx") == new, "{when}");
        scene.assert_gives("store", "blob.caibx", &scene.new, when);
        scene.assert_gives("store", "old.caibx", &scene.old, when);
    };
    kill_often(&scene, 1, &args, reset, check, finished);
}

#[test]
fn extract_in_place() {
    let scene = Scene::new();
    let index = scene.room.read("new.caibx");
    let args = ["extract", "-k", "-s", "both", "--seed", "old.caibx", "new.caibx", "out"];
    let reset = || scene.room.write("out", &scene.old);
    let check = |when: &str| {
        assert!(scene.room.read("new.caibx") == index && scene.room.read("old") == scene.old, "{when}");
        assert!(scene.room.path("out").exists(), "{when}: the partial target is gone");
    };
    let finished = |when: &str| {
        check(when);
        assert!(scene.room.read("out") == scene.new, "{when}");
        let again = scene.room.ok(&["extract", "--print-stats", "-k", "-s", "both", "new.caibx", "out"]);
        let stats: serde_json::Value = serde_json::from_slice(&again).unwrap();
        assert_eq!(stats["chunks-in-place"], stats["chunks-total"], "{when}");
    };
    kill_often(&scene, 2, &args, reset, check, finished);
    scene.verify("both", "after all");
}

#[test]
fn cache() {
    let scene = Scene::new();
    let args = ["cache", "-s", "both", "-c", "cache", "new.caibx"];
    let reset = || scene.reset("cache", "old-chunks");
    let check = |when: &str| {
        scene.verify("cache", when);
        scene.assert_gives("cache", "old.caibx", &scene.old, when);
    };
    let finished = |when: &str| {
        check(when);
        scene.assert_gives("cache", "new.caibx", &scene.new, when);
    };
    kill_often(&scene, 3, &args, reset, check, finished);
    scene.verify("both", "after all");
}

#[test]
fn prune() {
    let scene = Scene::new();
    let args = ["prune", "-y", "--grace-period=0", "-s", "store", "old.caibx"];
    let reset = || scene.reset("store", "both");
    let check = |when: &str| {
        scene.verify("store", when);
        scene.assert_gives("store", "old.caibx", &scene.old, when);
    };
    let kept = scene.room.files("old-chunks").len();
    let finished = |when: &str| {
        check(when);
        // A chunk that was on its way out when prune was killed is a leftover now, and goes after a day.
        let chunks = scene.room.files("store").into_iter().filter(|file| !file.contains("/.tmp-cacnk"));
        assert_eq!(chunks.count(), kept, "{when}");
    };
    kill_often(&scene, 4, &args, reset, check, finished);
}
