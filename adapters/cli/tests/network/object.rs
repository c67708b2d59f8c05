//! S3: a server that checks signatures, and one that is Amazon's in more ways.

use std::collections::BTreeMap;

use desync_test_kit::servers::{Fault, S3Kind, S3Server, WebServer, have};

use crate::bucket::{every_command_works, what_is_used_again_stays};
use crate::room::{Room, Run, blob};

struct Place {
    room: Room,
    server: S3Server,
}

impl Place {
    /// A room with a blob and its chunks, and a server with the bucket `chunks`; nothing without the program.
    fn new(kind: S3Kind) -> Option<Self> {
        if !have(&[&kind.program()]) {
            return None;
        }
        let room = Room::with_blob();
        room.create_dir("s3");
        let server = S3Server::start(kind, &room.path("s3"));
        server.make_bucket("chunks");
        Some(Self { room, server })
    }

    fn run_as(&self, environment: &[(&str, &str)], args: &[&str]) -> Run {
        let mut command = self.room.command(args);
        command.env_remove("AWS_PROFILE").envs(environment.iter().copied());
        command.output().unwrap().into()
    }

    fn run(&self, args: &[&str]) -> Run {
        self.run_as(&[("S3_ACCESS_KEY", S3Server::KEY), ("S3_SECRET_KEY", S3Server::SECRET)], args)
    }

    fn ok(&self, args: &[&str]) -> Vec<u8> {
        let run = self.run(args);
        assert!(run.code == Some(0) && run.stderr.is_empty(), "{args:?}: {run:?}");
        run.stdout
    }
}

#[test]
fn every_command_works_on_a_bucket() {
    for kind in [S3Kind::Files, S3Kind::Moto] {
        let Some(place) = Place::new(kind) else { continue };
        let url = |path: &str| place.server.url(path);
        // s3s-fs does not tell a bucket that is not there from an object that is not, and makes it for a new one.
        let tells_buckets = kind == S3Kind::Moto;
        let index = url("chunks/v1.caibx?lookup=path");
        every_command_works(&place.room, &|args| place.run(args), &url, &index, tells_buckets);
    }
}

#[test]
fn what_a_build_finds_stays() {
    let Some(place) = Place::new(S3Kind::Files) else { return };
    let url = |path: &str| place.server.url(path);
    what_is_used_again_stays(&place.room, &|args| place.run(args), &url, "s3");
}

