//! Building the firmware of a board, in the workspace of `targets/`, and looking into what was built.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use object::elf::PT_LOAD;
use object::read::elf::{ElfFile32, ProgramHeader as _};
use object::{Endianness, Object as _, ObjectSection as _, SectionFlags, SectionKind};

use crate::{Board, Program};

/// A program for a board.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// The board.
    pub board: Board,
    /// The ELF file, with debug information and defmt's strings.
    pub elf: PathBuf,
}

/// What a program takes on the board, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Code, constants and initial values.
    pub flash: u64,
    /// Variables, and the heap, which is one of them; without the stack.
    pub ram: u64,
}

impl Firmware {
    /// Builds a program, in release, with its products below the host's `target/`.
    ///
    /// # Errors
    /// When cargo fails; its own messages are on standard error.
    pub fn build(board: Board, program: Program) -> anyhow::Result<Self> {
        Self::build_version(board, program, 1)
    }

    /// Builds a version of a program that has versions.
    ///
    /// # Errors
    /// As [`Firmware::build`].
    pub fn build_version(board: Board, program: Program, version: u32) -> anyhow::Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("this crate lies in the workspace")?;
        let products = root.join("target/firmware");
        // One at a time: all versions of a program have one path in cargo's folder.
        fs::create_dir_all(&products)?;
        let lock = fs::File::create(products.join("versions.lock"))?;
        lock.lock().context("cannot lock the folder of firmware")?;
        let binary = board.binary(program);
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--release", "--package", board.name, "--bin", &binary]);
        cargo.args(["--target", board.target]);
        cargo.current_dir(root.join("targets")).env("CARGO_TARGET_DIR", &products);
        cargo.env("FIRMWARE_VERSION", version.to_string());
        // Flags for the host would take the place of the board's own.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        let status = cargo.status().context("cannot start cargo")?;
        if !status.success() {
            bail!("firmware of {} does not build: {status}", board.name);
        }
        let built = products.join(board.target).join("release").join(&binary);
        let elf = products.join(format!("{binary}-{version}.elf"));
        fs::copy(&built, &elf).with_context(|| format!("cannot copy {}", built.display()))?;
        Ok(Self { board, elf })
    }

    /// The bytes of the program as they lie in flash, from its first address on.
    ///
    /// # Errors
    /// When the file is not a program.
    pub fn image(&self) -> anyhow::Result<Vec<u8>> {
        let bytes = self.read()?;
        let elf: ElfFile32<'_, Endianness> = ElfFile32::parse(&*bytes)?;
        let endian = elf.endian();
        let loaded = elf
            .elf_program_headers()
            .iter()
            .filter(|part| part.p_type(endian) == PT_LOAD && part.p_filesz(endian) > 0);
        let mut parts = Vec::new();
        for part in loaded {
            let data = part.data(endian, &*bytes).ok().context("a segment beyond the file")?;
            parts.push((part.p_paddr(endian), data));
        }
        let start = parts.iter().map(|(at, _)| *at).min().context("a program without segments")?;
        let mut image = Vec::new();
        for (at, data) in parts {
            let at = (at - start) as usize; // of a few hundred KiB
            image.resize(image.len().max(at + data.len()), 0xff);
            image[at..at + data.len()].copy_from_slice(data);
        }
        Ok(image)
    }

    /// What the program takes.
    ///
    /// # Errors
    /// When the file is not a program.
    pub fn sizes(&self) -> anyhow::Result<Sizes> {
        let bytes = self.read()?;
        let elf: ElfFile32<'_, Endianness> = ElfFile32::parse(&*bytes)?;
        let (mut sizes, mut stacks) = (Sizes { flash: 0, ram: 0 }, 0);
        for section in elf.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
            let is_loaded = sh_flags & u64::from(object::elf::SHF_ALLOC) != 0;
            let is_writable = sh_flags & u64::from(object::elf::SHF_WRITE) != 0;
            let is_empty = section.kind() == SectionKind::UninitializedData;
            if section.name() == Ok(".stack") {
                stacks += section.size(); // all the RAM that is left, in RISC-V's linker script
            }
            sizes.flash += if is_loaded && !is_empty { section.size() } else { 0 };
            sizes.ram += if is_loaded && is_writable { section.size() } else { 0 };
        }
        sizes.ram -= stacks.min(sizes.ram);
        Ok(sizes)
    }

    fn read(&self) -> anyhow::Result<Vec<u8>> {
        fs::read(&self.elf).with_context(|| format!("cannot read {}", self.elf.display()))
    }
}
