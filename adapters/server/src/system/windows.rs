//! Windows.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt as _;

pub(crate) fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.seek_read(buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => {
                buffer = &mut buffer[len..];
                offset += len as u64;
            }
        }
    }
    Ok(())
}

/// There are no service managers with such sockets.
pub(crate) fn tell(_address: &OsStr, _word: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
