//! 0 done in full, 1 failed or in part, 2 usage; and that a closed stdout is quiet.

use crate::room::Room;

#[test]
fn wrong_usage_exits_2() {
    let room = Room::with_blob();
    for (args, message) in [
        (&["mak"][..], "Error: unknown command \"mak\" for \"desync\"\n\nDid you mean this?\n\tmake\n"),
        (&["config", "x"], "Error: unknown command \"x\" for \"desync config\"\n"),
        (&["make", "one"], "Error: accepts 2 arg(s), received 1\n"),
        (&["prune", "-s", "store"], "Error: requires at least 1 arg(s), only received 0\n"),
        (&["cat", "a", "b", "c"], "Error: accepts between 1 and 2 arg(s), received 3\n"),
        (&["chunk", "--no-such-flag", "blob"], "Error: unexpected argument '--no-such-flag' found"),
        (&["make", "-n", "x", "-", "blob"], "Error: invalid value 'x' for '--concurrency <N>'"),
        (&["make", "-m", "1:2", "-", "blob"], "Error: invalid chunk size '1:2'\n"),
        (&["--digest", "md5", "chunk", "blob"], "Error: invalid digest algorithm 'md5'\n"),
        (&["make", "--client-cert=c", "-", "blob"], "Error: --client-key and --client-cert options need"),
    ] {
        let text = room.fails(2, args);
        assert!(text.starts_with(message), "{args:?}: {text}");
    }
}

#[test]
fn defect_21_zero_workers_are_refused_by_every_command() {
    let room = Room::with_blob();
    for args in [
        &["make", "-", "blob"][..],
        &["extract", "-s", "store", "blob.caibx", "out"],
        &["verify-index", "blob.caibx", "blob"],
        &["list-chunks", "blob.caibx"],
        &["info", "blob.caibx"],
        &["inspect-chunks", "blob.caibx"],
        &["cat", "-s", "store", "blob.caibx"],
        &["chop", "-s", "store", "blob.caibx", "blob"],
        &["cache", "-s", "store", "-c", "store", "blob.caibx"],
        &["verify", "-s", "store"],
        &["prune", "-y", "-s", "store", "blob.caibx"],
    ] {
        for workers in ["-n=0", "-n=-1"] {
            let text = room.fails(2, &[args, &[workers]].concat());
            assert!(text.starts_with("Error: invalid concurrency "), "{args:?}: {text}");
        }
    }
}

#[test]
fn defect_22_zero_and_huge_chunk_sizes_are_refused() {
    let room = Room::with_blob();
    for sizes in ["0:0:0", "0:64:256", "16:64:0", "16:8:256", "1:20000:100000", "16:64:99999999"] {
        for command in [&["make", "-", "blob"][..], &["chunk", "blob"]] {
            room.fails(2, &[command, &["-m", sizes]].concat());
        }
    }
}

#[test]
fn a_closed_stdout_is_quiet_and_no_success() {
    let room = Room::with_blob();
    for args in [
        &["cat", "-s", "store", "blob.caibx"][..],
        &["list-chunks", "blob.caibx"],
        &["extract", "-s", "store", "blob.caibx", "-"],
        &["chunk", "blob"],
        &["make", "-", "blob"],
        &["info", "blob.caibx"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = room.command(args).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), &b""[..]), "{args:?}");
    }
}

#[test]
fn a_full_stdout_is_an_error() {
    let room = Room::with_blob();
    for args in [
        &["cat", "-s", "store", "blob.caibx"][..],
        &["list-chunks", "blob.caibx"],
        &["extract", "-s", "store", "blob.caibx", "-"],
        &["chunk", "blob"],
        &["make", "-", "blob"],
        &["info", "blob.caibx"],
        &["config"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = room.command(args).stdout(full).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && text.contains("No space left"), "{args:?}: {text}");
    }
}

#[test]
fn verbose_logs_to_stderr_only() {
    let room = Room::with_blob();
    let run = room.run(&["prune", "--verbose", "-y", "-s", "store", "blob.caibx"]);
    assert!(
        run.code == Some(0) && run.stdout.is_empty() && run.stderr.contains("level=info msg="),
        "{run:?}"
    );
}
