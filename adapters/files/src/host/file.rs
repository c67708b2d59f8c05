//! An open file or block device of the host.

use core::ops::Range;
use std::fs::File;
use std::io;

use super::{family, system};
use crate::disk::{DiskFile, FileKind, Owner};

/// Block size to align to where the system does not say.
const BLOCK_SIZE_DEFAULT: u64 = 4096;
/// Zeros are written by at most this many bytes at a time.
const ZEROS_LEN: u64 = 64 << 10;
/// Device ranges are zeroed by the kernel in multiples of this: no logical sector is larger.
const SECTOR_MAX: u64 = 4096;

/// A [`DiskFile`] over a descriptor. Only positioned calls are made, so threads may share it.
#[derive(Debug)]
pub(super) struct HostFile {
    file: File,
    kind: FileKind,
    /// Of a regular file, when it was opened.
    len_at_first: u64,
}

impl HostFile {
    pub(super) fn boxed(file: File) -> io::Result<Box<dyn DiskFile>> {
        let metadata = file.metadata()?;
        let (kind, len_at_first) = (family::kind_of(metadata.file_type()), metadata.len());
        Ok(Box::new(Self { file, kind, len_at_first }))
    }

    /// A file that was just created: what it is need not be asked.
    pub(super) fn created(file: File) -> Box<dyn DiskFile> {
        Box::new(Self { file, kind: FileKind::File, len_at_first: 0 })
    }

    fn write_zeros(&self, range: Range<u64>) -> io::Result<()> {
        // From the allocator, which has zeros at hand, and not from the program, which would carry them.
        let zeros = vec![0; (range.end - range.start).min(ZEROS_LEN) as usize];
        let mut at = range.start;
        while at < range.end {
            let piece = (range.end - at).min(ZEROS_LEN);
            family::write_all_at(&self.file, &zeros[..piece as usize], at)?;
            at += piece;
        }
        Ok(())
    }

    /// Zeroes whole sectors by one call to the device, and what is left at both ends by writing.
    fn zero_device(&self, range: Range<u64>) -> io::Result<()> {
        let start = range.start.next_multiple_of(SECTOR_MAX);
        let end = range.end / SECTOR_MAX * SECTOR_MAX;
        if start >= end || !system::zero_out(&self.file, start..end)? {
            return self.write_zeros(range);
        }
        self.write_zeros(range.start..start)?;
        self.write_zeros(end..range.end)
    }
}

impl DiskFile for HostFile {
    fn kind(&self) -> FileKind {
        self.kind
    }

    fn len(&self) -> io::Result<u64> {
        match self.kind {
            FileKind::BlockDevice => system::device_len(&self.file),
            _ => Ok(self.file.metadata()?.len()),
        }
    }

    fn block_size(&self) -> u64 {
        match self.file.metadata().map_or(0, |metadata| family::block_size(&metadata)) {
            0 => BLOCK_SIZE_DEFAULT,
            size => size,
        }
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        family::read_exact_at(&self.file, buf, offset)
    }

    /// Without asking for the length again, and without clearing what is overwritten.
    fn read_all(&self, len_max: u64, bytes: &mut Vec<u8>) -> io::Result<Result<(), u64>> {
        let len = self.len_at_first;
        if len > len_max {
            return Ok(Err(len));
        }
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.clear();
        bytes.try_reserve_exact(len)?;
        family::read_start(&self.file, bytes, len)?;
        Ok(Ok(()))
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        family::write_all_at(&self.file, bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn zero_range(&self, offset: u64, len: u64) -> io::Result<()> {
        let end = offset.checked_add(len).ok_or(io::ErrorKind::InvalidInput)?;
        match self.kind {
            _ if len == 0 => Ok(()),
            FileKind::BlockDevice => self.zero_device(offset..end),
            _ if system::punch_hole(&self.file, offset, len)? => Ok(()),
            _ => self.write_zeros(offset..end),
        }
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<Range<u64>>> {
        let len = self.len()?;
        if offset >= len {
            return Ok(None);
        }
        match self.kind {
            FileKind::File => system::next_data(&self.file, offset, len),
            _ => Ok(Some(offset..len)),
        }
    }

    fn clone_range(
        &self,
        source: &dyn DiskFile,
        source_offset: u64,
        offset: u64,
        len: u64,
    ) -> io::Result<bool> {
        match source.as_file() {
            // To the kernel, length 0 means "to the end".
            _ if len == 0 => Ok(true),
            Some(source) => system::clone_range(&self.file, source, source_offset, offset, len),
            None => Ok(false),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn into_reader(self: Box<Self>) -> Box<dyn io::Read + Send> {
        Box::new(self.file)
    }

    fn sync_fs(&self) -> io::Result<()> {
        system::sync_fs(&self.file)
    }

    fn set_access(&self, mode: u32, owner: Option<Owner>) -> io::Result<()> {
        family::set_access(&self.file, mode, owner)
    }

    fn as_file(&self) -> Option<&File> {
        Some(&self.file)
    }
}
