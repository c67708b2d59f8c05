//! Indexes over readers and writers: any buffer, a trickle, ends and failures in the middle.

use alloc::vec::Vec;
use core::convert::Infallible;

use embedded_io::{ErrorKind, ErrorType};

use super::*;
use crate::chunking::ChunkSizes;
use crate::digest::DigestKind;
use crate::format::flags::FeatureFlags;

const LIMITS: Limits = Limits::HOST;

fn header() -> IndexHeader {
    IndexHeader { flags: FeatureFlags::casync_blob(DigestKind::Sha256), sizes: ChunkSizes::DEFAULT }
}

fn item(number: u64) -> IndexItem {
    IndexItem { end: (number + 1) * 1000, id: DigestKind::Sha256.id_of(&number.to_le_bytes()) }
}

/// Gives a few bytes at a time, then fails after `left`.
struct Trickle<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl ErrorType for Trickle<'_> {
    type Error = ErrorKind;
}

impl Read for Trickle<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        if self.left == 0 {
            return Err(ErrorKind::ConnectionReset);
        }
        let len = buf.len().min(7).min(self.left).min(self.bytes.len());
        let (front, rest) = self.bytes.split_at(len);
        buf[..len].copy_from_slice(front);
        self.bytes = rest;
        self.left -= len;
        Ok(len)
    }
}

fn written(chunks: u64, buffer_len: usize) -> Vec<u8> {
    let mut writer = IndexWriter::with_buffer(Vec::new(), header(), alloc::vec![0; buffer_len]).unwrap();
    for number in 0..chunks {
        writer.push(&item(number)).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn any_buffer_gives_the_same_bytes() {
    let bytes = written(100, STREAM_BUFFER_LEN);
    for buffer_len in [0, 1, 39, 40, 41, 64, 65, 1000] {
        assert_eq!(written(100, buffer_len), bytes);
    }
    assert_eq!(bytes.len() as u64, super::super::encoded_len(100));
    assert_eq!(chunks_in(bytes.len() as u64), Some(100));
}

#[test]
fn a_trickle_is_read_with_any_buffer() {
    let bytes = written(50, 4096);
    for buffer_len in [1, 5, 40, 4096] {
        let trickle = Trickle { bytes: &bytes, left: usize::MAX };
        let mut buffer = alloc::vec![0; buffer_len];
        let mut reader =
            IndexReader::with_buffer(trickle, &mut buffer[..], &LIMITS, Strictness::Strict).unwrap();
        assert_eq!(reader.header(), header());
        for number in 0..50 {
            let entry = reader.next_chunk().unwrap().unwrap();
            assert_eq!((entry.end, entry.id), (item(number).end, item(number).id));
            assert_eq!(entry.len(), 1000);
        }
        assert_eq!(reader.next_chunk(), Ok(None));
        assert_eq!(reader.next_chunk(), Ok(None));
        assert_eq!((reader.chunks(), reader.blob_len()), (50, 50_000));
    }
}

#[test]
fn a_reader_that_fails_is_not_an_end() {
    let bytes = written(5, 4096);
    for left in 0..bytes.len() {
        let error = read_all(Trickle { bytes: &bytes, left }, &LIMITS, Strictness::Strict, None);
        assert_eq!(error, Err(IndexStreamError::Stream(ErrorKind::ConnectionReset)));
    }
}

#[test]
fn hints_do_not_change_the_result() {
    let bytes = written(3, 4096);
    let read = |hint| read_all(&bytes[..], &LIMITS, Strictness::Strict, hint);
    let expected: Result<Index, IndexStreamError<Infallible>> = read(None);
    assert_eq!(expected.as_ref().unwrap().items.len(), 3);
    // Far more than fits any memory, no index length, too short, right.
    for hint in [u64::MAX, 104 + (1 << 50), 105, 0, 104, 224] {
        assert_eq!(read(Some(hint)), expected, "hint {hint}");
    }
}

#[test]
fn a_writer_that_fills_up_is_an_error() {
    let mut room = [0_u8; 200];
    let mut writer = IndexWriter::with_buffer(&mut room[..], header(), [0; 64]).unwrap();
    let failed = (0..10).find_map(|number| writer.push(&item(number)).err());
    assert!(matches!(failed, Some(IndexStreamError::Stream(_))));
}
