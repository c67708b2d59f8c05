//! Docker's registry: for anybody, with a password, with TLS.

use desync_test_kit::servers::{Certificates, Registry, have};

use crate::room::{Room, Run, blob};

fn programs() -> bool {
    have(&Registry::PROGRAMS)
}

fn run(room: &Room, environment: &[(&str, &str)], args: &[&str]) -> Run {
    room.command(args).envs(environment.iter().copied()).output().unwrap().into()
}

fn in_store(room: &Room, store: &str) -> u64 {
    let info = room.ok(&["info", "-s", store, "blob.caibx"]);
    serde_json::from_slice::<serde_json::Value>(&info).unwrap()["in-store"].as_u64().unwrap()
}

#[test]
fn every_command_works_on_a_registry() {
    if !programs() {
        return;
    }
    let room = Room::with_blob();
    room.create_dir("registry");
    let mut server = Registry::start(&room.path("registry"), None, None);
    let store = server.url("org/chunks");
    let unique = room.files("store").len() as u64;
    room.ok(&["make", "-s", &store, "blob.caibx", "blob"]);
    room.ok(&["extract", "-s", &store, "blob.caibx", "out"]);
    assert!(room.read("out") == blob());
    assert!(room.ok(&["cat", "-s", &store, "blob.caibx"]) == blob());
    assert_eq!(in_store(&room, &store), unique);
    room.create_dir("cache");
    room.ok(&["cache", "-s", &store, "-c", "cache", "blob.caibx"]);
    assert_eq!(room.files("cache").len() as u64, unique);

    room.write("small", &blob()[..100_000]);
    room.ok(&["make", "-s", &store, "small.caibx", "small"]);
    room.ok(&["prune", "-y", "-s", &store, "small.caibx"]);
    assert!(in_store(&room, &store) < unique);
    assert!(room.ok(&["cat", "-s", &store, "small.caibx"]) == blob()[..100_000]);

    assert_eq!(in_store(&room, &server.url("nobody/here")), 0);
    let text = room.fails(1, &["cat", "-s", &server.url("nobody/here"), "blob.caibx"]);
    assert!(text.contains("missing from store"), "{text}");
    let text = room.fails(1, &["cat", "-s", &server.url("Upper"), "blob.caibx"]);
    assert!(text.contains("'Upper' is no repository"), "{text}");
    let text = room.fails(1, &["list-chunks", &server.url("org/blob.caibx")]);
    assert!(text.contains("Index storage is not supported by oci registry stores"), "{text}");

    server.kill();
    let mut child =
        room.command(&["extract", "-e", "6", "-s", &store, "small.caibx", "out2"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.restart();
    assert!(child.wait().unwrap().success());
}

#[test]
fn passwords_come_from_where_they_are_kept() {
    if !programs() || !have(&["openssl"]) {
        return;
    }
    let room = Room::with_blob();
    for directory in ["registry", "tls", "docker"] {
        room.create_dir(directory);
    }
    let made = Certificates::make(&room.path("tls"));
    let (ca, certificate, key) = (made.path("ca.crt"), made.path("server.crt"), made.path("server.key"));
    let server = Registry::start(&room.path("registry"), Some(("me", "hunter2")), Some((&certificate, &key)));
    let store = server.url("chunks");
    let login = [("DESYNC_OCI_USERNAME", "me"), ("DESYNC_OCI_PASSWORD", "hunter2")];
    let fill = ["cache", "--ca-cert", &ca, "-s", "store", "-c", &store, "blob.caibx"];
    let cat = ["--config", "config.json", "cat", "-e", "0", "--ca-cert", &ca, "-s", &store, "blob.caibx"];
    room.write("config.json", b"{}");
    for environment in [&[][..], &[login[0]], &[login[0], ("DESYNC_OCI_PASSWORD", "wrong")]] {
        let refused = run(&room, environment, &cat);
        assert!(refused.code == Some(1) && refused.stderr.contains("401 Unauthorized"), "{refused:?}");
    }
    let refused = run(&room, &login[1..], &cat);
    assert!(refused.stderr.contains("DESYNC_OCI_USERNAME"), "{refused:?}");
    let filled = run(&room, &login, &fill);
    assert!(filled.code == Some(0), "{filled:?}");
    let config =
        format!(r#"{{"oci-credentials": {{"{store}": {{"username": "me", "secret": "hunter2"}}}}}}"#);
    room.write("config.json", config.as_bytes());
    assert!(run(&room, &[], &cat).stdout == blob());
    room.write("config.json", b"{}");
    // base64 of me:hunter2
    let docker = format!(r#"{{"auths": {{"{}": {{"auth": "bWU6aHVudGVyMg=="}}}}}}"#, server.host());
    room.write("docker/config.json", docker.as_bytes());
    let directory = room.path("docker").display().to_string();
    assert!(run(&room, &[("DOCKER_CONFIG", &directory)], &cat).stdout == blob());
    room.write("docker/config.json", b"nonsense");
    let refused = run(&room, &[("DOCKER_CONFIG", &directory)], &cat);
    assert!(refused.code == Some(1) && refused.stderr.contains("Docker's credentials"), "{refused:?}");
}
