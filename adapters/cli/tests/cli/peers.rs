//! casync extracts what we make, and we extract what casync makes.

use std::process::{Command, Stdio};

use crate::room::{Room, blob};

/// Whether casync is installed. Says so if these tests have nothing to compare with.
#[allow(clippy::print_stderr, reason = "whoever runs the tests should know what did not run")]
fn has_casync() -> bool {
    let found = Command::new("casync").arg("--version").stdout(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        eprintln!("SKIPPED: casync is not installed (apt install casync)");
    }
    found
}

fn casync(room: &Room, args: &[&str]) {
    let output = Command::new("casync").args(args).current_dir(room.path(".")).output().unwrap();
    assert!(output.status.success(), "casync {args:?}: {output:?}");
}

#[test]
fn casync_extracts_what_is_made() {
    if !has_casync() {
        return;
    }
    for digest in ["sha512-256", "sha256"] {
        let room = Room::new();
        room.write("blob", &blob());
        room.ok(&["make", "--digest", digest, "-s", "store", "blob.caibx", "blob"]);
        let digest = format!("--digest={digest}");
        casync(&room, &["extract", "--store=store", &digest, "blob.caibx", "out"]);
        assert!(room.read("out") == blob());
    }
}

#[test]
fn what_casync_makes_is_extracted_and_made_alike() {
    if !has_casync() {
        return;
    }
    for digest in ["sha512-256", "sha256"] {
        let room = Room::new();
        room.write("blob", &blob());
        casync(&room, &["make", "--store=store", &format!("--digest={digest}"), "theirs.caibx", "blob"]);
        room.ok(&["extract", "-s", "store", "theirs.caibx", "out"]);
        assert!(room.read("out") == blob());
        room.ok(&["verify", "-s", "store"]);
        room.ok(&["make", "--digest", digest, "ours.caibx", "blob"]);
        let (ours, theirs) = (room.read("ours.caibx"), room.read("theirs.caibx"));
        // Bytes 16..24 are the feature flags, where the two differ on purpose.
        assert!(ours[..16] == theirs[..16] && ours[24..] == theirs[24..], "{digest}");
    }
}
