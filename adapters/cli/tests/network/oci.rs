//! Docker's registry: for anybody, with a password, with TLS.

use desync_test_kit::servers::{Certificates, Nginx, Registry, Site, have};

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
    // What is young stays unless asked for.
    for args in [&["--dry-run"][..], &[]] {
        let listed = room.ok(&[&["prune", "-y", "-s", &store, "small.caibx"], args].concat());
        assert!(listed.is_empty(), "{}", String::from_utf8_lossy(&listed));
    }
    assert_eq!(in_store(&room, &store), unique);
    room.ok(&["prune", "-y", "--grace-period=0", "-s", &store, "small.caibx"]);
    assert!(in_store(&room, &store) < unique);
    assert!(room.ok(&["cat", "-s", &store, "small.caibx"]) == blob()[..100_000]);

    assert_eq!(in_store(&room, &server.url("nobody/here")), 0);
    let text = room.fails(1, &["cat", "-s", &server.url("nobody/here"), "blob.caibx"]);
    assert!(text.contains("missing from store"), "{text}");
    let text = room.fails(1, &["cat", "-s", &server.url("Upper"), "blob.caibx"]);
    assert!(text.contains("'Upper' is no repository"), "{text}");
    let text = room.fails(1, &["list-chunks", &server.url("org/blob.caibx")]);
    assert!(text.contains("Index storage is not supported by oci registry stores"), "{text}");

    server.server.kill();
    let mut child =
        room.command(&["extract", "-e", "6", "-s", &store, "small.caibx", "out2"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.server.restart();
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_a_build_finds_stays() {
    if !programs() || !have(&["curl"]) {
        return;
    }
    let room = Room::with_blob();
    room.create_dir("registry");
    let server = Registry::start(&room.path("registry"), None, None);
    let store = server.url("org/chunks");
    room.ok(&["make", "-s", &store, "blob.caibx", "blob"]);
    let unique = in_store(&room, &store);
    room.write("small", &blob()[..100_000]);
    room.write("none", b"");
    room.ok(&["make", "-s", &store, "none.caibx", "none"]);
    for chunk in room.files("store") {
        let tag = chunk.rsplit('/').next().unwrap().to_owned();
        age(&format!("http://{}/v2/org/chunks/manifests/{tag}", server.host()));
    }
    // As if its index were not published yet.
    room.ok(&["make", "-s", &store, "small.caibx", "small"]);
    let lines = |output: Vec<u8>| String::from_utf8(output).unwrap().lines().map(str::to_owned).collect();
    let small: Vec<String> = lines(room.ok(&["list-chunks", "small.caibx"]));
    let removable: Vec<String> = lines(room.ok(&["prune", "--dry-run", "-s", &store, "none.caibx"]));
    assert!(!small.is_empty() && small.iter().all(|id| !removable.contains(id)));
    room.ok(&["prune", "-y", "-s", &store, "none.caibx"]);
    assert!(in_store(&room, &store) < unique, "nothing was removed");
    assert!(room.ok(&["cat", "-s", &store, "small.caibx"]) == blob()[..100_000]);
}

/// Puts a manifest that says it was used long ago in the place of one.
fn age(url: &str) {
    let curl = |args: &[&str]| {
        let output = std::process::Command::new("curl").args(["-sSf"]).args(args).arg(url).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let mut manifest = curl(&["-H", &format!("Accept: {kind}")]);
    let field = "\"desync.used\":\"";
    let year = manifest.find(field).unwrap() + field.len();
    manifest.replace_range(year..year + 4, "2020");
    curl(&["-X", "PUT", "-H", &format!("Content-Type: {kind}"), "--data-binary", &manifest]);
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

/// A server of tokens in front of a registry, as large registries have it. `me` with the password `hunter2` gets
/// a token that is good for everything.
fn with_tokens(room: &Room, registry: &Registry) -> Nginx {
    let host = registry.host();
    let site = Site::new().with(&format!(
        r#"client_max_body_size 64m; proxy_request_buffering off; chunked_transfer_encoding on;
        location = /token {{
            default_type application/json;
            if ($http_authorization != "Basic bWU6aHVudGVyMg==") {{ return 401 "who?"; }}
            return 200 '{{"token": "good"}}';
        }}
        location /v2/ {{
            error_page 418 = @who;
            if ($http_authorization != "Bearer good") {{ return 418; }}
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Authorization "";
            proxy_pass http://{host};
        }}
        location @who {{
            add_header WWW-Authenticate 'Bearer realm="http://$http_host/token",service="chunks"' always;
            return 401 "no token";
        }}"#
    ));
    Nginx::start(&room.path("www"), &room.path("scratch"), &site)
}

#[test]
fn a_token_is_asked_for_with_what_dockers_helper_knows() {
    if !programs() || !have(&["nginx"]) {
        return;
    }
    let room = Room::with_blob();
    for directory in ["registry", "www", "scratch", "docker"] {
        room.create_dir(directory);
    }
    let registry = Registry::start(&room.path("registry"), None, None);
    let server = with_tokens(&room, &registry);
    let host = format!("localhost:{}", server.port());
    let store = format!("oci+http://{host}/org/chunks");
    let helper = room.path("docker/docker-credential-kept");
    let knows = |secret: &str| {
        let text = format!("#!/bin/sh\nread host\n[ $1 = get ] && [ $host = {host} ] || exit 1\n");
        let answer = format!(r#"echo '{{"ServerURL": "{host}", "Username": "me", "Secret": "{secret}"}}'"#);
        room.write("docker/docker-credential-kept", (text + &answer).as_bytes());
        std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    room.write("docker/config.json", format!(r#"{{"credHelpers": {{"{host}": "kept"}}}}"#).as_bytes());
    let path = format!("{}:{}", room.path("docker").display(), std::env::var("PATH").unwrap());
    let docker = room.path("docker").display().to_string();
    let environment = [("DOCKER_CONFIG", docker.as_str()), ("PATH", &path)];
    let quiet = |args: &[&str]| run(&room, &environment, args);

    knows("hunter2");
    let filled = quiet(&["cache", "-s", "store", "-c", &store, "blob.caibx"]);
    assert!(filled.code == Some(0) && filled.stderr.is_empty(), "{filled:?}");
    assert!(quiet(&["cat", "-s", &store, "blob.caibx"]).stdout == blob());
    let log = String::from_utf8(room.read("scratch/access.log")).unwrap();
    // Asked for once for each kind of action, not for each chunk; by each of two runs.
    let tokens = log.lines().filter(|line| line.contains("GET /token?")).count();
    assert!((2..20).contains(&tokens), "{tokens} tokens");
    knows("wrong");
    let refused = quiet(&["cat", "-e", "0", "-s", &store, "blob.caibx"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("401 Unauthorized"), "{refused:?}");
    assert!(!refused.stderr.contains("wrong"), "{refused:?}");
    room.write("docker/docker-credential-kept", b"#!/bin/sh\nread host\necho hunter2\nexit 1\n");
    let refused = quiet(&["cat", "-e", "0", "-s", &store, "blob.caibx"]);
    assert!(refused.stderr.contains("docker-credential-kept failed"), "{refused:?}");
    assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
}
