//! Both ends of a noisy line, fed with anything: the client hands out pieces in order and only what it asked
//! for, the server only questions, neither allocates.

use desync_core::protocol::link::{LinkClient, LinkEvent, LinkServer, LinkTurn, Timing, Want};

use crate::allocation::peak_of;

/// Longest piece.
const PIECE_LEN: u16 = 64;

pub(super) fn run(bytes: &[u8]) {
    let mut device = [0; LinkClient::buffer_len(PIECE_LEN)];
    let mut host = [0; LinkServer::BUFFER_LEN];
    let ((), peak) = peak_of(|| {
        let mut server = LinkServer::new(&mut host);
        let mut input = bytes;
        while server.next(&mut input).is_some() {}
        assert!(input.is_empty());

        let mut client = LinkClient::new(&mut device, Timing { answer: 1, silence: 10 }, 0).expect("room");
        for want in [Want::Index { start: 0, end: 128 }, Want::Open, Want::Close { status: 0 }] {
            client.want(want);
            feed(&mut client, bytes);
        }
    });
    assert_eq!(peak, 0, "a link allocates");
}

fn feed(client: &mut LinkClient<'_>, bytes: &[u8]) {
    let (mut now, mut end, mut input) = (0, 0, bytes);
    while !input.is_empty() {
        if let LinkTurn::WaitUntil(time) = client.turn(now) {
            now = time;
        }
        if let Some(LinkEvent::Piece { offset, data, .. }) = client.receive(&mut input) {
            assert_eq!(offset, end, "a piece out of order");
            end += data.len() as u64;
            assert!(!data.is_empty() && end <= 128, "more than was asked for");
        }
    }
}
