//! Building for machines by name: `cargo xtask board NAME`.
//!
//! A board without Linux gets firmware, built and tried out by `hil-tests`.
//!
//! Static Linux programs are built here. They use the machine's cross compilers for the C parts and are made small by
//! the profile `board` and the feature set of the same name.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use desync_hil_tests::{BOARDS, Board, Emulator, Firmware, Sizes};

use crate::shell::{cargo, has, is_ci, program, run, workspace_root};
use crate::{c_programs, checks, other_systems};

/// A machine with Linux that gets one static program.
pub(crate) struct LinuxBoard {
    /// What it is called here.
    pub(crate) name: &'static str,
    /// What Rust calls it.
    pub(crate) target: &'static str,
    /// What compiles the C parts.
    compiler: &'static str,
    /// What links.
    linker: &'static str,
    /// For rustc, besides [`RUST_FLAGS`].
    flags: &'static str,
    /// What runs its programs here.
    pub(crate) emulator: &'static str,
}

/// One file without relocations; a panic ends the program, so nothing unwinds.
const RUST_FLAGS: &str = "-C target-feature=+crt-static -C relocation-model=static -C force-unwind-tables=no";

/// libzstd's own switches for small code; they change no byte that it writes.
const C_FLAGS: &str = "-fno-asynchronous-unwind-tables -fno-unwind-tables -ffunction-sections -fdata-sections \
    -DHUF_FORCE_DECOMPRESS_X1=1 -DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT=1 -DZSTD_NO_INLINE=1";

/// The feature flags in the header of an index.
const FLAGS: Range<usize> = 16..24;

/// All of them.
pub(crate) const LINUX_BOARDS: [LinuxBoard; 2] = [
    LinuxBoard {
        name: "armv7",
        target: "armv7-unknown-linux-gnueabihf",
        compiler: "arm-linux-gnueabihf-gcc",
        linker: "arm-linux-gnueabihf-gcc",
        // No instructions for SHA to fall back from: the small code is what there is room for. Thumb code is a
        // seventh shorter, and every ARMv7 has it; rustc calls that switch unstable each time, hence no warnings.
        flags: "--cfg sha2_backend=\"soft\" --cfg sha2_backend_soft=\"compact\" --cfg aes_backend_soft=\"compact\" \
            -C target-feature=+thumb-mode -A warnings",
        emulator: "qemu-arm-static",
    },
    LinuxBoard {
        name: "aarch64",
        target: "aarch64-unknown-linux-musl",
        compiler: "aarch64-linux-gnu-gcc",
        linker: "rust-lld",
        // The processor's own instructions for SHA and AES are used where it has them; what stands in for them is
        // small. Its linker can leave out the tables of the unwinder that the standard library brings, and keep
        // one of functions that are the same; nothing of ours compares their addresses.
        flags: "--cfg sha2_backend_soft=\"compact\" --cfg aes_backend_soft=\"compact\" --cfg chacha20_backend=\"soft\" \
            -C link-self-contained=yes -C link-arg=--no-eh-frame-hdr -C link-arg=--icf=all -C link-arg=-O2 \
            -C link-arg=-Ttools/xtask/no-unwinding.ld",
        emulator: "qemu-aarch64-static",
    },
];

/// Builds for a machine, tries the result out, and says where it is.
pub(crate) fn build(name: &str) -> anyhow::Result<()> {
    match name {
        "c-library" => return c_programs::library(),
        "c-example" => return c_programs::example(),
        "windows" => return other_systems::windows(),
        _ => {}
    }
    if let Some(board) = BOARDS.iter().find(|board| board.name == name) {
        return firmware(*board);
    }
    let board = find(name)?;
    let built = board.build()?;
    let len = built.metadata().with_context(|| built.display().to_string())?.len();
    if has(board.emulator) || is_ci() {
        board.try_out(&built)?;
    } else {
        eprintln!("not tried out: {} is missing; `cargo xtask setup` installs it", board.emulator);
    }
    println!("{} ({len} bytes)", built.display());
    Ok(())
}

/// Builds the programs of a board without Linux, and updates it under the emulator from a real store.
fn firmware(board: Board) -> anyhow::Result<()> {
    if Emulator::find().is_some() || is_ci() {
        checks::hil(&format!("{}_updates", board.name.replace('-', "_")))?;
    } else {
        eprintln!("not tried out: QEMU is missing; `cargo xtask setup` installs it");
    }
    for program in board.programs {
        let built = Firmware::build(board, *program)?;
        let Sizes { flash, ram } = built.sizes()?;
        println!("{} ({flash} bytes of flash, {ram} of RAM)", built.elf.display());
    }
    Ok(())
}

/// What `extract` onto a file may take on a board, in bytes.
const EXTRACT_MEMORY_MAX: u64 = 24_000_000;

/// Bytes of a blob to try a program with: far more than `extract` may take would be slow to make.
const BLOB_LEN: usize = 12 << 20;

/// The program itself, then noise, which no two chunks have in common.
pub(crate) fn blob(built: &[u8]) -> Vec<u8> {
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        // xorshift64, G. Marsaglia 2003.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    built.iter().copied().chain(noise.flatten()).take(BLOB_LEN).collect()
}

