//! Trees with everything a file system can hold, through archives, chunks and tar streams, and beside casync.
//!
//! Needs root: devices, owners, capabilities and attributes are nobody else's to make.

use std::path::Path;
use std::process::Command;

use crate::interop::{casync, has};
use crate::room::Room;

/// Makes a tree; `$1` is where. What the file system cannot hold is left out.
const TREE: &str = r#"
set -e
mkdir "$1"; cd "$1"
mkdir -p dir/nested empty-dir sgid-dir sticky
printf hello > dir/nested/leaf; printf x > a; printf y > 'a b'; printf z > a.b; : > empty
head -c 3000000 /dev/urandom > large; truncate -s 2M sparse; printf end >> sparse
printf 'odd' > "$(printf 'odd \\name#\t\377')"; printf l > "$(printf '%0250d' 7)"
ln -s a link; ln -s /nowhere/at/all dangling; ln -s ../../../etc escaping
mkfifo fifo; mknod null c 1 3; mknod loop b 7 4095
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
printf s > suid; chown 1:1 suid; chmod 4755 suid; chmod 2775 sgid-dir; chmod 1777 sticky
printf n > none; chmod 0 none; chmod 555 empty-dir
printf o > owned; chown 70000:4000000000 owned; chown -h 12:13 link
printf c > caps; setcap cap_net_bind_service+ep caps
printf q > acl; setfacl -m u:1:r,g:2:rwx,u:77777:x,m::rw acl
setfacl -m u:3:rwx -d -m u:4:r-x,g:5:-w- sgid-dir
setfattr -n user.plain -v value a; setfattr -n user.empty a; setfattr -n user.binary -v 0x00ff0a00 a
setfattr -n trusted.t -v 1 dir; setfattr -n user.on-dir -v 2 dir
printf d > nodump; chattr +d nodump; printf A > noatime; chattr +A noatime
touch -h -d '2001-02-03 04:05:06.789012345 UTC' link fifo null
touch -d '1970-01-01 00:00:00 UTC' empty; touch -d '2200-01-01 00:00:00.5 UTC' a.b
touch -d '1999-12-31 23:59:59.999999999 UTC' dir/nested dir sticky .
"#;

/// Tells everything of the tree in `$1`, one fact a line.
const FACTS: &str = r#"
cd "$1"
find . -printf '%p %y %#m %U %G %T@ %s %l\n' | sort
find . \( -type b -o -type c \) -exec stat -c '%n %t %T' {} +
find . -type f -exec sha256sum {} + | sort
getfacl -R -n -P . 2>/dev/null; getfattr -R -P -h -d -m - -e hex . 2>/dev/null
find . \( -type f -o -type d \) -exec lsattr -d {} + 2>/dev/null | sort -k 2
"#;

fn shell(room: &Room, script: &str, argument: &str) -> String {
    let mut command = Command::new("sh");
    command.env("LC_ALL", "C").current_dir(room.path("")).args(["-c", script, "sh", argument]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A room with the tree, if this machine can make it.
fn room_with_tree() -> Option<Room> {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "trees need root");
        #[allow(clippy::print_stderr, reason = "whoever runs the tests should know what did not run")]
        {
            eprintln!("SKIPPED: trees need root");
        }
        return None;
    }
    if !["setfacl", "setfattr", "setcap", "python3"].into_iter().all(has) {
        return None;
    }
    let room = Room::new();
    shell(&room, TREE, "tree");
    Some(room)
}

fn facts(room: &Room, tree: &str) -> Vec<String> {
    shell(room, FACTS, tree).lines().map(str::to_owned).collect()
}

fn assert_same(found: &[String], expected: &[String], what: &str) {
    let only = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|fact| !b.contains(fact)).take(10).cloned().collect()
    };
    let (more, less) = (only(found, expected), only(expected, found));
    assert!(more.is_empty() && less.is_empty(), "{what}: has {more:#?}, lacks {less:#?}");
}

/// The bits on how an archive came about that casync sets by default and we do not.
const LIKE_CASYNC: [&str; 2] = ["--exclude-nodump=no", "--exclude-file=no"];

#[test]
fn archives_are_casyncs_byte_for_byte() {
    let Some(room) = room_with_tree().filter(|_| has("casync")) else { return };
    for features in
        ["best", "unix", "fat", "privileged", "chattr", "xattrs,usec-time,fifos", "acl,selinux,fcaps"]
    {
        // Owners above 16 bits make casync fail where it has no more.
        if features == "unix" {
            shell(&room, "chown 7:8 tree/owned", "");
        }
        let ours = format!("--with={features}");
        room.ok(&["tar", "--no-sync", &ours, "ours.catar", "tree"]);
        let theirs = ours.replace(',', " --with=");
        let mut args = vec!["make"];
        args.extend(LIKE_CASYNC);
        args.extend(theirs.split(' '));
        casync(&room, &[&args[..], &["theirs.catar", "tree"]].concat());
        assert!(room.read("ours.catar") == room.read("theirs.catar"), "{features}: other archives");
    }
}

