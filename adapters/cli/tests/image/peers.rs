//! Every kind of server: how it is started and reached, what it can, and how it refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use desync_test_kit::servers::{
    Certificates, GcsServer, Nginx, Registry, S3Kind, S3Server, Server, Site, Sshd, have,
};

use crate::room::{Room, program};

/// A server, and what a client must know of it.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) access: Access,
    pub(crate) store: String,
    /// The location of the index NAME, where indexes can be there.
    pub(crate) indexes: Option<String>,
    pub(crate) options: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// The directory behind a server that can only be read.
    pub(crate) read_only: Option<String>,
    /// What who wants to write there is told.
    pub(crate) writing_told: &'static str,
    /// Whether it can be pruned.
    pub(crate) prunes: bool,
    /// Whether nothing is there any more after it was killed.
    pub(crate) forgets: bool,
    pub(crate) refusals: Vec<Refusal>,
}

/// A way to be turned away.
pub(crate) struct Refusal {
    pub(crate) what: &'static str,
    pub(crate) store: String,
    pub(crate) options: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// What the error must say.
    pub(crate) told: &'static str,
}

/// The value that a server lives in.
pub(crate) enum Access {
    Nginx(Nginx),
    Sshd(Sshd),
    S3(S3Server),
    Gcs(GcsServer),
    Registry(Registry),
    Own(Server),
}

impl Access {
    pub(crate) const fn server(&mut self) -> &mut Server {
        match self {
            Self::Nginx(nginx) => &mut nginx.server,
            Self::Sshd(sshd) => &mut sshd.server,
            Self::S3(server) => &mut server.server,
            Self::Gcs(server) => &mut server.server,
            Self::Registry(registry) => &mut registry.server,
            Self::Own(server) => server,
        }
    }

    /// How many processes of a program run that serve a peer.
    pub(crate) fn processes_of(program: &str) -> usize {
        let lines = fs::read_dir("/proc").unwrap().flatten();
        let lines = lines.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
        lines.filter(|line| line.starts_with(&format!("{program}\0pull\0"))).count()
    }
}

impl Peer {
    /// What most have in common: everything is allowed.
    fn new(name: &'static str, access: Access, store: String) -> Self {
        Self {
            name,
            access,
            indexes: None,
            store,
            options: Vec::new(),
            environment: Vec::new(),
            read_only: None,
            writing_told: "",
            prunes: true,
            forgets: false,
            refusals: Vec::new(),
        }
    }

    /// As it is reached rightly, but for what `change` does.
    fn refuses(&mut self, what: &'static str, told: &'static str, change: impl FnOnce(&mut Refusal)) {
        let (store, options, environment) =
            (self.store.clone(), self.options.clone(), self.environment.clone());
        let mut refusal = Refusal { what, store, options, environment, told };
        change(&mut refusal);
        self.refusals.push(refusal);
    }

    /// Files for who has a password.
    pub(crate) fn files(room: &Room) -> Self {
        needs(&["nginx"]);
        let site = Site::new().for_user("me", "hunter2", &room.path(""));
        let server = nginx(room, &site);
        let (open, url) = (server.url("store"), server.url("store").replace("://", "://me:hunter2@"));
        let gone = server.url("nowhere").replace("://", "://me:hunter2@");
        let mut peer = Self::new("nginx, files", Access::Nginx(server), url);
        peer.read_only = Some("www/store".into());
        peer.writing_told = "405 Method Not Allowed";
        peer.prunes = false;
        peer.refuses("wrong password", "401 Unauthorized", |to| {
            to.store = open.replace("://", "://me:wrong@")
        });
        peer.refuses("no password", "401 Unauthorized", |to| to.store = open);
        peer.refuses("no such directory", "missing from store", |to| to.store = gone);
        peer
    }

