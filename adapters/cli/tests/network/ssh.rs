//! A real sshd: the casync protocol with casync and with ourselves at the other end, and SFTP.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use desync_test_kit::servers::{Sshd, free_port, have};

use crate::room::{Room, Run, blob};

struct Place {
    room: Room,
    sshd: Sshd,
}

impl Place {
    /// A room with a blob in its store, and an ssh server; nothing without the programs.
    fn new() -> Option<Self> {
        if !have(&[&Sshd::PROGRAMS[..], &["casync"]].concat()) {
            return None;
        }
        let room = Room::with_blob();
        room.create_dir("sshd");
        let sshd = Sshd::start(&room.path("sshd"));
        Some(Self { room, sshd })
    }

    fn command(&self, client: PathBuf, remote: &str, args: &[&str]) -> Command {
        let mut command = self.room.command(args);
        command.env("CASYNC_SSH_PATH", client).env("CASYNC_REMOTE_PATH", remote);
        command
    }

    fn run(&self, remote: &str, args: &[&str]) -> Run {
        self.command(self.sshd.client(), remote, args).output().unwrap().into()
    }

    fn ok(&self, remote: &str, args: &[&str]) -> Vec<u8> {
        let run = self.run(remote, args);
        assert!(run.code == Some(0) && run.stderr.is_empty(), "{args:?}: {run:?}");
        run.stdout
    }

    fn url(&self, scheme: &str, path: &str) -> String {
        self.sshd.url(scheme, &self.room.path(path))
    }

