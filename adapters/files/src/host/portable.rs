//! The same questions as `linux`, answered by systems without those calls: honestly, with "no".

use core::ops::Range;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::Path;

/// There is no such question.
pub(super) fn read_cached(_path: &Path, _len_max: u64) -> Option<Vec<u8>> {
    None
}

/// Size of a block device in bytes.
pub(super) fn device_len(mut device: &File) -> io::Result<u64> {
    device.seek(SeekFrom::End(0))
}

/// Cannot: zeros are written.
pub(super) fn zero_out(_device: &File, _range: Range<u64>) -> io::Result<bool> {
    Ok(false)
}

/// Cannot: zeros are written.
pub(super) fn punch_hole(_file: &File, _offset: u64, _len: u64) -> io::Result<bool> {
    Ok(false)
}

/// Everything may be data.
pub(super) fn next_data(_file: &File, offset: u64, len: u64) -> io::Result<Option<Range<u64>>> {
    Ok(Some(offset..len))
}

/// Cannot: bytes are copied.
pub(super) fn clone_range(
    _file: &File,
    _source: &File,
    _source_offset: u64,
    _offset: u64,
    _len: u64,
) -> io::Result<bool> {
    Ok(false)
}

/// There is no such call: files and directories are synced one by one.
pub(super) fn sync_fs(_file: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
