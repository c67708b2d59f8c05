//! Systems other than Linux: the program is checked for each, with the features that make sense there. For
//! Windows it can also be linked and tried under Wine.
//!
//! Checking compiles no C: a stand-in makes empty objects of it, so neither headers nor compilers of these systems
//! are needed.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};

use crate::boards;
use crate::shell::{cargo, has, program, run, workspace_root};

/// Targets, each with the features of `desync` there.
pub(crate) const SYSTEMS: [(&str, &str); 3] =
    [(WINDOWS, "windows"), ("aarch64-apple-darwin", "unix"), ("x86_64-unknown-freebsd", "unix")];

const WINDOWS: &str = "x86_64-pc-windows-gnu";

/// Passes for a gcc, and makes an empty file of anything.
const STAND_IN: &str = r#"#!/bin/sh
case $1 in -E | '-?') exec gcc "$@" ;; esac
while [ $# -gt 0 ]; do
  case $1 in -o) : > "$2" ;; esac
  shift
done
"#;

/// Checks the program for each system.
pub(crate) fn check() -> anyhow::Result<()> {
    let stand_in = stand_in()?;
    for (target, features) in SYSTEMS {
        let mut command = cargo(&["check", "-p", "desync", "--no-default-features"]);
        command.args(["--features", features, "--target", target]);
        let key = target.replace('-', "_");
        command.env(format!("CC_{key}"), &stand_in).env(format!("AR_{key}"), "ar");
        // Else a program of Apple's is asked where it is.
        command.env("SDKROOT", "/");
        run(&mut command)?;
    }
    Ok(())
}

fn stand_in() -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = workspace_root().join("target/tools/no-compiler");
    fs::create_dir_all(workspace_root().join("target/tools"))?;
    fs::write(&path, STAND_IN)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Wine 8, which is Debian's, lacks the library that Rust asks for random numbers. This stands in for it, beside the
/// program.
const RANDOM_NUMBERS: &str = r"#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE place, SIZE_T len) {
    return SystemFunction036(place, (ULONG)len);
}
";

/// How long a server may take to start under Wine.
const START: Duration = Duration::from_secs(60);

/// Links the program for Windows, tries it under Wine if that is there, and says where it is.
pub(crate) fn windows() -> anyhow::Result<()> {
    let mut command = cargo(&["build", "--quiet", "--package", "desync", "--profile", "release"]);
    command.args(["--no-default-features", "--features", "windows", "--target", WINDOWS]);
    let folder = workspace_root().join("target/boards");
    run(command.env("CARGO_TARGET_DIR", &folder))
        .context("needs gcc-mingw-w64-x86-64, and the Rust target that `cargo xtask setup` installs")?;
    let built = folder.join(WINDOWS).join("release/desync.exe");
    if has("wine") {
        try_out(&built)?;
    } else {
        eprintln!("not tried out: wine is missing");
    }
    println!("{} ({} bytes)", built.display(), built.metadata()?.len());
    Ok(())
}

/// Makes, verifies and extracts a blob, from the store itself and over its chunk server.
fn try_out(built: &Path) -> anyhow::Result<()> {
    let room = boards::round_trip_room("windows")?;
    let built = &beside_random_numbers(built, &room)?;
    let blob = boards::blob(&fs::read(built)?);
    fs::write(room.join("blob"), &blob)?;
    let desync = |arguments: &[&str]| {
        let mut command = program("wine", &[]);
        command.arg(built).args(arguments).current_dir(&room);
        command.env("WINEPREFIX", workspace_root().join("target/wine")).env("WINEDEBUG", "-all");
        command
    };
    run(&mut desync(&["make", "-s", "store", "blob.caibx", "blob"]))?;
    run(&mut desync(&["make", "-s", "store", "blob.caibx", "blob"]))?;
    run(&mut desync(&["verify-index", "blob.caibx", "blob"]))?;
    run(&mut desync(&["verify", "-s", "store"]))?;
    let extracts_from = |store: &str| {
        run(&mut desync(&["extract", "-s", store, "blob.caibx", "out"]))?;
        ensure!(fs::read(room.join("out"))? == blob, "from {store} another blob was extracted than was made");
        anyhow::Ok(fs::remove_file(room.join("out"))?)
    };
    extracts_from("store")?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = format!("127.0.0.1:{port}");
    let served = while_serving(desync(&["chunk-server", "-l", &address, "-s", "store"]), port, || {
        extracts_from(&format!("http://{address}/"))
    });
    served.context("chunk-server")
}

/// A copy of the program where Wine finds random numbers for it.
fn beside_random_numbers(built: &Path, room: &Path) -> anyhow::Result<PathBuf> {
    let copy = room.join("desync.exe");
    fs::copy(built, &copy)?;
    fs::write(room.join("random.c"), RANDOM_NUMBERS)?;
    let words = ["-shared", "-o", "bcryptprimitives.dll", "random.c", "-ladvapi32"];
    run(program("x86_64-w64-mingw32-gcc", &words).current_dir(room))?;
    Ok(copy)
}

/// Runs something while a server listens on a port.
fn while_serving(
    mut server: Command,
    port: u16,
    then: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut server = server.spawn()?;
    let deadline = Instant::now() + START;
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    let done = loop {
        if listens() {
            break then();
        }
        if server.try_wait()?.is_some() || Instant::now() > deadline {
            break Err(anyhow!("does not start"));
        }
        thread::sleep(Duration::from_millis(100));
    };
    server.kill()?;
    server.wait()?;
    done
}
