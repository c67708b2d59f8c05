//! A real ssh server that lets in whoever runs the test, and the `ssh` that finds it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Server;

/// Where Debian keeps it: it wants to be called by its whole path.
const PROGRAM: &str = "/usr/sbin/sshd";

/// sshd, running until dropped.
pub struct Sshd {
    /// The process.
    pub server: Server,
    directory: PathBuf,
}

impl Sshd {
    /// What a test must [`super::have`].
    pub const PROGRAMS: [&'static str; 3] = [PROGRAM, "ssh", "ssh-keygen"];

    /// Starts one; `directory` is for its keys and files.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(directory: &Path) -> Self {
        for key in ["host", "user"] {
            let path = directory.join(key);
            let made =
                Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
            assert!(made.expect("ssh-keygen runs").success());
        }
        fs::copy(directory.join("user.pub"), directory.join("authorized_keys")).expect("ssh-keygen made it");
        // Its unprivileged half wants this directory when it is started by root.
        let _ = fs::create_dir("/run/sshd");
        let directory = directory.to_owned();
        let kept = directory.clone();
        let server = Server::start(None, move |port| {
            fs::write(kept.join("sshd_config"), sshd_config(&kept, port)).expect("a directory");
            let mut command = Command::new(PROGRAM);
            command.args(["-D", "-e", "-f"]).arg(kept.join("sshd_config"));
            command
        });
        let sshd = Self { server, directory };
        sshd.write_client();
        sshd
    }

    /// The URL of a path of this machine, which goes over the server.
    #[must_use]
    pub fn url(&self, scheme: &str, path: &Path) -> String {
        format!("{scheme}://127.0.0.1:{}{}", self.server.port(), path.display())
    }

    /// An `ssh` that knows the server's port and the key; for `CASYNC_SSH_PATH`. Each start adds a line to the file
    /// `sessions` beside it.
    #[must_use]
    pub fn client(&self) -> PathBuf {
        self.directory.join("ssh")
    }

    /// How many sessions were opened so far.
    #[must_use]
    pub fn sessions(&self) -> usize {
        fs::read_to_string(self.directory.join("sessions")).map_or(0, |log| log.lines().count())
    }

    fn write_client(&self) {
        let (here, port) = (self.directory.display(), self.server.port());
        let config = format!(
            "Port {port}\nIdentityFile {here}/user\nIdentitiesOnly yes\nUserKnownHostsFile {here}/known_hosts\n\
             StrictHostKeyChecking accept-new\nBatchMode yes\nLogLevel ERROR\n"
        );
        let script =
            format!("#!/bin/sh\necho \"$$\" >> {here}/sessions\nexec ssh -F {here}/ssh_config \"$@\"\n");
        fs::write(self.directory.join("ssh_config"), config).expect("a directory");
        fs::write(self.client(), script).expect("a directory");
        fs::set_permissions(self.client(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
}

/// Sessions get a home of their own: what the user's shell says when it starts is nothing that a test expects.
fn sshd_config(directory: &Path, port: u16) -> String {
    let here = directory.display();
    format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {here}/host\nPidFile {here}/pid\n\
         AuthorizedKeysFile {here}/authorized_keys\nStrictModes no\nPasswordAuthentication no\nUsePAM no\n\
         PermitRootLogin prohibit-password\nMaxStartups 100\nSubsystem sftp internal-sftp\nSetEnv HOME={here}\n"
    )
}
