//! What every kind of bucket must do.

use std::fs::{File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::room::{Room, Run, blob};

/// Runs a command with what it needs to be let in.
type Running<'a> = &'a dyn Fn(&[&str]) -> Run;

/// Every command on stores in the bucket `chunks`; `url` makes locations of what begins with a bucket's name,
/// `index` is one that may be written. Whether a bucket that is not there is known as such: `tells_buckets`.
pub(crate) fn every_command_works(
    room: &Room,
    run: Running<'_>,
    url: &dyn Fn(&str) -> String,
    index: &str,
    tells_buckets: bool,
) {
    let ok = |args: &[&str]| ok(run, args);
    let in_store = |store: &str, index: &str| {
        let info = ok(&["info", "-s", store, index]);
        serde_json::from_slice::<serde_json::Value>(&info).unwrap()["in-store"].as_u64().unwrap()
    };
    let (store, other) = (url("chunks/some/pre fix"), url("chunks/other"));
    let unique = room.files("store").len() as u64;
    ok(&["make", "-s", &store, index, "blob"]);
    ok(&["make", "-s", &store, index, "blob"]);
    ok(&["extract", "-s", &store, index, "out"]);
    assert!(room.read("out") == blob());
    assert!(ok(&["cat", "-s", &store, index]) == blob());
    assert_eq!(in_store(&store, index), unique);
    room.create_dir("cache");
    ok(&["cache", "-s", &store, "-c", "cache", index]);
    assert_eq!(room.files("cache").len() as u64, unique);
    ok(&["chop", "-s", &other, index, "blob"]);
    assert_eq!(in_store(&other, index), unique);

    room.write("small", &blob()[..100_000]);
    ok(&["make", "-s", &store, "small.caibx", "small"]);
    // What is young stays unless asked for.
    ok(&["prune", "-y", "-s", &store, "small.caibx"]);
    assert_eq!(in_store(&store, index), unique);
    ok(&["prune", "-y", "--grace-period=0", "-s", &store, "small.caibx"]);
    assert!(in_store(&store, index) < unique);
    assert!(ok(&["cat", "-s", &store, "small.caibx"]) == blob()[..100_000]);
    // Another prefix is another store.
    assert_eq!(in_store(&other, index), unique);
    what_is_not_there(run, url, &store, tells_buckets);
}

/// A prune leaves old chunks that a build has found meanwhile, and removes those that nobody found. `kept` is the
/// directory in which the server keeps objects as files, whose times it tells.
pub(crate) fn what_is_used_again_stays(
    room: &Room,
    run: Running<'_>,
    url: &dyn Fn(&str) -> String,
    kept: &str,
) {
    let store = url("chunks/used");
    let count = || {
        let info = ok(run, &["info", "-s", &store, "blob.caibx"]);
        serde_json::from_slice::<serde_json::Value>(&info).unwrap()["in-store"].as_u64().unwrap()
    };
    ok(run, &["make", "-s", &store, "blob.caibx", "blob"]);
    let unique = count();
    room.write("small", &blob()[..100_000]);
    room.write("none", b"");
    ok(run, &["make", "-s", &store, "none.caibx", "none"]);
    age(Path::new(&room.path(kept)));
    // As if its index were not published yet.
    ok(run, &["make", "-s", &store, "small.caibx", "small"]);
    let listed = ok(run, &["prune", "--dry-run", "-s", &store, "none.caibx"]);
    let small = listed_chunks(&ok(run, &["list-chunks", "small.caibx"]));
    let removable = listed_chunks(&listed);
    assert!(!small.is_empty() && small.iter().all(|id| !removable.contains(id)));
    ok(run, &["prune", "-y", "-s", &store, "none.caibx"]);
    assert!(count() < unique, "nothing was removed");
    assert!(ok(run, &["cat", "-s", &store, "small.caibx"]) == blob()[..100_000]);
}

fn listed_chunks(output: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(output).lines().map(str::to_owned).collect()
}

/// Makes all files two days old, and older what fake-gcs-server keeps beside a file about its object.
fn age(directory: &Path) {
    let then = SystemTime::now() - Duration::from_secs(48 * 3600);
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else {
            File::open(&path).unwrap().set_times(FileTimes::new().set_modified(then)).unwrap();
            age_description(&path);
        }
    }
}

fn age_description(path: &Path) {
    let (name, field, mut room) = ("user.metadata", "\"Updated\":\"", vec![0; 64 << 10]);
    let Ok(len) = rustix::fs::getxattr(path, name, &mut room) else { return };
    let mut described = String::from_utf8(room[..len].to_vec()).unwrap();
    let year = described.find(field).unwrap() + field.len();
    described.replace_range(year..year + 4, "2020");
    rustix::fs::setxattr(path, name, described.as_bytes(), rustix::fs::XattrFlags::REPLACE).unwrap();
}

fn ok(run: Running<'_>, args: &[&str]) -> Vec<u8> {
    let run = run(args);
    assert!(run.code == Some(0) && run.stderr.is_empty(), "{args:?}: {run:?}");
    run.stdout
}

fn what_is_not_there(run: Running<'_>, url: &dyn Fn(&str) -> String, store: &str, tells_buckets: bool) {
    let missing = run(&["cat", "-s", store, &url("chunks/none.caibx")]);
    let told = missing.stderr.contains("object none.caibx missing from store");
    assert!(missing.code == Some(1) && told, "{missing:?}");
    let cat = ["cat", "-e", "0", "-s", &url("no-bucket"), "blob.caibx"];
    let fill = ["cache", "-e", "0", "-s", "store", "-c", &url("no-bucket/x"), "blob.caibx"];
    // Who does not tell may also make a bucket for who puts.
    for args in [&cat[..], &fill].into_iter().take(if tells_buckets { 2 } else { 1 }) {
        let nowhere = run(args);
        let told = nowhere.stderr.contains("bucket 'no-bucket' does not exist");
        assert!(nowhere.code == Some(1) && (told || !tells_buckets), "{args:?}: {nowhere:?}");
    }
}
