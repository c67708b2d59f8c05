//! Certificates as people make them with OpenSSL, also those that strict stacks stumble over.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory of PEM files: NAME.crt and NAME.key.
///
/// `ca`; `server`, for localhost and 127.0.0.1, and `client`, both by `ca`; `client-v1`, by `ca` and of X.509
/// version 1, as `openssl x509 -req` makes without extensions; `own-ca`, self-signed, an authority and a
/// server in one, as `openssl req -x509` makes; `other-host`, by `ca`, for another name.
#[derive(Debug)]
pub struct Certificates(PathBuf);

impl Certificates {
    /// Makes them in an existing directory.
    ///
    /// # Panics
    /// Without `openssl`.
    #[must_use]
    pub fn make(directory: &Path) -> Self {
        let made = Self(directory.to_owned());
        let here = "subjectAltName=DNS:localhost,IP:127.0.0.1";
        made.self_signed("ca", &[]);
        made.self_signed("own-ca", &["-addext", here]);
        made.signed("server", Some(here));
        made.signed("client", Some("extendedKeyUsage=clientAuth"));
        made.signed("client-v1", None);
        made.signed("other-host", Some("subjectAltName=DNS:elsewhere.example"));
        made
    }

    /// The path of a file, as text.
    #[must_use]
    pub fn path(&self, file: &str) -> String {
        self.0.join(file).display().to_string()
    }

    fn self_signed(&self, name: &str, more: &[&str]) {
        let (key, crt) = (format!("{name}.key"), format!("{name}.crt"));
        let subject = format!("/CN={name}");
        let fixed =
            ["req", "-x509", "-days", "30", "-nodes", "-keyout", &key, "-out", &crt, "-subj", &subject];
        self.openssl(&[&fixed[..], &KEY, more].concat());
    }

    /// By `ca`; without an extension it is of version 1.
    fn signed(&self, name: &str, extension: Option<&str>) {
        let file = |ending: &str| format!("{name}.{ending}");
        let (key, csr, crt, ext) = (file("key"), file("csr"), file("crt"), file("ext"));
        let subject = format!("/CN={name}");
        self.openssl(
            &[&["req", "-new", "-nodes", "-keyout", &key, "-out", &csr, "-subj", &subject][..], &KEY]
                .concat(),
        );
        let mut sign = vec!["x509", "-req", "-days", "30", "-in", &csr, "-out", &crt];
        sign.extend(["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"]);
        if let Some(extension) = extension {
            std::fs::write(self.0.join(&ext), extension).expect("a directory that can be written");
            sign.extend(["-extfile", &ext]);
        }
        self.openssl(&sign);
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        let run =
            command.args(arguments).current_dir(&self.0).stdin(Stdio::null()).output().expect("openssl runs");
        assert!(run.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

/// Keys that are made fast.
const KEY: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
