//! nginx as a store: static files, PUT, TLS, passwords; and servers that go away.

use desync_test_kit::servers::{Certificates, Nginx, Site, WebServer, have};

use crate::room::{Room, blob};

/// nginx over a directory `www` of the room, which has an empty `www/store`.
fn nginx(room: &Room, site: &Site) -> Nginx {
    for directory in ["www", "scratch", "www/store"] {
        let _ = std::fs::create_dir(room.path(directory));
    }
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(room.path("www/store"), everybody).unwrap();
    Nginx::start(&room.path("www"), &room.path("scratch"), site)
}

#[test]
fn every_command_works_on_a_web_server() {
    if !have(&["nginx"]) {
        return;
    }
    let room = Room::new();
    room.write("blob", &blob());
    let server = nginx(&room, &Site::new().writable());
    let (store, index) = (server.url("store"), server.url("store/v1.caibx"));
    room.ok(&["make", "-s", &store, &index, "blob"]);
    // Stored again, nothing is sent twice.
    room.ok(&["make", "-s", &store, &index, "blob"]);
    let log = String::from_utf8(room.read("scratch/access.log")).unwrap();
    let chunk_puts = log.lines().filter(|line| line.contains("\"PUT") && line.contains(".cacnk")).count();
    assert_eq!(chunk_puts, room.files("www/store").iter().filter(|name| name.ends_with(".cacnk")).count());
    room.ok(&["extract", "-s", &store, &index, "out"]);
    assert!(room.read("out") == blob());
    room.ok(&["verify-index", &index, "out"]);
    assert!(room.ok(&["cat", "-s", &store, &index]) == blob());
    let info = room.ok_text(&["info", "-s", &store, &index]);
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["in-store"], info["unique"], "{info}");
    room.create_dir("cache");
    room.ok(&["cache", "-s", &store, "-c", "cache", &index]);
    let ids = room.ok_text(&["list-chunks", &index]);
    assert!(ids.lines().count() > 3);
    std::fs::remove_dir_all(room.path("www/store")).unwrap();
    let _ = nginx(&room, &Site::new());
    room.write("v1.caibx", &room.ok(&["make", "-", "blob"]));
    room.ok(&["chop", "-s", &store, "v1.caibx", "blob"]);
    room.ok(&["extract", "-s", &store, "v1.caibx", "out"]);
    let text = room.fails(1, &["prune", "-y", "-s", &store, "v1.caibx"]);
    assert!(text.contains("does not support pruning"), "{text}");
    let text = room.fails(1, &["cat", "-s", &store, &server.url("store/none.caibx")]);
    assert!(text.contains("object none.caibx missing from store"), "{text}");
}

