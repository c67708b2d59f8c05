//! Old objects become young on real servers, and keep their bytes or are said to have lost them.
#![allow(missing_docs, reason = "a test program has no users but its runner")]

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use desync_http::{Body, ClientOptions};
use desync_store::RetryPolicy;
use desync_store_object::gcs::{GcsBucket, GcsLocation, GcsSettings, Identity};
use desync_store_object::s3::{Configured, S3Bucket, S3Location, S3Settings, Source};
use desync_store_object::{Found, LookUp, Objects, Page};
use desync_test_kit::servers::{GcsServer, S3Kind, S3Server, have};

const KEY: &str = "some/pre fix ä/0011/00ff.cacnk";

/// Times in headers have whole seconds.
const A_SECOND: Duration = Duration::from_millis(1100);

fn found(objects: &dyn Objects) -> Found {
    match objects.look_up(KEY).unwrap() {
        LookUp::There(found) => found,
        other => panic!("{other:?}"),
    }
}

/// Renews an object that has no other beside it; says whether its bytes survived.
fn renews(objects: &dyn Objects) -> bool {
    // As stores do: a server that has just begun may refuse a first request for a moment.
    let put = || objects.put(KEY, "application/zstd", Body::Bytes(b"bytes of a chunk"));
    RetryPolicy::default().run(put).unwrap();
    let old = found(objects);
    assert_eq!(old.len, 16);
    sleep(A_SECOND);
    let survived = objects.renew(KEY, "application/zstd", &old).unwrap();
    let new = found(objects);
    assert!(new.modified > old.modified, "{new:?} {old:?}");
    assert_eq!(new.len == 16, survived);
    if survived {
        let bytes = objects.get(KEY, 0, 100).unwrap().unwrap().bytes().unwrap();
        assert_eq!(bytes, b"bytes of a chunk");
    }
    // Listings agree, wherever they begin.
    for page in [Page::First, Page::After(&KEY[..KEY.len() - 1])] {
        let listed = objects.list("some/", page).unwrap();
        let [object] = &listed.objects[..] else { panic!("{listed:?}") };
        assert!(object.key == KEY && object.modified > old.modified, "{listed:?}");
    }
    let gone = "some/pre fix ä/gone";
    assert!(!objects.renew(gone, "application/zstd", &old).unwrap(), "there is nothing to renew");
    survived
}

fn s3(kind: S3Kind, directory: &Path) -> Option<bool> {
    if !have(&[&kind.program()]) {
        return None;
    }
    let server = S3Server::start(kind, directory);
    server.make_bucket("chunks");
    let url = server.url("chunks");
    let configured = Configured {
        access_key: S3Server::KEY.into(),
        secret_key: S3Server::SECRET.into(),
        ..Configured::default()
    };
    let bucket = S3Bucket::open(S3Settings {
        place: S3Location::parse(&url).unwrap(),
        location: &url,
        source: Source::choose(&configured, |_| None),
        options: &ClientOptions::default(),
    });
    Some(renews(&bucket.unwrap()))
}

#[test]
fn s3_copies_an_object_onto_itself() {
    let directory = tempfile::tempdir().unwrap();
    if let Some(survived) = s3(S3Kind::Moto, directory.path()) {
        assert!(survived);
    }
}

#[test]
fn a_server_that_empties_the_copy_is_found_out() {
    let directory = tempfile::tempdir().unwrap();
    // Opens the same file for reading and for writing: `renews` checks that the answer tells what became of it.
    s3(S3Kind::Files, directory.path());
}

#[test]
fn google_rewrites_an_object_onto_itself() {
    if !have(&[&GcsServer::program()]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let server = GcsServer::start(directory.path());
    server.make_bucket("chunks");
    let bucket = GcsBucket::open(GcsSettings {
        place: GcsLocation::parse("gs://chunks").unwrap(),
        location: "gs://chunks",
        identity: Identity::nobody(),
        server: Some(server.host()),
        options: &ClientOptions::default(),
    });
    assert!(renews(&bucket.unwrap()));
}
