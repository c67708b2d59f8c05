//! A real proxy, tinyproxy, between us and a web server. Servers are called `::ffff:127.0.0.1`: what is known to be of
//! this machine is reached without a proxy.

use std::process::Command;

use desync_test_kit::servers::{Certificates, Nginx, Server, Site, WebServer, have};

use crate::room::{Room, Run, blob};

/// Loopback in the clothes of IPv6.
const MAPPED: &str = "::ffff:127.0.0.1";

/// A proxy that `me` may use with the password `hunter2`.
fn proxy(room: &Room) -> Server {
    let (log, config) = (room.path("proxy.log"), room.path("proxy.conf"));
    Server::start(Some(&room.path("proxy.log")), move |port| {
        let text = format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogFile \"{}\"\nLogLevel Connect\n\
             BasicAuth me hunter2\n",
            log.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(&config);
        command
    })
}

#[test]
fn proxies_are_used_as_the_environment_says() {
    if !have(&["tinyproxy", "nginx", "openssl"]) {
        return;
    }
    let room = Room::with_blob();
    for directory in ["scratch", "tls"] {
        room.create_dir(directory);
    }
    let server = WebServer::start();
    for name in room.files("store") {
        server.put(&name, &room.read(&name));
    }
    let made = Certificates::make(&room.path("tls"));
    let tls = Site::new().with_tls(&made.path("server.crt"), &made.path("server.key"));
    let nginx = Nginx::start(&room.path("."), &room.path("scratch"), &tls);
    let proxy = proxy(&room);
    let run = |environment: &[(&str, &str)], store: &str| -> Run {
        let mut command = room.command(&["cat", "-e", "0", "--trust-insecure", "-s", store, "blob.caibx"]);
        command.envs(environment.iter().copied()).output().unwrap().into()
    };
    let seen = || std::fs::read_to_string(room.path("proxy.log")).unwrap().matches("Request (file").count();
    let (plain, secret) = (
        format!("http://[{MAPPED}]:{}/store", server.address().port()),
        format!("https://[{MAPPED}]:{}/store", nginx.port()),
    );
    let address = format!("http://me:hunter2@127.0.0.1:{}", proxy.port());
    for (variable, store) in [("HTTP_PROXY", &plain), ("https_proxy", &secret)] {
        let before = seen();
        let through = run(&[(variable, &address)], store);
        assert!(through.code == Some(0) && through.stdout == blob(), "{store}: {through:?}");
        assert!(seen() > before, "{store}");
        let before = seen();
        let direct = run(&[(variable, &address), ("NO_PROXY", &format!("example.org,{MAPPED}"))], store);
        assert!(direct.stdout == blob() && seen() == before, "{store}: {direct:?}");
        let wrong = run(&[(variable, &address.replace("hunter2", "guessed"))], store);
        assert!(wrong.code == Some(1) && !wrong.stderr.contains("guessed"), "{store}: {wrong:?}");
    }
    let local = plain.replace(&format!("[{MAPPED}]"), "127.0.0.1");
    let before = seen();
    assert!(run(&[("HTTP_PROXY", &address)], &local).stdout == blob() && seen() == before);
}
