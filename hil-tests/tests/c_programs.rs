//! Programs in C over the static library: one on the host, and firmware that updates itself over a link.
#![allow(clippy::print_stderr, reason = "a skipped test must say so")]

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use desync_codec::{Compression, Encoder};
use desync_core::chunking::{ChunkSizes, Chunker, CutRule, Kernel};
use desync_core::format::flags::FeatureFlags;
use desync_core::format::{Index, IndexHeader, IndexItem};
use desync_core::{DigestKind, Limits};
use desync_test_kit::prng;

/// Whether these programs are there; in CI they must be.
fn has(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| {
        let asked =
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        !asked.is_ok_and(|status| status.success())
    });
    if let Some(missing) = missing {
        assert!(std::env::var_os("CI").is_none(), "{missing} is missing");
        eprintln!("SKIPPED: {missing} is missing; `cargo xtask setup` installs it");
    }
    missing.is_none()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo
}

fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Builds `libdesync.a`.
fn library(target: &str) -> PathBuf {
    let products = root().join("target/firmware");
    let mut cargo = cargo(&["build", "--quiet", "--release", "--package", "c-library", "--target", target]);
    output(cargo.current_dir(root().join("targets")).env("CARGO_TARGET_DIR", &products));
    products.join(target).join("release/libdesync.a")
}

