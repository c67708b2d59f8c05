//! S3: a server that checks signatures, and one that is Amazon's in more ways.

use desync_test_kit::servers::{S3Kind, S3Server, have};

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

    fn in_store(&self, store: &str, index: &str) -> u64 {
        let info = self.ok(&["info", "-s", store, index]);
        serde_json::from_slice::<serde_json::Value>(&info).unwrap()["in-store"].as_u64().unwrap()
    }
}

#[test]
fn every_command_works_on_a_bucket() {
    for kind in [S3Kind::Files, S3Kind::Moto] {
        let Some(place) = Place::new(kind) else { continue };
        let (store, index) =
            (place.server.url("chunks/some/pre fix"), place.server.url("chunks/v1.caibx?lookup=path"));
        let unique = place.room.files("store").len() as u64;
        place.ok(&["make", "-s", &store, &index, "blob"]);
        place.ok(&["make", "-s", &store, &index, "blob"]);
        place.ok(&["extract", "-s", &store, &index, "out"]);
        assert!(place.room.read("out") == blob());
        assert!(place.ok(&["cat", "-s", &store, &index]) == blob());
        assert_eq!(place.in_store(&store, &index), unique);
        place.room.create_dir("cache");
        place.ok(&["cache", "-s", &store, "-c", "cache", &index]);
        assert_eq!(place.room.files("cache").len() as u64, unique);
        let other = place.server.url("chunks/other");
        place.ok(&["chop", "-s", &other, &index, "blob"]);
        assert_eq!(place.in_store(&other, &index), unique);

        place.room.write("small", &blob()[..100_000]);
        place.ok(&["make", "-s", &store, "small.caibx", "small"]);
        // What is young stays unless asked for.
        place.ok(&["prune", "-y", "-s", &store, "small.caibx"]);
        assert_eq!(place.in_store(&store, &index), unique);
        place.ok(&["prune", "-y", "--grace-period=0", "-s", &store, "small.caibx"]);
        assert!(place.in_store(&store, &index) < unique);
        assert!(place.ok(&["cat", "-s", &store, "small.caibx"]) == blob()[..100_000]);
        // Another prefix is another store.
        assert_eq!(place.in_store(&other, &index), unique);

        let run = place.run(&["cat", "-s", &store, &place.server.url("chunks/none.caibx")]);
        assert!(
            run.code == Some(1) && run.stderr.contains("object none.caibx missing from store"),
            "{run:?}"
        );
        for args in [
            &["cat", "-e", "0", "-s", &place.server.url("no-bucket"), "blob.caibx"][..],
            &["cache", "-e", "0", "-s", "store", "-c", &place.server.url("no-bucket/x"), "blob.caibx"],
        ] {
            // s3s-fs does not tell a bucket that is not there from an object that is not, and makes it for who puts.
            if kind == S3Kind::Files && args[0] == "cache" {
                continue;
            }
            let run = place.run(args);
            assert_eq!(run.code, Some(1), "{args:?}: {run:?}");
            let told = run.stderr.contains("bucket 'no-bucket' does not exist");
            assert!(told || kind == S3Kind::Files, "{args:?}: {run:?}");
        }
    }
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
    place.server.kill();
    let mut command = place.room.command(&["extract", "-e", "6", "-s", &store, "blob.caibx", "out"]);
    let mut child =
        command.env("S3_ACCESS_KEY", S3Server::KEY).env("S3_SECRET_KEY", S3Server::SECRET).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    place.server.restart();
    assert!(child.wait().unwrap().success());
    assert!(place.room.read("out") == blob());
}
