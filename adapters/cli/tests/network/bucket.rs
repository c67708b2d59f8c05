//! What every kind of bucket must do.

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
