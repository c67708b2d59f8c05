//! A real registry: Docker's, which deletes and may ask for a password.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Server, free_port};

/// docker-registry, running until dropped.
#[derive(Debug)]
pub struct Registry {
    server: Server,
    scheme: &'static str,
    port: u16,
    config: PathBuf,
}

impl Registry {
    /// What a test must [`super::have`].
    pub const PROGRAMS: [&'static str; 2] = ["docker-registry", "htpasswd"];

    /// Starts one that keeps everything below `directory`, for anybody or for a user with a password, with a
    /// certificate and its key or without TLS.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(directory: &Path, login: Option<(&str, &str)>, tls: Option<(&str, &str)>) -> Self {
        let config = directory.join("registry.yml");
        for _ in 0..10 {
            let port = free_port();
            let mut text = format!(
                "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
                 storage: {{filesystem: {{rootdirectory: {}/objects}}, delete: {{enabled: true}}}}\n",
                directory.display()
            );
            let tls_text = tls.map_or_else(String::new, |(certificate, key)| {
                format!(", tls: {{certificate: {certificate}, key: {key}}}")
            });
            let _ = writeln!(text, "http: {{addr: 127.0.0.1:{port}{tls_text}}}");
            if let Some((user, password)) = login {
                let list = directory.join("htpasswd");
                let made =
                    Command::new("htpasswd").args(["-Bbn", user, password]).output().expect("htpasswd runs");
                fs::write(&list, made.stdout).expect("a directory that can be written");
                let _ = writeln!(text, "auth: {{htpasswd: {{realm: chunks, path: {}}}}}", list.display());
            }
            fs::write(&config, text).expect("a directory that can be written");
            if let Some(server) = Server::start(&mut command(&config), port) {
                let scheme = if tls.is_some() { "https" } else { "http" };
                return Self { server, scheme, port, config };
            }
        }
        panic!("docker-registry does not start");
    }

    /// The location of a repository. TLS is for the name `localhost`.
    #[must_use]
    pub fn url(&self, repository: &str) -> String {
        format!("oci+{}://{}/{repository}", self.scheme, self.host())
    }

    /// Its host and port.
    #[must_use]
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again where it was.
    ///
    /// # Panics
    /// If somebody took its port meanwhile.
    pub fn restart(&mut self) {
        self.server = Server::start(&mut command(&self.config), self.port).expect("the port is still free");
    }
}

fn command(config: &Path) -> Command {
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
    command
}