#[test]
fn trees_come_back_whole_from_archives_and_chunks() {
    let Some(room) = room_with_tree() else { return };
    let expected = facts(&room, "tree");
    room.ok(&["tar", "tree.catar", "tree"]);
    room.ok(&["untar", "tree.catar", "from-archive"]);
    assert_same(&facts(&room, "from-archive"), &expected, "archive");
    room.ok(&["tar", "-i", "-s", "store", "tree.caidx", "tree"]);
    room.ok(&["untar", "-i", "-s", "store", "tree.caidx", "from-chunks"]);
    assert_same(&facts(&room, "from-chunks"), &expected, "chunks");
    // The chunks are those of the archive.
    assert!(room.ok(&["cat", "-s", "store", "tree.caidx"]) == room.read("tree.catar"));
    // Again onto the same tree, and over an older one.
    room.ok(&["untar", "tree.catar", "from-archive"]);
    assert_same(&facts(&room, "from-archive"), &expected, "archive again");
    shell(
        &room,
        "cd from-chunks; echo other > a; rm link; ln -s x link; setfacl -d -m u:9:rwx dir; chmod 0 dir",
        "",
    );
    room.ok(&["untar", "-i", "-s", "store", "tree.caidx", "from-chunks"]);
    assert_same(&facts(&room, "from-chunks"), &expected, "over an older tree");
    // From a pipe, and under the other digest.
    let run = room.run_with_stdin(&["untar", "-", "from-pipe"], &room.read("tree.catar"));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_same(&facts(&room, "from-pipe"), &expected, "pipe");
    room.ok(&["--digest", "sha256", "tar", "-i", "-s", "store", "other.caidx", "tree"]);
    room.ok(&["untar", "-i", "-s", "store", "other.caidx", "from-sha256"]);
    assert_same(&facts(&room, "from-sha256"), &expected, "SHA-256");
}

#[test]
fn defect_13_79_casync_unpacks_our_chunks_and_we_casyncs() {
    let Some(room) = room_with_tree().filter(|_| has("casync")) else { return };
    // A name of 250 bytes is too long for casync to unpack, and it takes sockets' times for directories' ones.
    shell(&room, "cd tree && rm 0000*", "");
    let expected = facts(&room, "tree");
    for digest in ["sha512-256", "sha256"] {
        let flag = format!("--digest={digest}");
        let (ours, theirs) = (format!("ours-{digest}"), format!("theirs-{digest}"));
        room.ok(&[&flag, "tar", "-i", "-s", "store", "ours.caidx", "tree"]);
        casync(&room, &["extract", "--store=store", "ours.caidx", &ours]);
        assert_same(&facts(&room, &ours), &expected, "casync of ours");
        let mut args = vec!["make", "--store=their-store", &flag];
        args.extend(LIKE_CASYNC);
        casync(&room, &[&args[..], &["theirs.caidx", "tree"]].concat());
        room.ok(&["untar", "-i", "-s", "their-store", "theirs.caidx", &theirs]);
        assert_same(&facts(&room, &theirs), &expected, "ours of casync");
        assert!(room.read("ours.caidx") == room.read("theirs.caidx"), "{digest}: other indexes");
    }
}

/// What tar can hold of the tree.
fn without_what_tar_lacks(facts: &[String]) -> Vec<String> {
    let lacks = |fact: &String| fact.contains("./socket") || fact.contains("# file: socket");
    facts.iter().filter(|fact| !lacks(fact)).cloned().collect()
}

#[test]
fn tar_streams_hold_what_archives_do() {
    let Some(room) = room_with_tree() else { return };
    shell(&room, "cd tree; rm socket; chattr -dA nodump noatime; touch -d @1 .", "");
    let expected = without_what_tar_lacks(&facts(&room, "tree"));
    room.ok(&["tar", "tree.catar", "tree"]);
    room.ok(&["untar", "--output-format", "gnu-tar", "tree.catar", "ours.tar"]);
    room.ok(&["tar", "--input-format", "tar", "again.catar", "ours.tar"]);
    assert!(room.read("again.catar") == room.read("tree.catar"), "another archive of our own stream");
    let stream = room.ok(&["untar", "--output-format", "gnu-tar", "tree.catar", "-"]);
    assert!(stream == room.read("ours.tar"), "another stream on stdout");
    let unpack: [(&str, &str); 4] = [
        ("tar", "tar --numeric-owner --acls --xattrs --xattrs-include='*' -xpf ours.tar -C by-tar"),
        ("bsdtar", "bsdtar --numeric-owner --acls --xattrs -xpf ours.tar -C by-bsdtar"),
        ("busybox", "busybox tar -xf ours.tar -C by-busybox"),
        (
            "python3",
            "python3 -c 'import tarfile; tarfile.open(\"ours.tar\").extractall(\"by-python3\", numeric_owner=True)'",
        ),
    ];
    for (program, command) in unpack {
        if !has(program) {
            continue;
        }
        shell(&room, &format!("mkdir by-{program} && {command}"), "");
        let found = facts(&room, &format!("by-{program}"));
        if program == "tar" {
            assert_same(&found, &expected, program);
        }
        let contents = |facts: &[String]| -> Vec<String> {
            facts.iter().filter(|fact| fact.contains("  ./")).cloned().collect()
        };
        assert_same(&contents(&found), &contents(&expected), program);
    }
}

