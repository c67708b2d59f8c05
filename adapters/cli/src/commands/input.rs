//! What `make` and `chunk` cut: a file, a block device, or stdin.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, bail};
use desync_engine::FileInput;
use desync_files::HostDisk;

use crate::settings::UsageError;

/// Opens a file, a block device, a FIFO, or stdin (`-`).
pub(super) fn open(name: &OsStr) -> anyhow::Result<FileInput> {
    let path = Path::new(name);
    if name == "-" {
        return Ok(FileInput::from_reader(Box::new(io::stdin()), path));
    }
    Ok(FileInput::open(&HostDisk, path)?)
}

/// Opens the same from byte `start` on.
pub(super) fn open_at(name: &OsStr, start: u64) -> anyhow::Result<FileInput> {
    if start == 0 {
        return open(name);
    }
    if name == "-" {
        return Err(UsageError::new("stdin cannot be read from a start other than 0").into());
    }
    let seek = || -> io::Result<(File, u64)> {
        let mut file = File::open(name)?;
        let len = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(start))?;
        Ok((file, len))
    };
    let (file, len) = seek().with_context(|| name.display().to_string())?;
    if start > len {
        bail!("{}: start {start} is beyond the end at {len}", name.display());
    }
    Ok(FileInput::from_reader(Box::new(file), Path::new(name)))
}
