//! A real web server over a directory.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::Server;

/// What a server does besides giving its files to anybody.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Lines for nginx's `server` block.
    directives: String,
    is_tls: bool,
}

impl Site {
    /// Files for anybody, read only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes PUT, which makes directories as needed.
    #[must_use]
    pub fn writable(self) -> Self {
        self.with("dav_methods PUT DELETE; create_full_put_path on; client_max_body_size 64m;")
    }

    /// Asks for a user and a password.
    #[must_use]
    pub fn for_user(self, user: &str, password: &str, scratch: &Path) -> Self {
        let list = scratch.join("passwords");
        std::fs::write(&list, format!("{user}:{{PLAIN}}{password}\n"))
            .expect("a directory that can be written");
        self.with(&format!("auth_basic store; auth_basic_user_file {};", list.display()))
    }

    /// Speaks TLS with this certificate and key.
    #[must_use]
    pub fn with_tls(self, certificate: &str, key: &str) -> Self {
        let site = self.with(&format!("ssl_certificate {certificate}; ssl_certificate_key {key};"));
        Self { is_tls: true, ..site }
    }

    /// Demands a certificate by this authority.
    #[must_use]
    pub fn for_clients_of(self, authority: &str) -> Self {
        self.with(&format!("ssl_client_certificate {authority}; ssl_verify_client on;"))
    }

    /// Anything else that nginx can do.
    #[must_use]
    pub fn with(mut self, directives: &str) -> Self {
        let _ = writeln!(self.directives, "{directives}");
        self
    }
}

/// nginx, running until dropped.
pub struct Nginx {
    /// The process.
    pub server: Server,
    scheme: &'static str,
}

impl Nginx {
    /// Serves the directory `root`; `scratch` is for its own files.
    ///
    /// # Panics
    /// If it does not start: its complaint is in `error.log` in `scratch`.
    #[must_use]
    pub fn start(root: &Path, scratch: &Path, site: &Site) -> Self {
        let (root, prefix, its) = (root.to_owned(), scratch.to_owned(), site.clone());
        let server = Server::start(Some(&scratch.join("error.log")), move |port| {
            std::fs::write(prefix.join("nginx.conf"), config(&root, &prefix, &its, port))
                .expect("a directory that can be written");
            let mut command = Command::new("nginx");
            command.arg("-p").arg(&prefix).args(["-e", "error.log", "-c", "nginx.conf"]);
            command
        });
        Self { server, scheme: if site.is_tls { "https" } else { "http" } }
    }

    /// Where its files are. TLS is for the name `localhost`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}/{path}", self.scheme, self.port())
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.server.port()
    }
}

fn config(root: &Path, scratch: &Path, site: &Site, port: u16) -> String {
    // One process in the foreground: whoever ends it has ended all of it.
    let ssl = if site.is_tls { " ssl" } else { "" };
    let mut temporary = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(temporary, "{kind}_temp_path {}/{kind};", scratch.display());
    }
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log warn;\n\
         events {{ worker_connections 512; }}\n\
         http {{ access_log access.log; {temporary}\n\
         server {{ listen 127.0.0.1:{port}{ssl}; root {}; {}\n }} }}\n",
        root.display(),
        site.directives
    )
}
