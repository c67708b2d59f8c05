//! A device's client on the other end of a socket.

use std::os::unix::net::UnixStream;
use std::thread;

use desync_codec::HostDecoder;
use desync_core::Limits;
use desync_core::codec::Decoder as _;
use desync_core::codec::zstd::Frame;
use desync_core::format::Index;
use desync_core::format::index::Strictness;
use desync_core::protocol::link::{LinkClient, LinkEvent, LinkTurn, Timing, Want};
use desync_test_kit::{blob, golden};

use super::*;
use crate::testing::MemoryStore;

const TIMING: Timing = Timing { answer: 5_000, silence: 60_000 };

/// What came of a want: the bytes and their form, or another event.
fn fetch(client: &mut LinkClient<'_>, line: &mut UnixStream, want: Want) -> (Vec<u8>, StorageForm, String) {
    client.want(want);
    let (mut whole, mut found) = (Vec::new(), StorageForm::Plain);
    let (mut buffer, mut held) = ([0; 700], Vec::new());
    loop {
        if let LinkTurn::Send(bytes) = client.turn(0) {
            line.write_all(bytes).unwrap();
        }
        let len = line.read(&mut buffer).unwrap();
        assert!(len > 0, "the host hung up");
        held.extend(&buffer[..len]);
        let mut input = &held[..];
        if let Some(event) = client.receive(&mut input) {
            match event {
                LinkEvent::Piece { data, form, last, .. } => {
                    whole.extend(data);
                    found = form;
                    if last {
                        return (whole, found, String::new());
                    }
                }
                other => return (whole, found, format!("{other:?}")),
            }
        }
        held.clear();
    }
}

#[test]
fn a_device_fetches_index_and_chunks_in_forms_it_can_read() {
    let index_bytes = golden::read("blob/blob-sha256.caibx");
    let header = Index::parse(&index_bytes, &Limits::HOST, Strictness::Lenient).unwrap().header;
    let plain = &blob()[1_600_000..1_700_000];
    let (mut store, ids) = MemoryStore::of(&[plain, b"x"], StorageForm::Compressed);
    store.failing = Some(ids[1]);
    let (mut line, mut host_line) = UnixStream::pair().unwrap();
    let host_index = index_bytes.clone();
    let host = thread::spawn(move || LinkHost::new(&host_index, &header, &store).serve(&mut host_line));

    let mut buffer = [0; LinkClient::buffer_len(400)];
    let mut client = LinkClient::new(&mut buffer, TIMING, 1).unwrap();
    let mut fetch = |want| fetch(&mut client, &mut line, want);
    let (_, _, opened) = fetch(Want::Open);
    let id = DigestKind::Sha512_256.id_of(&index_bytes);
    assert!(
        opened.contains(&format!("index_len: {}", index_bytes.len())) && opened.contains(&id.to_string())
    );
    assert!(fetch(Want::Index { start: 0, end: index_bytes.len() as u64 }).0 == index_bytes);
    assert!(fetch(Want::Index { start: 48, end: 100 }).0 == index_bytes[48..100]);
    let past = index_bytes.len() as u64;
    assert_eq!(fetch(Want::Index { start: past, end: past + 9 }).2, "Missing");

    let chunk = |window_log, start| Want::Chunk { id: ids[0], start, window_log };
    assert_eq!(fetch(chunk(0, 0)), (plain.to_vec(), StorageForm::Plain, String::new()));
    assert!(fetch(chunk(0, 99_990)).0 == plain[99_990..]);
    let (stored, form, _) = fetch(chunk(11, 0));
    assert_eq!(form, StorageForm::Compressed);
    assert!(Frame::parse(&stored, 1 << 20, 1 << 20).unwrap().window_len() <= 1 << 11);
    let mut decoded = Vec::new();
    HostDecoder::new(&Limits::HOST).decode(&stored, 1 << 20, &mut decoded).unwrap();
    assert!(decoded == plain);
    assert_eq!(fetch(Want::Chunk { id: ChunkId([1; 32]), start: 0, window_log: 12 }).2, "Missing");
    assert_eq!(fetch(Want::Chunk { id: ids[1], start: 0, window_log: 12 }).2, "Failed");
    assert_eq!(fetch(Want::Close { status: 3 }).2, "Closed");
    assert_eq!(host.join().unwrap().unwrap(), LinkEnd::Closed { status: 3 });
}

#[test]
fn a_line_that_closes_is_told_and_noise_is_not_answered() {
    let (store, _) = MemoryStore::of(&[], StorageForm::Compressed);
    let header =
        Index::parse(&golden::read("blob/one.caibx"), &Limits::HOST, Strictness::Lenient).unwrap().header;
    let (mut line, mut host_line) = UnixStream::pair().unwrap();
    let host = thread::spawn(move || LinkHost::new(&[], &header, &store).serve(&mut host_line));
    line.write_all(&[0xff; 3000]).unwrap();
    line.write_all(&[0; 30]).unwrap();
    line.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(line.read(&mut [0]).unwrap(), 0, "noise was answered");
    assert_eq!(host.join().unwrap().unwrap(), LinkEnd::HungUp);
}
