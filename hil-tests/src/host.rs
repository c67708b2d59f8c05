//! The host: a store made by `desync make`, and `desync serve-link` that serves it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

/// A store with the indexes of some images.
#[derive(Debug)]
pub struct Host {
    folder: PathBuf,
    store: PathBuf,
}

/// `serve-link` at work. Dropping it ends it.
#[derive(Debug)]
pub struct Serving(Child);

/// The program: the one that the environment names in `DESYNC`, or else it is built, once.
///
/// # Panics
/// If it does not build.
#[must_use]
pub fn desync() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    Command::new(PROGRAM.get_or_init(|| {
        if let Some(program) = env::var_os("DESYNC") {
            return program.into();
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the workspace");
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--package", "desync", "--bin", "desync"]).current_dir(root);
        let status = cargo.status().expect("cargo starts");
        assert!(status.success(), "desync does not build: {status}");
        root.join("target/debug/desync")
    }))
}

impl Host {
    /// A host with an empty store, in a folder of its own.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let store = folder.join("store");
        fs::create_dir_all(&store).with_context(|| store.display().to_string())?;
        Ok(Self { folder: folder.to_owned(), store })
    }

    /// Makes an image of the device profile; `sizes` are other sizes of chunks if not empty.
    ///
    /// # Errors
    /// When `desync make` fails.
    pub fn make(&self, name: &str, image: &[u8], sizes: &str) -> anyhow::Result<PathBuf> {
        let (blob, index) = (self.folder.join(name), self.folder.join(format!("{name}.caibx")));
        fs::write(&blob, image)?;
        let mut make = desync();
        make.args(["make", "--profile", "device", "-s"]).arg(&self.store);
        if !sizes.is_empty() {
            make.args(["-m", sizes]);
        }
        let made = make.arg(&index).arg(&blob).output()?;
        ensure!(made.status.success(), "make: {}", String::from_utf8_lossy(&made.stderr));
        Ok(index)
    }

    /// Serves an index to a device: a path, or `tcp:HOST:PORT`. With `keeps`, one device after the other.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn serve(&self, index: &Path, device: &str, keeps: bool) -> anyhow::Result<Serving> {
        let mut serve = desync();
        serve.arg("serve-link").arg("-s").arg(&self.store).args(keeps.then_some("-k"));
        serve.arg(index).arg(device).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Serving(serve.spawn().context("desync serve-link")?))
    }
}

impl Serving {
    /// Its exit code, now that the board has ended well: it must have ended too, or does so at once.
    ///
    /// # Errors
    /// When it cannot be waited for, or does not end: the board has not told it to.
    pub fn end(mut self) -> anyhow::Result<Option<i32>> {
        for _ in 0..500 {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status.code());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("serve-link goes on, as if the board had not said goodbye")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