    /// PUT for who has a certificate.
    pub(crate) fn dav(room: &Room) -> Self {
        needs(&["nginx", "openssl"]);
        room.create_dir("tls");
        let made = Certificates::make(&room.path("tls"));
        let site = Site::new().writable().with_tls(&made.path("server.crt"), &made.path("server.key"));
        let server = nginx(room, &site.for_clients_of(&made.path("ca.crt")));
        let (url, gone) = (server.url("store"), server.url("nowhere"));
        let mut peer = Self::new("nginx, PUT, certificates", Access::Nginx(server), url.clone());
        peer.indexes = Some(format!("{url}/NAME"));
        let with = |client: &str| {
            let (certificate, key) =
                (made.path(&format!("{client}.crt")), made.path(&format!("{client}.key")));
            words(&["--ca-cert", &made.path("ca.crt"), "--client-cert", &certificate, "--client-key", &key])
        };
        peer.options = with("client");
        peer.prunes = false;
        peer.refuses("another's certificate", "400 Bad Request", |to| to.options = with("own-ca"));
        peer.refuses("no certificate", "400 Bad Request", |to| to.options.truncate(2));
        peer.refuses("unknown authority", "invalid peer certificate", |to| {
            to.options[1] = made.path("own-ca.crt");
        });
        peer.refuses("no such directory", "missing from store", |to| to.store = gone);
        peer
    }

    /// `chunk-server -w` for who has a certificate and a password. It is killed while chunks are put.
    pub(crate) fn own(room: &Room) -> Self {
        needs(&["openssl"]);
        for directory in ["tls", "remote"] {
            room.create_dir(directory);
        }
        let made = Certificates::make(&room.path("tls"));
        let file = |name: &str| made.path(name);
        let serves =
            words(&["chunk-server", "-w", "-s", "remote", "--authorization", "Basic bWU6aHVudGVyMg=="]);
        let tls = [&file("server.crt"), "--key", &file("server.key"), "--mutual-tls", "--client-ca"];
        let serves = [serves, words(&["--cert"]), words(&tls), vec![file("ca.crt")]].concat();
        let here = room.path("");
        let server = Server::start(None, move |port| {
            let mut command = std::process::Command::new(program());
            command
                .args(&serves)
                .args(["-l", &format!("127.0.0.1:{port}")])
                .current_dir(&here)
                .env("HOME", &here);
            command
        });
        let url = format!("https://me:hunter2@localhost:{}/", server.port());
        let mut peer = Self::new("chunk-server", Access::Own(server), url);
        let with = |client: &str| {
            let (certificate, key) = (file(&format!("{client}.crt")), file(&format!("{client}.key")));
            words(&["--ca-cert", &file("ca.crt"), "--client-cert", &certificate, "--client-key", &key])
        };
        peer.options = with("client");
        peer.prunes = false;
        peer.refuses("wrong password", "401 Unauthorized", |to| {
            to.store = to.store.replace("hunter2", "wrong")
        });
        peer.refuses("another's certificate", "TLS: ", |to| to.options = with("own-ca"));
        peer.refuses("no certificate", "TLS: ", |to| to.options.truncate(2));
        peer
    }

    /// The casync protocol.
    pub(crate) fn ssh(room: &Room, remote: &str) -> Self {
        let mut peer = behind_sshd(room, "ssh", remote);
        peer.name = if remote == "casync" { "ssh, casync" } else { "ssh, ourselves" };
        peer.read_only = Some("remote".into());
        peer.writing_told = "does not support writing";
        peer.prunes = false;
        if remote == "casync" {
            // It takes a store that is not there for an empty one.
            peer.refusals[1].told = "missing from store";
        } else {
            peer.refusals[1].told = "the session ended (exit status: 1)";
        }
        peer
    }

    pub(crate) fn sftp(room: &Room) -> Self {
        let mut peer = behind_sshd(room, "sftp", "");
        peer.name = "sftp";
        peer.indexes = Some(format!("{}/NAME", peer.store));
        peer.refusals[1].told = "failed to stat";
        peer
    }

