//! The same results whichever kernels are forced, and no silent substitute for those the machine lacks.

use std::process::Command;

use crate::room::Room;

const LEVELS: [&str; 3] = ["avx512", "avx2", "scalar"];

fn run(room: &Room, level: &str, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_desync"));
    command.args(args).current_dir(room.path(".")).env("DESYNC_KERNELS", level).env("HOME", room.path("."));
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn every_level_makes_and_extracts_the_same() {
    let room = Room::with_blob();
    let (index, blob) = (room.read("blob.caibx"), room.read("blob"));
    let mut ran = Vec::new();
    for level in LEVELS {
        let made = run(&room, level, &["make", "forced.caibx", "blob"]);
        if made.0 == Some(2) {
            assert!(made.1.contains("cannot run"), "{made:?}");
            continue;
        }
        assert_eq!(made, (Some(0), String::new()), "{level}");
        assert!(room.read("forced.caibx") == index, "{level}");
        for args in [
            &["extract", "-s", "store", "--seed", "blob.caibx", "blob.caibx", "out"][..],
            &["extract", "-k", "-s", "store", "blob.caibx", "out"],
            &["verify-index", "blob.caibx", "blob"],
            &["verify", "-s", "store"],
        ] {
            assert_eq!(run(&room, level, args), (Some(0), String::new()), "{level}: {args:?}");
        }
        assert!(room.read("out") == blob, "{level}");
        ran.push(level);
    }
    assert!(ran.contains(&"scalar"), "{ran:?}");
}

#[test]
fn every_level_finds_damage() {
    let room = Room::with_blob();
    let mut damaged = room.read("blob");
    damaged[300_000] ^= 1;
    room.write("damaged", &damaged);
    for level in LEVELS {
        let (code, text) = run(&room, level, &["verify-index", "blob.caibx", "damaged"]);
        assert!(code == Some(1) || text.contains("cannot run"), "{level}: {text}");
    }
}
