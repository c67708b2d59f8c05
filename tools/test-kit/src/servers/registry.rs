//! A real registry: Docker's, which deletes and may ask for a password.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::Server;

/// docker-registry, running until dropped.
pub struct Registry {
    /// The process.
    pub server: Server,
    scheme: &'static str,
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
        let mut text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}/objects}}, delete: {{enabled: true}}}}\n",
            directory.display()
        );
        if let Some((user, password)) = login {
            let list = directory.join("htpasswd");
            let made =
                Command::new("htpasswd").args(["-Bbn", user, password]).output().expect("htpasswd runs");
            fs::write(&list, made.stdout).expect("a directory that can be written");
            let _ = writeln!(text, "auth: {{htpasswd: {{realm: chunks, path: {}}}}}", list.display());
        }
        let tls_text = tls.map_or_else(String::new, |(certificate, key)| {
            format!(", tls: {{certificate: {certificate}, key: {key}}}")
        });
        let config = directory.join("registry.yml");
        let server = Server::start(None, move |port| {
            let text = format!("{text}http: {{addr: 127.0.0.1:{port}{tls_text}}}\n");
            fs::write(&config, text).expect("a directory that can be written");
            let mut command = Command::new("docker-registry");
            command.arg("serve").arg(&config);
            command
        });
        Self { server, scheme: if tls.is_some() { "https" } else { "http" } }
    }

    /// The location of a repository. TLS is for the name `localhost`.
    #[must_use]
    pub fn url(&self, repository: &str) -> String {
        format!("oci+{}://{}/{repository}", self.scheme, self.host())
    }

    /// Its host and port.
    #[must_use]
    pub fn host(&self) -> String {
        format!("localhost:{}", self.server.port())
    }
}
