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
printf start > gaps; truncate -s 1M gaps; head -c 9000 large >> gaps; truncate -s 3M gaps; truncate -s 70000 hole
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

/// Tells where each file of the tree in `$1` has data and where holes.
const LAYOUT: &str = r#"
cd "$1"; exec python3 -c '
import os, stat
for folder, _, names in os.walk(b"."):
    for name in names:
        path = os.path.join(folder, name)
        if not stat.S_ISREG(os.lstat(path).st_mode): continue
        file, at, runs = os.open(path, os.O_RDONLY), 0, []
        while at < os.fstat(file).st_size:
            try: start = os.lseek(file, at, os.SEEK_DATA)
            except OSError: break
            at = os.lseek(file, start, os.SEEK_HOLE)
            runs.append((start, at))
        os.close(file)
        print(path, runs)
' | sort
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

fn layout(room: &Room, tree: &str) -> Vec<String> {
    shell(room, LAYOUT, tree).lines().map(str::to_owned).collect()
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
    let expected_layout = layout(&room, "tree");
    assert!(expected_layout.iter().any(|line| line.ends_with("hole' []")), "{expected_layout:#?}");
    room.ok(&["tar", "tree.catar", "tree"]);
    room.ok(&["untar", "tree.catar", "from-archive"]);
    assert_same(&facts(&room, "from-archive"), &expected, "archive");
    assert_same(&layout(&room, "from-archive"), &expected_layout, "layout, archive");
    room.ok(&["tar", "-i", "-s", "store", "tree.caidx", "tree"]);
    room.ok(&["untar", "-i", "-s", "store", "tree.caidx", "from-chunks"]);
    assert_same(&facts(&room, "from-chunks"), &expected, "chunks");
    assert_same(&layout(&room, "from-chunks"), &expected_layout, "layout, chunks");
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
    assert!(
        run.stderr.contains("--copy-hard-links"),
        "what says that it is wanted is not told: {}",
        run.stderr
    );
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
fn attributes_of_tar_input_that_an_archive_cannot_hold_are_told() {
    let room = Room::new();
    let make = "import tarfile\nt = tarfile.open('x.tar', 'w', format=tarfile.PAX_FORMAT)\n\
        i = tarfile.TarInfo('link'); i.type = tarfile.SYMTYPE; i.linkname = 'target'\n\
        i.pax_headers = {'SCHILY.xattr.trusted.key': 'value'}; t.addfile(i)\n\
        i = tarfile.TarInfo('flags'); i.pax_headers = {'SCHILY.fflags': 'nodump'}; t.addfile(i)\n\
        i = tarfile.TarInfo('file'); i.pax_headers = {'SCHILY.xattr.system.posix_acl_access': 'nonsense'}\n\
        t.addfile(i); t.close()";
    shell(&room, &format!("python3 -c \"{make}\""), "");
    let run = room.run(&["tar", "--input-format", "tar", "--tar-add-root", "x.catar", "x.tar"]);
    assert_eq!(run.code, Some(1));
    for lost in [
        "link: extended attribute trusted.key of a symlink",
        "flags: attributes, which are not read from tar: nodump",
        "file: an access list that cannot be",
    ] {
        assert!(run.stderr.contains(lost), "{lost:?} is not told in {}", run.stderr);
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

/// With the older tree on disk, only what is new is fetched; and what lies in it is not believed.
#[test]
fn trees_are_seeds_of_trees() {
    let Some(room) = room_with_tree() else { return };
    room.ok(&["tar", "-i", "-s", "store", "old.caidx", "tree"]);
    shell(
        &room,
        "cp -a tree old; cd tree; echo changed > a; head -c 200000 /dev/urandom > new; rm 'a b'",
        "",
    );
    shell(&room, "mkdir new-store", "");
    room.ok(&["tar", "-i", "-s", "new-store", "new.caidx", "tree"]);
    let expected = facts(&room, "tree");
    let ids = |index: &str| -> std::collections::BTreeSet<String> {
        room.ok_text(&["list-chunks", index]).lines().map(str::to_owned).collect()
    };
    // Only chunks that the old version lacks are left in the store.
    for id in ids("old.caidx").intersection(&ids("new.caidx")) {
        std::fs::remove_file(room.path(&format!("new-store/{}/{id}.cacnk", &id[..4]))).unwrap();
    }
    let untar = |seed: &str, target: &str| {
        room.run(&["untar", "-i", "-s", "new-store", "--seed", seed, "new.caidx", target])
    };
    assert_eq!(room.run(&["untar", "-i", "-s", "new-store", "new.caidx", "none"]).code, Some(1));
    for (number, seed) in ["old", "old.caidx:old"].into_iter().enumerate() {
        let target = format!("out-{number}");
        let run = untar(seed, &target);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{seed}");
        assert_same(&facts(&room, &target), &expected, seed);
    }
    room.ok(&["tar", "--no-sync", "old.catar", "old"]);
    for (number, seed) in ["old.caidx", "old.caidx:old.catar", "old.catar"].into_iter().enumerate() {
        let target = format!("archive-{number}");
        let run = untar(seed, &target);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{seed}");
        assert_same(&facts(&room, &target), &expected, seed);
    }
    // The tree that is replaced is its own seed: what is replaced before it is read comes from the store. What the
    // new tree has not stays.
    shell(&room, "cp -r new-store whole-store; cp -a old itself", "");
    room.ok(&["tar", "--no-sync", "-i", "-s", "whole-store", "again.caidx", "tree"]);
    room.ok_with_warnings(&["untar", "-i", "-s", "whole-store", "--seed", "itself", "new.caidx", "itself"]);
    shell(&room, "cd itself; touch -r . ../time; rm 'a b'; touch -r ../time .", "");
    assert_same(&facts(&room, "itself"), &expected, "its own seed");
    // A seed that is another than it says is done without: here that shows as chunks that nobody has.
    shell(&room, "rm -r old; cp -a tree old; head -c 3000000 /dev/zero > old/large", "");
    let run = untar("old", "other");
    assert!(run.code == Some(1) && run.stderr.contains("missing from store"), "{run:?}");
}

/// Streams in any order, with several roots or none.
#[test]
fn defect_08_streams_in_any_order_are_read_whole_or_refused() {
    let room = Room::new();
    shell(&room, "mkdir -p tree/b tree/a; echo 1 > tree/b/x; echo 2 > tree/a/y; echo 3 > tree/top", "");
    let listed = |args: &[&str]| -> Vec<String> {
        room.ok(&[&["tar", "--no-sync", "--input-format", "tar"], args, &["x.catar", "x.tar"]].concat());
        let lines = room.ok_text(&["mtree", "x.catar"]);
        lines.lines().skip(1).map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let all = [".", "a", "a/y", "b", "b/x", "top"];
    for order in ["top b/x . b a/y a", "b a b/x . a/y top", "./top ./b ./a ./a/y ./b/x"] {
        shell(&room, &format!("tar --no-recursion -C tree -cf x.tar {order}"), "");
        let root = if order.starts_with("./") { &["--tar-add-root"][..] } else { &[] };
        assert_eq!(listed(root), all, "{order}");
    }
    // Two roots: refused by name, unless one is made up.
    shell(&room, "tar -C tree -cf x.tar a b", "");
    let told = room.fails(1, &["tar", "--input-format", "tar", "x.catar", "x.tar"]);
    assert!(told.contains("x.tar: b: outside of the first entry"), "{told}");
    assert_eq!(listed(&["--tar-add-root"]), [".", "a", "a/y", "b", "b/x"]);
    for (make, reason) in [
        ("tar --no-recursion -C tree -cf x.tar . b/x", "b/x: its directory is not in the stream"),
        ("tar -C tree --transform 's,^top,../top,' -P -cf x.tar a top", "../top: a name that leads out"),
        ("tar -C tree -cf x.tar . && truncate -s 1536 x.tar", "it ends without its end marker"),
        ("head -c 2000 /dev/urandom > x.tar", "tar, byte 0"),
        (": > x.tar", "it ends without its end marker"),
        ("head -c 10240 /dev/zero > x.tar", "a tar stream without entries"),
    ] {
        shell(&room, make, "");
        for args in [&["x.catar", "x.tar"][..], &["--tar-add-root", "x.catar", "x.tar"]] {
            let run = room.run(&[&["tar", "--input-format", "tar"], args].concat());
            let is_root = args.len() > 2 && reason.contains("without entries");
            assert!(is_root || run.code == Some(1) && run.stderr.contains(reason), "{make}: {run:?}");
        }
    }
}

/// However many workers there are, a file is opened once.
#[test]
fn defect_76_each_file_is_opened_once() {
    let room = Room::new();
    shell(&room, "mkdir tree; for name in one two three; do echo $name > tree/$name.data; done", "");
    if !has("strace") {
        return;
    }
    let program = env!("CARGO_BIN_EXE_desync");
    for (command, files) in [
        ("make -n 10 -s store x.caibx tree/one.data", 1),
        ("tar -n 10 -i -s store x.caidx tree", 3),
        ("mtree -n 10 tree", 3),
    ] {
        // A file for each thread: in one of all, a call may stand in two lines with others between.
        let traced = format!("strace -ff -o trace -e trace=open,openat,openat2 {program} {command} > listed");
        shell(&room, &traced, "");
        let opened = shell(&room, "cat trace.* | grep -c '[.]data.*= [0-9]'", "");
        assert_eq!(opened, format!("{files}\n"), "{command}: {}", shell(&room, "cat trace.*", ""));
        shell(&room, "rm trace.*", "");
    }
}

#[test]
fn defect_80_81_times_and_attributes_are_kept_or_left() {
    let Some(room) = room_with_tree() else { return };
    let time = |path: &str| room.path(path).symlink_metadata().unwrap().modified().unwrap();
    room.ok(&["tar", "tree.catar", "tree"]);
    room.ok(&["untar", "--no-same-owner", "tree.catar", "out"]);
    assert_eq!((time("out/link"), time("out/empty")), (time("tree/link"), std::time::UNIX_EPOCH));
    let attribute = shell(&room, "getfattr -n user.plain --only-values out/a", "");
    assert_eq!(attribute, "value", "attributes have nothing to do with owners");
    let owner = shell(&room, "stat -c %u out/owned", "");
    assert_eq!(owner, "0\n");
    // Recorded without times, times are not set.
    for args in [&["tree"][..], &["--input-format", "tar", "--tar-add-root", "x.tar"]] {
        shell(&room, "rm -rf out; tar -C tree -cf x.tar a b 2>/dev/null || tar -C tree -cf x.tar a", "");
        room.ok(&[&["tar", "--no-time", "x.catar"], args].concat());
        assert!(
            room.ok_text(&["mtree", "x.catar"]).lines().skip(1).all(|line| line.contains(" time=0.0000"))
        );
        room.ok(&["untar", "x.catar", "out"]);
        assert!(time("out/a") > time("tree/a") && time("out") > time("tree"));
    }
    // A root that was made up has no time of its own.
    room.ok(&["tar", "--input-format", "tar", "--tar-add-root", "x.catar", "x.tar"]);
    let listed = room.ok_text(&["mtree", "x.catar"]);
    assert!(listed.contains("\n. type=dir mode=0755 uid=0 gid=0 time=0.000000000\n"), "{listed}");
}

#[test]
fn defect_87_a_backslash_is_a_letter() {
    let room = Room::new();
    let archives = desync_test_kit::golden::members("bad.tar");
    let archive = archives.iter().find(|member| member.name.ends_with("ok-backslash-name.catar")).unwrap();
    let run = room.run_with_stdin(&["untar", "--no-same-owner", "-", "out"], &archive.content);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(room.files("out"), ["out/a\\b"]);
}