#[test]
fn passwords_come_from_the_url_or_the_config_and_are_never_told() {
    if !have(&["nginx"]) {
        return;
    }
    let room = Room::with_blob();
    room.create_dir("scratch");
    let server = nginx(&room, &Site::new().writable().for_user("me", "hunter2", &room.path("scratch")));
    let store = server.url("store");
    for user in ["", "me:wrong@", "me@"] {
        let refused = store.replace("://", &format!("://{user}"));
        let text = room.fails(1, &["cache", "-e", "0", "-s", "store", "-c", &refused, "blob.caibx"]);
        assert!(text.contains("401 Unauthorized") && !text.contains("wrong"), "{text}");
    }
    let with_login = store.replace("://", "://me:hunter2@");
    room.ok(&["cache", "-s", "store", "-c", &with_login, "blob.caibx"]);
    room.write(
        "config.json",
        format!(r#"{{"store-options": {{"{store}/": {{"http-auth": "Basic bWU6aHVudGVyMg=="}}}}}}"#)
            .as_bytes(),
    );
    assert!(room.ok(&["--config", "config.json", "cat", "-s", &store, "blob.caibx"]) == blob());
}

#[test]
fn tls_believes_whom_it_should() {
    if !have(&["nginx", "openssl"]) {
        return;
    }
    let room = Room::with_blob();
    room.create_dir("tls");
    let made = Certificates::make(&room.path("tls"));
    let path = |file: &str| made.path(file);
    let (ca, other_ca) = (path("ca.crt"), path("own-ca.crt"));

    let server = nginx(&room, &Site::new().writable().with_tls(&path("server.crt"), &path("server.key")));
    let store = server.url("store");
    room.ok(&["cache", "--ca-cert", &ca, "-s", "store", "-c", &store, "blob.caibx"]);
    assert!(room.ok(&["cat", "--ca-cert", &ca, "-s", &store, "blob.caibx"]) == blob());
    assert!(room.ok(&["cat", "-t", "-s", &store, "blob.caibx"]) == blob());
    for distrusts in [
        &["cat", "--ca-cert", &other_ca, "-s", &store, "blob.caibx"][..],
        &["cat", "-s", &store, "blob.caibx"],
    ] {
        let text = room.fails(1, distrusts);
        assert!(text.contains("TLS: invalid peer certificate"), "{text}");
    }
    let text = room.fails(1, &["cat", "--ca-cert", "blob", "-s", &store, "blob.caibx"]);
    assert!(text.contains("no CA certificates found in ca-cert file blob"), "{text}");
    drop(server);

    // A certificate that is its own authority, and one for another name.
    let server = nginx(&room, &Site::new().with_tls(&other_ca, &path("own-ca.key")));
    assert!(room.ok(&["cat", "--ca-cert", &other_ca, "-s", &server.url("store"), "blob.caibx"]) == blob());
    room.fails(1, &["cat", "--ca-cert", &ca, "-s", &server.url("store"), "blob.caibx"]);
    let elsewhere = server.url("store").replace("localhost", "127.0.0.2");
    room.fails(1, &["cat", "-e", "0", "--ca-cert", &other_ca, "-s", &elsewhere, "blob.caibx"]);
    drop(server);
    let server = nginx(&room, &Site::new().with_tls(&path("other-host.crt"), &path("other-host.key")));
    let text = room.fails(1, &["cat", "--ca-cert", &ca, "-s", &server.url("store"), "blob.caibx"]);
    assert!(text.contains("not valid for name"), "{text}");
    drop(server);

    let demanding = Site::new().with_tls(&path("server.crt"), &path("server.key")).for_clients_of(&ca);
    let server = nginx(&room, &demanding);
    let store = server.url("store");
    let cat = |client: Option<&str>| {
        let (cert, key) =
            (path(&format!("{}.crt", client.unwrap_or(""))), path(&format!("{}.key", client.unwrap_or(""))));
        let mut args = vec!["cat", "-e", "0", "--ca-cert", &ca, "-s", &store, "blob.caibx"];
        if client.is_some() {
            args.extend(["--client-cert", &cert, "--client-key", &key]);
        }
        room.run(&args)
    };
    for client in ["client", "client-v1"] {
        let run = cat(Some(client));
        assert!(run.code == Some(0) && run.stdout == blob(), "{client}: {}", run.stderr);
    }
    for client in [None, Some("own-ca")] {
        let run = cat(client);
        assert!(run.code == Some(1) && run.stderr.contains("400 Bad Request"), "{client:?}: {}", run.stderr);
    }
    let (cert, key) = (path("client.crt"), path("client-v1.key"));
    let text =
        room.fails(1, &["cat", "--client-cert", &cert, "--client-key", &key, "-s", &store, "blob.caibx"]);
    assert!(text.contains("is not the key of"), "{text}");
}

#[test]
fn a_server_that_goes_away_and_comes_back_is_waited_for() {
    if !have(&["nginx"]) {
        return;
    }
    let room = Room::with_blob();
    let mut server = nginx(&room, &Site::new().writable().with("limit_rate 30k;"));
    let store = server.url("store");
    room.ok(&["cache", "-s", "store", "-c", &store, "blob.caibx"]);
    let mut child = room.command(&["extract", "-e", "6", "-s", &store, "blob.caibx", "out"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.server.kill();
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.server.restart();
    assert!(child.wait().unwrap().success());
    assert!(room.read("out") == blob());
    // Gone for good.
    server.server.kill();
    let text = room.fails(1, &["extract", "-e", "1", "-b", "1ms", "-s", &store, "blob.caibx", "out2"]);
    assert!(text.contains("Connection refused") && text.contains(&store), "{text}");
    assert!(!room.path("out2").exists());
    // Unless somebody stands in.
    let group = format!("{store}|store");
    let (_, warnings) = room.ok_with_warnings(&["extract", "-e", "0", "-s", &group, "blob.caibx", "out2"]);
    assert!(warnings.contains(&store) && room.read("out2") == blob());
}

#[test]
fn a_download_budget_ends_the_run_and_the_next_goes_on() {
    let room = Room::with_blob();
    let server = WebServer::start();
    for file in room.files("store") {
        server.put(&file, &room.read(&file));
    }
    room.create_dir("cache");
    let extract = [
        "extract",
        "-s",
        &server.url("store"),
        "-c",
        "cache",
        "--max-download",
        "290000",
        "blob.caibx",
        "out",
    ];
    let mut runs = 0;
    loop {
        let before = server.bytes_sent();
        let run = room.run(&extract);
        assert!(server.bytes_sent() - before <= 290_000);
        runs += 1;
        if run.code == Some(0) {
            break;
        }
        assert!(run.code == Some(1) && run.stderr.contains("--max-download"), "{run:?}");
        assert!(!room.path("out").exists() && runs < 10);
    }
    assert!(runs > 1 && room.read("out") == blob());
}

#[test]
fn one_damaged_store_is_healed_by_the_next() {
    let room = Room::with_blob();
    let server = WebServer::start();
    for file in room.files("store") {
        server.put(&file, b"damaged");
    }
    let (_, warnings) =
        room.ok_with_warnings(&["extract", "-s", &server.url("store"), "-s", "store", "blob.caibx", "out"]);
    assert!(warnings.contains("invalid chunk") && room.read("out") == blob());
}