fn host_target() -> String {
    let version = output(Command::new("rustc").arg("-vV"));
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// Cuts an image, keeps its chunks in a folder as zstd frames, and gives its index.
fn publish(image: &[u8], store: &Path) -> Vec<u8> {
    let digest = DigestKind::Sha512_256;
    let sizes = ChunkSizes::new(2 << 10, 8 << 10, 32 << 10, &Limits::HOST).unwrap();
    let mut chunker = Chunker::new(&sizes, CutRule::Casync, Kernel::SCALAR);
    let mut encoder = Encoder::with(Compression::DEVICE).unwrap();
    let (mut items, mut start) = (Vec::new(), 0);
    while start < image.len() {
        let len = chunker.push(&image[start..]).unwrap_or(image.len() - start);
        let chunk = &image[start..start + len];
        let id = digest.id_of(chunk);
        let mut stored = Vec::new();
        encoder.encode(chunk, &mut stored).unwrap();
        fs::write(store.join(id.to_string()), stored).unwrap();
        start += len;
        items.push(IndexItem { end: start as u64, id });
    }
    let header = IndexHeader { flags: FeatureFlags::desync_blob(digest), sizes };
    Index { header, items }.encode_to_vec().unwrap()
}

#[test]
fn a_program_in_c_updates_a_flash_on_the_host() {
    if !has(&["gcc"]) {
        return;
    }
    let library = library(&host_target());
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let program = place("update");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/update.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-fsanitize=address,undefined", "-I"]);
    gcc.arg(root().join("adapters/ffi/include")).arg("-o").args([&program, &source, &library]);
    output(&mut gcc);

    // The program itself is machine code, as firmware is.
    let code = fs::read(&program).unwrap();
    let old = code[..code.len().min(500_000)].to_vec();
    let new = [&old[..200_000], &prng(30_000, 5), &old[210_000..]].concat();
    fs::create_dir(place("store")).unwrap();
    let index = publish(&new, &place("store"));
    for (name, bytes) in [("index", &index), ("old", &old), ("new", &new)] {
        fs::write(place(name), bytes).unwrap();
    }
    let id = DigestKind::Sha512_256.id_of(&index).to_string();
    let mut run = Command::new(&program);
    run.current_dir(&folder).args(["index", &id, "store", "old", "new"]);
    eprint!("{}", output(&mut run));
}

#[test]
fn no_symbol_needs_a_c_library() {
    if !has(&["arm-none-eabi-ld", "arm-none-eabi-readelf"]) {
        return;
    }
    let library = library("thumbv7em-none-eabihf");
    let folder = tempfile::tempdir().unwrap();
    let all = folder.path().join("all.o");
    let mut link = Command::new("arm-none-eabi-ld");
    output(link.args(["-r", "--whole-archive", "-o"]).args([&all, &library]));
    let table = output(Command::new("arm-none-eabi-readelf").arg("-sW").arg(&all));
    // Number, value, size, type, binding, visibility, section, name.
    let symbols: Vec<_> = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    let has = |name: &str| symbols.iter().any(|symbol| symbol.last() == Some(&name));
    assert!(has("desync_updater_run") && has("memcpy"), "{table}");
    let undefined = symbols.iter().find(|symbol| symbol.len() == 8 && symbol[6] == "UND");
    assert_eq!(undefined, None);
    let allocates = |symbol: &&str| symbol.contains("NoHeap") || symbol.contains("__rust_alloc");
    assert_eq!(symbols.iter().filter_map(|symbol| symbol.last()).find(|name| allocates(name)), None);
}

/// An example that is built, its flash, and its folder.
struct Device {
    folder: tempfile::TempDir,
    programs: PathBuf,
}

/// Where the first slot lies in the flash, and the second; see `targets/c-example/flash.h`.
const SLOTS: [usize; 2] = [0x10_0000, 0x20_0000];
/// Where the second slot's index lies: the first thing that an update writes.
const SECOND_INDEX: usize = 12 * 4096;

impl Device {
    /// A device as it leaves the factory: the first version in its first slot.
    fn new() -> Self {
        let programs = root().join("target/c-example");
        let mut make = Command::new("make");
        make.args(["--quiet", "-C"]).arg(root().join("targets/c-example"));
        make.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("MAKEFLAGS");
        output(&mut make);
        let device = Self { folder: tempfile::tempdir().unwrap(), programs };
        let mut flash = vec![0xff; 16 << 20];
        let image = device.image(1);
        flash[SLOTS[0]..SLOTS[0] + image.len()].copy_from_slice(&image);
        fs::write(device.place("flash.bin"), flash).unwrap();
        device
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn image(&self, version: u32) -> Vec<u8> {
        fs::read(self.programs.join(format!("image-{version}.bin"))).unwrap()
    }

    /// Starts it; its first UART is the given one of QEMU's.
    fn start(&self, serial: &str) -> Child {
        let mut qemu = Command::new("qemu-system-arm");
        qemu.args(["-M", "mps2-an386,memory-backend=flash", "-display", "none", "-monitor", "none"]);
        qemu.args(["-object", "memory-backend-file,id=flash,size=16M,mem-path=flash.bin,share=on"]);
        qemu.args(["-serial", serial, "-semihosting-config", "enable=on,target=native", "-kernel"]);
        qemu.arg(self.programs.join("bootloader.elf")).current_dir(&self.folder);
        let qemu = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        qemu.spawn().expect("QEMU starts")
    }

    /// Runs it to its end without a line; what it printed.
    fn run(&self) -> String {
        ended(self.start("null"), 0)
    }

    /// Waits until an update has written something.
    fn wait_until_written(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let flash = fs::File::open(self.place("flash.bin")).unwrap();
        let mut found = [0xff; 16];
        while found == [0xff; 16] {
            assert!(Instant::now() < deadline, "nothing is written");
            std::thread::sleep(Duration::from_millis(1));
            flash.read_exact_at(&mut found, SECOND_INDEX as u64).unwrap();
        }
    }

    /// The host's end of the line, once QEMU has opened it.
    fn serve(&self, desync: &Path) -> Child {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.place("line").exists() {
            assert!(Instant::now() < deadline, "QEMU opens no line");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut serve = Command::new(desync);
        serve.args(["serve-link", "-s", "store", "new.caibx", "line"]).current_dir(&self.folder);
        serve.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// What a program printed until it ended, which must be soon and with this exit code.
fn ended(mut child: Child, code: i32) -> String {
    let deadline = Instant::now() + Duration::from_secs(120);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    // The emulator itself says that it waits for the line.
    let text = text.lines().filter(|line| !line.starts_with("qemu-system-arm: "));
    let text: String = text.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn firmware_in_c_updates_itself_over_a_link() {
    if !has(&["make", "arm-none-eabi-gcc", "qemu-system-arm"]) {
        return;
    }
    let device = Device::new();
    output(cargo(&["build", "--quiet", "--package", "desync"]).current_dir(root()));
    let desync = root().join("target/debug/desync");
    let new = device.image(2);
    fs::write(device.place("new.bin"), &new).unwrap();
    fs::create_dir(device.place("store")).unwrap();
    let mut make = Command::new(&desync);
    make.args(["make", "--profile", "device", "-m", "1:2:8", "-s", "store", "new.caibx", "new.bin"]);
    output(make.current_dir(&device.folder));

    // Power goes while it updates: the old version starts again, and goes on where it stopped.
    let mut cut = device.start("unix:line,server=on,wait=on");
    let mut host = device.serve(&desync);
    device.wait_until_written();
    cut.kill().unwrap();
    cut.wait().unwrap();
    host.kill().unwrap();
    host.wait().unwrap();
    let _ = fs::remove_file(device.place("line"));

    let running = device.start("unix:line,server=on,wait=on");
    let host = device.serve(&desync);
    let told = ended(running, 0);
    assert!(told.starts_with("bootloader: slot 0\nimage: version 1\n"), "{told}");
    assert!(told.ends_with("image: the next one is on trial\n"), "{told}");
    ended(host, 0);
    eprint!("{told}");
    let flash = fs::read(device.place("flash.bin")).unwrap();
    assert!(flash[SLOTS[1]..SLOTS[1] + new.len()] == new, "the second slot holds the second version");

    assert_eq!(device.run(), "bootloader: slot 1\nimage: version 2\nimage: confirmed\n");
    // Confirmed, it stays. Without a line there is nobody to offer anything.
    let told = ended(device.start("null"), 1);
    assert!(told.starts_with("bootloader: slot 1\nimage: version 2\noffer: SILENT\n"), "{told}");
}
