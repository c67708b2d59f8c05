//! Progress: on stderr only, and only where it is wanted.

use crate::room::{Room, Run};

fn run_with(room: &Room, variable: &str, args: &[&str]) -> Run {
    room.command(args).env(variable, "1").output().unwrap().into()
}

#[test]
fn defect_5_parsable_progress_leaves_stdout_alone() {
    let room = Room::with_blob();
    let index = room.read("blob.caibx");
    let run = run_with(&room, "DESYNC_ENABLE_PARSABLE_PROGRESS", &["make", "-", "blob"]);
    assert_eq!(run.code, Some(0));
    assert!(run.stdout == index, "something else on stdout");
    let last = run.stderr.lines().rfind(|line| line.starts_with("Chunking ")).unwrap();
    assert!(last.trim_end().starts_with("Chunking  100.00% "), "{}", run.stderr);
    assert!(last.trim_end().ends_with('s') && !run.stderr.contains('\r'), "{}", run.stderr);
}

#[test]
fn commands_show_the_phases_they_go_through() {
    let room = Room::with_blob();
    room.create_dir("other");
    for (args, prefixes) in [
        (&["verify-index", "blob.caibx", "blob"][..], &[" 100.00% "][..]),
        (&["chop", "-s", "store", "blob.caibx", "blob"], &[" 100.00% "]),
        (&["cache", "-s", "store", "-c", "other", "blob.caibx"], &[" 100.00% "]),
        (&["extract", "-s", "store", "blob.caibx", "out"], &["Attempt 1: Assembling  100.00% "]),
    ] {
        let run = run_with(&room, "DESYNC_ENABLE_PARSABLE_PROGRESS", args);
        assert!(run.code == Some(0) && run.stdout.is_empty(), "{run:?}");
        for prefix in prefixes {
            assert!(run.stderr.lines().any(|line| line.starts_with(prefix)), "{args:?}: {}", run.stderr);
        }
    }
}

#[test]
fn a_bar_is_redrawn_in_place_and_ends_its_line() {
    let room = Room::with_blob();
    let run = run_with(&room, "DESYNC_PROGRESSBAR_ENABLED", &["verify-index", "blob.caibx", "blob"]);
    assert!(run.stderr.starts_with('\r') && run.stderr.ends_with('\n'), "{run:?}");
    assert_eq!(run.stderr.matches('\n').count(), 1, "{run:?}");
}

#[test]
fn nothing_is_shown_unless_asked_for_or_on_a_terminal() {
    let room = Room::with_blob();
    room.ok(&["verify-index", "blob.caibx", "blob"]);
}

#[test]
fn defect_74_cat_verify_and_prune_show_progress() {
    let room = Room::with_blob();
    let cases: [(&str, &[&str]); 3] = [
        ("Writing ", &["cat", "-s", "store", "blob.caibx"]),
        ("Verifying ", &["verify", "-s", "store"]),
        ("Pruning ", &["prune", "-y", "-s", "store", "blob.caibx"]),
    ];
    for (prefix, args) in cases {
        let run = run_with(&room, "DESYNC_ENABLE_PARSABLE_PROGRESS", args);
        assert!(run.code == Some(0) && run.stderr.lines().all(|line| line.starts_with(prefix)), "{run:?}");
        assert!(!run.stderr.is_empty(), "{run:?}");
    }
}