    /// An ssh whose connections break after this many bytes from the server.
    fn breaking_client(&self, bytes: u32) -> PathBuf {
        let path = self.room.path("breaking");
        // Only `head` may hold our pipe, for its end to be the end.
        let client = self.sshd.client();
        let script = format!(
            "#!/bin/bash\nexec 3<&0\nexec stdbuf -o0 head -c {bytes} < <(exec {} \"$@\" <&3)\n",
            client.display()
        );
        self.room.write("breaking", script.as_bytes());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

fn in_store(info: &[u8]) -> u64 {
    serde_json::from_slice::<serde_json::Value>(info).unwrap()["in-store"].as_u64().unwrap()
}

#[test]
fn chunks_come_from_casync_and_from_ourselves() {
    let Some(place) = Place::new() else { return };
    let store = place.url("ssh", "store");
    let unique = place.room.files("store").len() as u64;
    for remote in ["casync", env!("CARGO_BIN_EXE_desync")] {
        let before = place.sshd.sessions();
        place.ok(remote, &["extract", "-n", "1", "-s", &store, "blob.caibx", "out"]);
        assert!(place.room.read("out") == blob());
        assert_eq!(place.sshd.sessions() - before, 1, "one worker needs one session");
        assert!(place.ok(remote, &["cat", "-s", &store, "blob.caibx"]) == blob());
        assert!(place.sshd.sessions() - before <= 11, "no more sessions than workers");
        assert_eq!(in_store(&place.ok(remote, &["info", "-s", &store, "blob.caibx"])), unique);
        let cache = format!("cache-{}", remote.len());
        place.room.create_dir(&cache);
        place.ok(remote, &["cache", "-s", &store, "-c", &cache, "blob.caibx"]);
        assert_eq!(place.room.files(&cache).len() as u64, unique);
    }
}

#[test]
fn a_chunk_that_repeats_is_asked_of_another_session() {
    let Some(place) = Place::new() else { return };
    let once = &blob()[..190_000];
    place.room.write("thrice", &[once, once, once].concat());
    place.room.ok(&["make", "-s", "store", "thrice.caibx", "thrice"]);
    let ids = place.room.ok_text(&["list-chunks", "thrice.caibx"]);
    let unique: std::collections::BTreeSet<_> = ids.lines().collect();
    assert!(unique.len() < ids.lines().count(), "nothing repeats: {ids}");
    let store = place.url("ssh", "store");
    let before = place.sshd.sessions();
    let cat = place.ok("casync", &["cat", "-n", "1", "-e", "0", "-s", &store, "thrice.caibx"]);
    assert!(cat == [once, once, once].concat());
    // How often depends on what is still in memory.
    assert!((1..=6).contains(&(place.sshd.sessions() - before)), "{}", place.sshd.sessions());
}

#[test]
fn defect_37_a_missing_chunk_behind_ssh_is_absent_and_looked_for_elsewhere() {
    let Some(place) = Place::new() else { return };
    place.room.create_dir("empty");
    let empty = place.url("ssh", "empty");
    let both = ["extract", "-s", &empty, "-s", "store", "blob.caibx", "out"];
    place.ok(env!("CARGO_BIN_EXE_desync"), &both);
    assert!(place.room.read("out") == blob());
    assert_eq!(in_store(&place.ok(env!("CARGO_BIN_EXE_desync"), &["info", "-s", &empty, "blob.caibx"])), 0);
    let run = place.run(env!("CARGO_BIN_EXE_desync"), &["cat", "-s", &empty, "blob.caibx"]);
    assert!(run.code == Some(1) && run.stderr.contains("missing from store"), "{run:?}");
}

#[test]
fn defect_35_broken_sessions_are_replaced() {
    let Some(place) = Place::new() else { return };
    // Each session carries the longest chunk there can be, not all of them.
    let client = place.breaking_client(270_000);
    for (scheme, out) in [("ssh", "out1"), ("sftp", "out2")] {
        let store = place.url(scheme, "store");
        let before = place.sshd.sessions();
        let args = ["extract", "-n", "1", "-b", "10ms", "-s", &store, "blob.caibx", out];
        let run: Run = place.command(client.clone(), "casync", &args).output().unwrap().into();
        assert!(run.code == Some(0) && place.room.read(out) == blob(), "{scheme}: {run:?}");
        assert!(place.sshd.sessions() - before > 1, "{scheme}: nothing broke");
    }
}

#[test]
fn what_is_wrong_is_told() {
    let Some(place) = Place::new() else { return };
    let nobody = format!("ssh://127.0.0.1:{}/store", free_port());
    for (location, expected) in [
        (nobody.as_str(), "the session ended (exit status: 255)"),
        (&place.url("sftp", "nowhere"), "failed to stat '"),
        (&place.url("sftp", "blob"), "blob is not a directory"),
        ("ssh://-oProxyCommand=true/store", "no valid host"),
    ] {
        let run = place.run("casync", &["cat", "-e", "1", "-b", "1ms", "-s", location, "blob.caibx"]);
        assert!(run.code == Some(1) && run.stderr.contains(expected), "{location}: {run:?}");
        assert!(run.stderr.contains(&format!("Error: {location}")), "{location}: {run:?}");
    }
    // casync takes a store that is not there for an empty one; we do not.
    let nowhere = ["cat", "-e", "0", "-s", &place.url("ssh", "nowhere"), "blob.caibx"];
    let run = place.run(env!("CARGO_BIN_EXE_desync"), &nowhere);
    assert!(run.code == Some(1) && run.stderr.contains("the session ended (exit status: 1)"), "{run:?}");
    let run =
        place.run("no-such-program", &["cat", "-e", "0", "-s", &place.url("ssh", "store"), "blob.caibx"]);
    assert!(run.code == Some(1) && run.stderr.contains("exit status: 127"), "{run:?}");
    let run: Run = place
        .command("/no/such/ssh".into(), "casync", &["cat", "-s", &place.url("ssh", "store"), "blob.caibx"])
        .output()
        .unwrap()
        .into();
    assert!(run.code == Some(1) && run.stderr.contains("/no/such/ssh"), "{run:?}");
    let index = place.url("ssh", "blob.caibx");
    let run = place.run("casync", &["list-chunks", &index]);
    assert!(run.stderr.contains("Index storage is not supported by ssh remote stores"), "{run:?}");
    let run = place.run("casync", &["cache", "-s", "store", "-c", &place.url("ssh", "store"), "blob.caibx"]);
    assert!(run.stderr.contains("does not support writing"), "{run:?}");
}

#[test]
fn sftp_is_a_store_like_any_other() {
    let Some(place) = Place::new() else { return };
    place.room.create_dir("remote");
    let (store, index) = (place.url("sftp", "remote"), place.url("sftp", "remote/v1.caibx"));
    place.ok("", &["make", "-s", &store, &index, "blob"]);
    let made = place.room.files("remote");
    assert!(!made.iter().any(|name| name.contains(".tmp")), "{made:?}");
    assert!(place.room.read("remote/v1.caibx") == place.room.read("blob.caibx"));
    place.ok("", &["make", "-s", &store, &index, "blob"]);
    assert_eq!(place.room.files("remote"), made);
    place.ok("", &["extract", "-s", &store, &index, "out"]);
    assert!(place.room.read("out") == blob());
    assert!(place.ok("", &["cat", "-s", &store, &index]) == blob());
    assert_eq!(in_store(&place.ok("", &["info", "-s", &store, &index])), made.len() as u64 - 1);
    place.room.create_dir("cache");
    place.ok("", &["extract", "-s", &store, "-c", "cache", &index, "out"]);
    assert_eq!(place.room.files("cache").len(), made.len() - 1);

    // Prune with one session: what no index names goes, and old leftovers; the rest stays.
    place.room.write("small", &blob()[..100_000]);
    place.ok("", &["make", "-s", &store, "small.caibx", "small"]);
    let stray = format!("remote/0000/{}.cacnk", "f".repeat(64));
    place.room.create_dir("remote/0000");
    place.room.write(&stray, b"stray");
    place.room.write("remote/0000/.tmp-cacnk.1", b"old");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(100_000);
    std::fs::File::open(place.room.path("remote/0000/.tmp-cacnk.1")).unwrap().set_modified(old).unwrap();
    place.room.write("remote/0000/.tmp-cacnk.2", b"new");
    place.ok("", &["prune", "-n", "1", "-y", "--grace-period=0", "-s", &store, "small.caibx"]);
    let left = place.room.files("remote");
    assert!(left.contains(&stray) && left.contains(&"remote/0000/.tmp-cacnk.2".to_owned()), "{left:?}");
    assert!(!left.contains(&"remote/0000/.tmp-cacnk.1".to_owned()) && left.len() < made.len(), "{left:?}");
    assert!(place.ok("", &["cat", "-s", &store, "small.caibx"]) == blob()[..100_000]);
}

#[test]
fn defect_38_a_look_up_that_fails_is_no_answer() {
    let Some(place) = Place::new() else { return };
    let nobody = format!("sftp://127.0.0.1:{}/store", free_port());
    for args in [
        &["info", "-e", "0", "-s", &nobody, "blob.caibx"][..],
        &["cache", "-e", "0", "-s", "store", "-c", &nobody, "blob.caibx"],
    ] {
        let run = place.run("", args);
        assert!(run.code == Some(1) && run.stderr.contains(&format!("{nobody}: look up chunk")), "{run:?}");
    }
}