    pub(crate) fn s3(room: &Room, kind: S3Kind) -> Self {
        needs(&[&kind.program()]);
        room.create_dir("s3");
        let server = S3Server::start(kind, &room.path("s3"));
        server.make_bucket("chunks");
        let (url, gone) = (server.url("chunks/debian"), server.url("no-bucket/debian"));
        let checks = kind == S3Kind::Files;
        let name = if checks { "S3: s3s-fs" } else { "S3: moto" };
        let mut peer = Self::new(name, Access::S3(server), url.clone());
        peer.indexes = Some(format!("{url}/NAME"));
        peer.environment = vec![
            ("S3_ACCESS_KEY".into(), S3Server::KEY.into()),
            ("S3_SECRET_KEY".into(), S3Server::SECRET.into()),
        ];
        peer.forgets = !checks;
        if checks {
            // What this one does not tell: that there is no bucket.
            peer.refuses("no such bucket", "missing from store", |to| to.store = gone);
            peer.refuses("wrong secret", "(403)", |to| to.environment[1].1 = "wrong".into());
            peer.refuses("nobody's key", "(403)", |to| to.environment[0].1 = "nobody".into());
        } else {
            // And this one lets everybody in.
            peer.refuses("no such bucket", "bucket 'no-bucket' does not exist", |to| to.store = gone);
        }
        peer
    }

    pub(crate) fn gcs(room: &Room) -> Self {
        needs(&[&GcsServer::program()]);
        room.create_dir("gcs");
        let server = GcsServer::start(&room.path("gcs"));
        server.make_bucket("chunks");
        let host = server.host();
        let mut peer = Self::new("gs", Access::Gcs(server), "gs://chunks/debian".into());
        peer.indexes = Some("gs://chunks/debian/NAME".into());
        peer.environment = vec![("STORAGE_EMULATOR_HOST".into(), host)];
        peer.refuses("no such bucket", "missing from store", |to| to.store = "gs://no-bucket/debian".into());
        peer
    }

    pub(crate) fn registry(room: &Room) -> Self {
        needs(&[&Registry::PROGRAMS[..], &["openssl"]].concat());
        for directory in ["registry", "tls"] {
            room.create_dir(directory);
        }
        let made = Certificates::make(&room.path("tls"));
        let (certificate, key) = (made.path("server.crt"), made.path("server.key"));
        let server =
            Registry::start(&room.path("registry"), Some(("me", "hunter2")), Some((&certificate, &key)));
        let (url, gone) = (server.url("org/debian"), server.url("org/nothing"));
        let mut peer = Self::new("registry", Access::Registry(server), url);
        peer.options = words(&["--ca-cert", &made.path("ca.crt")]);
        peer.environment = vec![
            ("DESYNC_OCI_USERNAME".into(), "me".into()),
            ("DESYNC_OCI_PASSWORD".into(), "hunter2".into()),
        ];
        peer.refuses("wrong password", "401 Unauthorized", |to| to.environment[1].1 = "wrong".into());
        peer.refuses("nobody", "401 Unauthorized", |to| to.environment.clear());
        peer.refuses("no such repository", "missing from store", |to| to.store = gone);
        peer.refuses("unknown authority", "invalid peer certificate", |to| {
            to.options[1] = made.path("own-ca.crt");
        });
        peer
    }
}

/// A store in the directory `remote`.
fn behind_sshd(room: &Room, scheme: &str, remote: &str) -> Peer {
    needs(&[&Sshd::PROGRAMS[..], &["casync"]].concat());
    for directory in ["sshd", "remote", "stranger"] {
        room.create_dir(directory);
    }
    let (sshd, stranger) = (Sshd::start(&room.path("sshd")), Sshd::start(&room.path("stranger")));
    let (url, gone) = (sshd.url(scheme, &room.path("remote")), sshd.url(scheme, &room.path("nowhere")));
    let text = |client: std::path::PathBuf| client.display().to_string();
    let (client, stranger) = (text(sshd.client()), text(stranger.client()));
    let mut peer = Peer::new("", Access::Sshd(sshd), url);
    peer.environment = vec![("CASYNC_SSH_PATH".into(), client), ("CASYNC_REMOTE_PATH".into(), remote.into())];
    peer.refuses("another's key", "the session ended (exit status: 255)", |to| {
        to.environment[0].1 = stranger
    });
    peer.refuses("no such directory", "", |to| to.store = gone);
    peer
}

/// nginx over the directory `www`.
fn nginx(room: &Room, site: &Site) -> Nginx {
    for directory in ["www", "scratch", "www/store"] {
        room.create_dir(directory);
    }
    fs::set_permissions(room.path("www/store"), fs::Permissions::from_mode(0o777)).unwrap();
    Nginx::start(&room.path("www"), &room.path("scratch"), site)
}

fn needs(programs: &[&str]) {
    assert!(have(programs), "see what is missing above");
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