#[test]
fn defect_39_credentials_come_from_where_they_are_kept_by_pattern_too() {
    let Some(place) = Place::new(S3Kind::Files) else { return };
    let store = place.server.url("chunks");
    place.ok(&["cache", "-s", "store", "-c", &store, "blob.caibx"]);
    let (key, secret) = (S3Server::KEY, S3Server::SECRET);
    let cat = ["--config", "config.json", "cat", "-e", "0", "-s", &store, "blob.caibx"];
    let configured = |entry: &str| {
        let config =
            format!(r#"{{"s3-credentials": {{"{}": {entry}}}}}"#, place.server.origin().replace("127", "*"));
        place.room.write("config.json", config.as_bytes());
    };
    configured("{}");
    for wrong in [
        &[("S3_ACCESS_KEY", key), ("S3_SECRET_KEY", "wrong")][..],
        &[("AWS_ACCESS_KEY_ID", "nobody"), ("AWS_SECRET_ACCESS_KEY", secret)],
        &[],
    ] {
        let run = place.run_as(wrong, &cat);
        assert!(
            run.code == Some(1) && run.stderr.contains(&store) && !run.stderr.contains(secret),
            "{run:?}"
        );
    }
    let aws = [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)];
    assert!(place.run_as(&aws, &cat).stdout == blob());
    // defect 39: the keys of the config are patterns.
    configured(&format!(r#"{{"access-key": "{key}", "secret-key": "{secret}"}}"#));
    assert!(place.run_as(&[], &cat).stdout == blob());
    let text = format!(
        "[default]\naws_access_key_id=x\naws_secret_access_key=y\n[me]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    );
    place.room.write("credentials", text.as_bytes());
    configured(r#"{"aws-credentials-file": "credentials", "aws-profile": "me"}"#);
    assert!(place.run_as(&[], &cat).stdout == blob());
    configured(r#"{"aws-credentials-file": "credentials"}"#);
    assert!(place.run_as(&[("AWS_PROFILE", "me")], &cat).stdout == blob());
    let run = place.run_as(&[("AWS_PROFILE", "nobody")], &cat);
    assert!(run.stderr.contains("profile 'nobody'"), "{run:?}");
}

#[test]
fn a_server_that_was_killed_is_waited_for() {
    let Some(mut place) = Place::new(S3Kind::Files) else { return };
    let store = place.server.url("chunks");
    place.ok(&["cache", "-s", "store", "-c", &store, "blob.caibx"]);
    place.server.server.kill();
    let mut command = place.room.command(&["extract", "-e", "6", "-s", &store, "blob.caibx", "out"]);
    let mut child =
        command.env("S3_ACCESS_KEY", S3Server::KEY).env("S3_SECRET_KEY", S3Server::SECRET).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    place.server.server.restart();
    assert!(child.wait().unwrap().success());
    assert!(place.room.read("out") == blob());
}

/// A bucket `b` in a server of ours that has the chunks of a room's blob and believes everybody.
fn pretended(room: &Room) -> (WebServer, String) {
    let server = WebServer::start();
    for name in room.files("store") {
        server.put(&name.replacen("store", "b", 1), &room.read(&name));
    }
    let store = format!("s3+http://{}/b", server.address());
    (server, store)
}

fn run_with_key(room: &Room, args: &[&str]) -> Run {
    let mut command = room.command(args);
    command
        .env("S3_ACCESS_KEY", S3Server::KEY)
        .env("S3_SECRET_KEY", S3Server::SECRET)
        .env_remove("S3_REGION");
    command.output().unwrap().into()
}

#[test]
fn defect_40_retries_are_not_retried() {
    let room = Room::with_blob();
    let (server, store) = pretended(&room);
    server.set_fault(Fault::Every(1, 503));
    let quick = ["cat", "-n", "1", "-e", "2", "-b", "1ms", "-s", &store, "blob.caibx"];
    let run = run_with_key(&room, &quick);
    assert!(run.code == Some(1) && run.stderr.contains("503"), "{run:?}");
    let mut asked = BTreeMap::new();
    for seen in server.take_seen() {
        *asked.entry(seen.target.split('?').next().unwrap().to_owned()).or_insert(0) += 1;
    }
    assert!(!asked.is_empty() && asked.values().all(|count| *count <= 3), "{asked:?}");
    assert!(asked.values().any(|count| *count == 3), "{asked:?}");
}

#[test]
fn defect_41_an_index_is_one_upload_of_its_length() {
    let room = Room::with_blob();
    let (server, store) = pretended(&room);
    let run = run_with_key(&room, &["make", "-s", "store", &format!("{store}/v1.caibx"), "blob"]);
    assert!(run.code == Some(0), "{run:?}");
    let puts: Vec<_> = server.take_seen().into_iter().filter(|seen| seen.method != "HEAD").collect();
    let index = room.read("blob.caibx");
    assert!(puts.len() == 1 && puts[0].headers["content-length"] == index.len().to_string(), "{puts:?}");
    assert!(server.get("b/v1.caibx").unwrap() == index);
}

#[test]
fn a_bucket_in_another_region_is_asked_there() {
    let room = Room::with_blob();
    let (server, store) = pretended(&room);
    let told = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-9</Region></Error>";
    let header = "x-amz-bucket-region: eu-west-9\r\n";
    for (status, headers, body) in [(400, "", told), (301, header, ""), (400, header, told)] {
        server.set_fault(Fault::UnlessTarget("eu-west-9", status, headers, body));
        let run = run_with_key(&room, &["cat", "-e", "0", "-n", "1", "-s", &store, "blob.caibx"]);
        assert!(run.code == Some(0) && run.stdout == blob(), "{status}: {run:?}");
        // It is learned once.
        let refused = server.take_seen().iter().filter(|seen| !seen.target.contains("eu-west-9")).count();
        assert!(refused < 3, "{status}: {refused} requests to the wrong region");
    }
}

#[test]
fn who_may_write_and_not_look_writes() {
    let room = Room::with_blob();
    let server = WebServer::start();
    server.set_fault(Fault::Method("HEAD", 403));
    let store = format!("s3+http://{}/b", server.address());
    let run = run_with_key(&room, &["make", "-s", &store, "again.caibx", "blob"]);
    assert!(run.code == Some(0) && run.stderr.matches("stored without looking").count() == 1, "{run:?}");
    assert!(run_with_key(&room, &["cat", "-s", &store, "again.caibx"]).stdout == blob());
    // Whether a chunk is there is not known then.
    let run = run_with_key(&room, &["info", "-s", &store, "again.caibx"]);
    assert!(run.code == Some(1) && run.stderr.contains("is denied"), "{run:?}");
}