/// An empty folder with an empty store in it, to try a machine's program in.
pub(crate) fn round_trip_room(name: &str) -> anyhow::Result<PathBuf> {
    let room = workspace_root().join("target/boards/round-trip").join(name);
    if room.exists() {
        fs::remove_dir_all(&room)?;
    }
    fs::create_dir_all(room.join("store"))?;
    Ok(room)
}

fn find(name: &str) -> anyhow::Result<&'static LinuxBoard> {
    let known = || {
        let names = LINUX_BOARDS.iter().map(|board| board.name).chain(BOARDS.iter().map(|board| board.name));
        names.collect::<Vec<_>>().join(", ") + ", c-library, c-example, windows"
    };
    let found = LINUX_BOARDS.iter().find(|board| board.name == name);
    found.with_context(|| format!("no board {name:?}; there are {}", known()))
}

impl LinuxBoard {
    /// Builds the program; gives its path.
    pub(crate) fn build(&self) -> anyhow::Result<PathBuf> {
        let mut command = cargo(&["build", "--quiet", "--package", "desync", "--profile", "board"]);
        command.args(["--no-default-features", "--features", "board", "--target", self.target]);
        // Products of their own folder: other flags would build everything anew each time.
        let folder = workspace_root().join("target/boards");
        run(self.tools(&mut command).env("CARGO_TARGET_DIR", &folder))?;
        Ok(folder.join(self.target).join("board/desync"))
    }

    /// Makes and extracts a blob under the emulator, and holds `extract` to its memory.
    fn try_out(&self, built: &Path) -> anyhow::Result<()> {
        let room = round_trip_room(self.name)?;
        let desync = |arguments: &[&str]| {
            run(program(self.emulator, &[]).arg(built).args(arguments).current_dir(&room))
        };
        let blob = blob(&fs::read(built)?);
        fs::write(room.join("blob"), &blob)?;
        desync(&["make", "-s", "store", "blob.caibx", "blob"])?;
        desync(&["make", "--digest", "sha256", "-s", "store", "sha256.caibx", "blob"])?;
        self.compare_with_casync(&room)?;
        // What the emulator takes for a program that does nothing is not the program's.
        let floor = self.peak(&room, built, &["--version"])?;
        let taken = self.peak(&room, built, &["extract", "-s", "store", "blob.caibx", "out"])? - floor;
        desync(&["verify", "-s", "store"])?;
        if fs::read(room.join("out"))? != blob {
            bail!("{}: what was extracted is not what was made", self.name);
        }
        if taken > EXTRACT_MEMORY_MAX {
            bail!("{}: extract took {taken} bytes of memory, more than {EXTRACT_MEMORY_MAX}", self.name);
        }
        eprintln!("{}: extract took {taken} bytes of memory of {EXTRACT_MEMORY_MAX}", self.name);
        Ok(())
    }

    /// Cuts and digests by this machine's instructions are those of another program: else a wrong digest would agree
    /// with itself.
    fn compare_with_casync(&self, room: &Path) -> anyhow::Result<()> {
        if !has("casync") && !is_ci() {
            eprintln!("SKIPPED: {}: comparison with casync, which is missing", self.name);
            return Ok(());
        }
        for (digest, index) in [("sha512-256", "blob.caibx"), ("sha256", "sha256.caibx")] {
            let digest = format!("--digest={digest}");
            let mut make = program("casync", &["make", &digest, "--store=theirs", "theirs.caibx", "blob"]);
            run(make.current_dir(room).stdout(Stdio::null()))?;
            // Which features a tree was stored with says nothing of a blob, and is the only difference.
            let [ours, theirs] = [index, "theirs.caibx"].map(|index| fs::read(room.join(index)));
            let without_flags = |index: &[u8]| [&index[..FLAGS.start], &index[FLAGS.end..]].concat();
            if without_flags(&ours?) != without_flags(&theirs?) {
                bail!("{}: {index} differs from what casync makes", self.name);
            }
        }
        Ok(())
    }

    /// The most memory that the emulator and the program in it held at once, in bytes.
    fn peak(&self, room: &Path, built: &Path, arguments: &[&str]) -> anyhow::Result<u64> {
        let mut command = program("time", &["--quiet", "--format", "%M", "--output", "peak", self.emulator]);
        // What a program says of itself is not wanted here.
        command.arg(built).args(arguments).current_dir(room).stdout(Stdio::null());
        run(&mut command)?;
        let kib = fs::read_to_string(room.join("peak"))?;
        let kib: u64 = kib.trim().parse().with_context(|| format!("time says {kib:?}"))?;
        Ok(kib << 10)
    }

    /// Tells cargo and the scripts that it runs which tools to use.
    fn tools<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let lower = self.target.replace('-', "_");
        let upper = lower.to_uppercase();
        command
            .env(format!("CARGO_TARGET_{upper}_LINKER"), self.linker)
            .env(format!("CARGO_TARGET_{upper}_RUSTFLAGS"), format!("{RUST_FLAGS} {}", self.flags))
            .env(format!("CC_{lower}"), self.compiler)
            .env(format!("CFLAGS_{lower}"), C_FLAGS)
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
    }
}
