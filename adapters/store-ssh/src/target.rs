//! Where to log in and which path is meant: `ssh://` and `sftp://` locations, and the commands they become.

use std::ffi::OsString;
use std::process::Command;

use desync_store::unescaped;

/// A path on a machine that is reached by ssh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshTarget {
    /// `[user@]host`, an IPv6 address without brackets.
    login: String,
    port: Option<u16>,
    path: String,
}

/// The programs that are run.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Logs in: `ssh`, or what `CASYNC_SSH_PATH` names.
    pub ssh: OsString,
    /// Serves chunks over there: `casync`, or what `CASYNC_REMOTE_PATH` names. Words for a shell.
    pub remote: String,
}

impl Programs {
    /// As the environment says.
    #[must_use]
    pub fn from_environment() -> Self {
        let given = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            ssh: given("CASYNC_SSH_PATH").unwrap_or_else(|| "ssh".into()),
            remote: given("CASYNC_REMOTE_PATH")
                .map_or_else(|| "casync".into(), |value| value.to_string_lossy().into_owned()),
        }
    }
}

/// Why a location is no place to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidTarget(&'static str);

impl SshTarget {
    /// Takes `scheme://[user[:password]@]host[:port]/path` apart. A password is nothing that ssh would take.
    ///
    /// # Errors
    /// No host, a host that ssh would take for an option, or a port that is none.
    pub fn parse(location: &str) -> Result<Self, InvalidTarget> {
        let (_, rest) = location.split_once("://").ok_or(InvalidTarget("not a URL"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (user.split(':').next().filter(|user| !user.is_empty()), host),
            None => (None, authority),
        };
        let (host, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => (address, rest.strip_prefix(':')),
            None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
        };
        let port = port.filter(|port| !port.is_empty()).map(str::parse).transpose();
        let port = port.map_err(|_| InvalidTarget("the port is no number"))?;
        let login = user.map_or_else(|| host.to_owned(), |user| format!("{}@{host}", unescaped(user)));
        if host.is_empty() {
            return Err(InvalidTarget("no host"));
        }
        if login.starts_with('-') || login.contains(char::is_whitespace) || login.contains(char::is_control) {
            return Err(InvalidTarget("no valid host"));
        }
        Ok(Self { login, port, path: unescaped(path) })
    }

    /// The path over there.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same machine, and of the path what stands before its last element; and that element.
    ///
    /// # Errors
    /// If there is none.
    pub fn split_name(&self) -> Result<(Self, String), InvalidTarget> {
        let (directory, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        if matches!(name, "" | "." | "..") {
            return Err(InvalidTarget("no name in the location"));
        }
        Ok((Self { path: format!("{directory}/"), ..self.clone() }, name.to_owned()))
    }

    /// Serves the chunks of the path on stdin and stdout.
    pub(crate) fn pull_command(&self, programs: &Programs) -> Command {
        let mut command = self.command(programs, &[]);
        command.arg(format!("{} pull - - - {}", programs.remote, quoted(&self.path)));
        command
    }

    /// Serves SFTP on stdin and stdout.
    pub(crate) fn sftp_command(&self, programs: &Programs) -> Command {
        let mut command = self.command(programs, &["-s"]);
        command.arg("sftp");
        command
    }

    fn command(&self, programs: &Programs, options: &[&str]) -> Command {
        let mut command = Command::new(&programs.ssh);
        command.args(options);
        if let Some(port) = self.port {
            command.args(["-p", &port.to_string()]);
        }
        command.args(["--", &self.login]);
        command
    }
}

/// As one word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> Vec<String> {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    fn programs() -> Programs {
        Programs { ssh: "ssh".into(), remote: "casync".into() }
    }

    #[test]
    fn defect_34_ports_passwords_and_addresses_reach_ssh() {
        for (location, expected) in [
            ("ssh://host/srv", &["ssh", "--", "host", "casync pull - - - '/srv'"][..]),
            (
                "ssh://me:hunter2@host:2222/a'b",
                &["ssh", "-p", "2222", "--", "me@host", r"casync pull - - - '/a'\''b'"],
            ),
            ("ssh://me@[fd00::1]:22/s", &["ssh", "-p", "22", "--", "me@fd00::1", "casync pull - - - '/s'"]),
            ("ssh://[::1]/100%25%20%", &["ssh", "--", "::1", "casync pull - - - '/100% %'"]),
        ] {
            let target = SshTarget::parse(location).unwrap();
            assert_eq!(words(&target.pull_command(&programs())), expected, "{location}");
        }
        let sftp = SshTarget::parse("sftp://host:1/x").unwrap().sftp_command(&programs());
        assert_eq!(words(&sftp), ["ssh", "-s", "-p", "1", "--", "host", "sftp"]);
    }

    #[test]
    fn what_ssh_would_take_for_an_option_is_refused() {
        for location in
            ["ssh://-oProxyCommand=x/s", "ssh:///s", "ssh://h:port/s", "ssh://h h/s", "ssh://@/s", "h"]
        {
            assert!(SshTarget::parse(location).is_err(), "{location}");
        }
    }

    #[test]
    fn the_last_element_is_the_name() {
        let (directory, name) = SshTarget::parse("sftp://h/a/b/x.caibx").unwrap().split_name().unwrap();
        assert_eq!((directory.path(), name.as_str()), ("/a/b/", "x.caibx"));
        for none in ["sftp://h/", "sftp://h/a/", "sftp://h", "sftp://h/.."] {
            assert!(SshTarget::parse(none).unwrap().split_name().is_err(), "{none}");
        }
    }
}
