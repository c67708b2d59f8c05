//! Two versions of a Debian image, put into every kind of server and taken out again, as its users do: the same
//! scenario for all, on the corpus. `cargo xtask network` runs it; it takes minutes.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::print_stderr, reason = "a test program has no users but its runner")]

mod images;
mod peers;
#[path = "../cli/room.rs"]
#[allow(dead_code, reason = "shared with the tests of single commands")]
mod room;
mod scenario;

use std::process::{Command, Stdio};

use desync_test_kit::servers::{S3Kind, Sshd, have};

use crate::images::{FIRST, assert_same, image};
use crate::peers::{Access, Peer};
use crate::room::Room;
use crate::scenario::plays;

#[test]
#[ignore = "minutes: cargo xtask network"]
fn nginx_with_files() {
    plays(Peer::files);
}

#[test]
#[ignore = "minutes: cargo xtask network"]
fn nginx_with_put_for_certificates() {
    plays(Peer::dav);
}

#[test]
#[ignore = "minutes: cargo xtask network"]
fn chunk_server() {
    plays(Peer::own);
}

#[test]
#[ignore = "minutes: cargo xtask network"]
fn casync_behind_sshd() {
    plays(|room| Peer::ssh(room, "casync"));
}

#[test]
#[ignore = "minutes: cargo xtask network"]
fn ourselves_behind_sshd() {
    plays(|room| Peer::ssh(room, &room::program()));
}

#[test]
#[ignore = "minutes: cargo xtask network"]
fn sftp_server_behind_sshd() {
    plays(Peer::sftp);
}

#[test]
#[ignore = "minutes: cargo xtask network"]
fn s3_that_checks_signatures() {
    plays(|room| Peer::s3(room, S3Kind::Files));
}

#[test]
#[ignore = "minutes: cargo xtask network"]
fn s3_that_forgets() {
    plays(|room| Peer::s3(room, S3Kind::Moto));
}

#[test]
#[ignore = "minutes: cargo xtask network"]
fn google_cloud_storage() {
    plays(Peer::gcs);
}

#[test]
#[ignore = "minutes: cargo xtask network"]
fn registry_with_password_and_tls() {
    plays(Peer::registry);
}

/// The other direction: casync fetches from our `pull`.
#[test]
#[ignore = "minutes: cargo xtask network"]
fn casync_fetches_from_ourselves() {
    assert!(have(&[&Sshd::PROGRAMS[..], &["casync"]].concat()), "see what is missing above");
    let room = Room::new();
    room.create_dir("sshd");
    let sshd = Sshd::start(&room.path("sshd"));
    room.ok(&["make", "-s", "store", "first.caibx", image(FIRST)]);
    let casync = |path: &str, told: &str| {
        let store = format!("--store=127.0.0.1:{}", room.path(path).display());
        let run = Command::new("casync")
            .args(["extract", &store, "--seed-output=no", "first.caibx", "out"])
            .current_dir(room.path(""))
            .env("CASYNC_SSH_PATH", sshd.client())
            .env("CASYNC_REMOTE_PATH", room::program())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() == told.is_empty() && text.contains(told), "{path}: {text}");
    };
    casync("store", "");
    assert_same(&room.path("out"), FIRST);
    std::fs::remove_file(room.path("out")).unwrap();
    casync("nowhere", "nowhere");
    assert_eq!(Access::processes_of(&room::program()), 0, "pull outlives its client");
}