#[test]
fn streams_of_other_tars_are_read_right() {
    let Some(room) = room_with_tree() else { return };
    shell(&room, "cd tree; rm socket; chattr -dA nodump noatime; touch -d @1 .", "");
    room.ok(&["tar", "tree.catar", "tree"]);
    let expected = facts(&room, "tree");
    let make: [(&str, &str, bool); 7] = [
        ("tar", "tar --format=posix --acls --xattrs --xattrs-include='*' -cf x.tar -C tree .", true),
        ("tar", "tar --format=posix --sparse --acls --xattrs --xattrs-include='*' -cf x.tar -C tree .", true),
        ("tar", "tar --format=gnu --sparse -cf x.tar -C tree .", false),
        ("tar", "tar --format=gnu -cf x.tar tree", false),
        ("bsdtar", "bsdtar --format=pax --acls --xattrs -cf x.tar -C tree .", false),
        (
            "python3",
            "python3 -c 'import tarfile\nwith tarfile.open(\"x.tar\", \"w\") as t: t.add(\"tree\", \"\")'",
            false,
        ),
        ("busybox", "busybox tar -cf x.tar -C tree .", false),
    ];
    for (program, command, is_complete) in make {
        if !has(program) {
            continue;
        }
        shell(&room, command, "");
        room.ok(&["tar", "--no-sync", "--input-format", "tar", "x.catar", "x.tar"]);
        let run = room.run_with_stdin(
            &["tar", "--no-sync", "--input-format", "tar", "piped.catar", "-"],
            &room.read("x.tar"),
        );
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{command}");
        assert!(room.read("piped.catar") == room.read("x.catar"), "{command}: another archive from a pipe");
        shell(&room, "rm -rf out", "");
        room.ok(&["untar", "--no-sync", "x.catar", "out"]);
        let found = facts(&room, "out");
        if is_complete {
            assert_same(&found, &expected, command);
        }
        let kept = |facts: &[String]| -> Vec<String> {
            let is_kept = |fact: &&String| fact.contains("  ./") || fact.contains(" l 0777 ");
            facts.iter().filter(is_kept).map(|fact| fact.split('.').next().unwrap().to_owned()).collect()
        };
        assert_same(&kept(&found), &kept(&expected), command);
    }
}

#[test]
fn defect_09_11_hard_links_are_told_and_resolved() {
    let room = Room::new();
    room.create_dir("tree");
    room.write("tree/one", b"content");
    std::fs::hard_link(room.path("tree/one"), room.path("tree/two")).unwrap();
    let run = room.run(&["tar", "x.catar", "tree"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.starts_with("two: another name of a file"), "{}", run.stderr);
    room.ok(&["tar", "--copy-hard-links", "x.catar", "tree"]);
    room.ok(&["untar", "--no-same-owner", "x.catar", "out"]);
    assert_eq!((room.read("out/one"), room.read("out/two")), (b"content".to_vec(), b"content".to_vec()));
    if has("tar") {
        shell(&room, "tar -cf x.tar -C tree .", "");
        room.ok(&["tar", "--copy-hard-links", "--input-format", "tar", "y.catar", "x.tar"]);
        room.ok(&["untar", "--no-same-owner", "y.catar", "again"]);
        assert_eq!(room.read("again/two"), b"content");
    }
}

#[test]
fn defect_12_archives_with_fifos_and_sockets_keep_their_siblings() {
    let Some(room) = room_with_tree() else { return };
    let fixture = desync_test_kit::golden::path("mini/mini-unix.catar");
    let listed = room.ok(&["mtree", fixture.to_str().unwrap()]);
    let listed = String::from_utf8(listed).unwrap();
    assert!(listed.lines().any(|line| line.starts_with("fifo type=fifo")), "{listed}");
    assert!(!listed.contains("fifo/"), "siblings of a FIFO lie in it: {listed}");
    assert!(Path::new(&fixture).exists());
}
