//! Updates over a line that loses, doubles and flips bytes and falls silent, and from hosts that lie.

use alloc::boxed::Box;
use alloc::vec;

use super::model::{Fault, Outcome};
use super::*;
use crate::format::StorageForm;
use crate::protocol::link::noise::{Noise, Wire};
use crate::protocol::link::{Answer, Ask, LINK_VERSION, LinkClient, LinkServer, Question, Timing};

const TIMING: Timing = Timing { answer: 40, silence: 4_000 };
const PIECE_LEN: u16 = 64;
/// The simulated silence swallows 700 bytes, and the shortest answer has 12.
const SILENCES: u8 = 100;

/// What a host answers to a question.
type Host<'h> = dyn FnMut(&Question, &mut Vec<u8>) + 'h;

/// A line to a host, and the time that passes on it.
struct Line<'h> {
    to_host: Wire,
    to_device: Wire,
    server: LinkServer<'static>,
    host: Box<Host<'h>>,
    ms: u64,
}

impl<'h> Line<'h> {
    fn new(noise: Noise, seed: u64, host: impl FnMut(&Question, &mut Vec<u8>) + 'h) -> Self {
        let (to_host, to_device) = (Wire::new(noise, 2 * seed + 1), Wire::new(noise, 7 * seed + 3));
        Self { to_host, to_device, server: server(), host: Box::new(host), ms: 0 }
    }
}

fn server() -> LinkServer<'static> {
    LinkServer::new(Box::leak(Box::new([0; LinkServer::BUFFER_LEN])))
}

impl LinkPort for &mut Line<'_> {
    type Error = core::convert::Infallible;

    fn now(&mut self) -> u64 {
        self.ms
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        if self.to_host.dice.roll(self.to_host.noise.reconnect) {
            (self.to_host.bytes, self.to_device.bytes) = Default::default();
            self.server = server();
        }
        self.to_host.send(bytes);
        let arrived = self.to_host.take();
        let (mut input, mut frame) = (&arrived[..], Vec::new());
        while let Some(question) = self.server.next(&mut input) {
            (self.host)(&question, &mut frame);
            self.to_device.send(&frame);
        }
        Ok(())
    }

    async fn receive(&mut self, into: &mut [u8], deadline: u64) -> Result<usize, Self::Error> {
        let len = into.len().min(self.to_device.bytes.len());
        into.iter_mut().zip(self.to_device.bytes.drain(..len)).for_each(|(place, byte)| *place = byte);
        self.ms = if len == 0 { deadline } else { self.ms + 1 };
        Ok(len)
    }
}

/// A host that has a release; counts the bytes of index and chunks that it sends.
fn honest<'h>(release: &'h Release, sent: &'h mut u64) -> impl FnMut(&Question, &mut Vec<u8>) + 'h {
    let source = TestSource::new(release);
    move |question, line| {
        let whole = match question.ask {
            Ask::Open => {
                let (index_len, index_id) = (release.offer.index_len, release.offer.index_id);
                let opened = Answer::Opened { version: LINK_VERSION, index_len, index_id };
                return LinkServer::answer(question, &opened, line);
            }
            Ask::Close { .. } => return LinkServer::answer(question, &Answer::Closed, line),
            Ask::Index { .. } => Some((StorageForm::Plain, &source.index)),
            Ask::Chunk { id, .. } => source.chunks.get(&id).map(|(stored, bytes)| match stored {
                Stored::Plain => (StorageForm::Plain, bytes),
                Stored::Zstd => (StorageForm::Compressed, bytes),
            }),
        };
        let (offset, len) = match question.ask {
            Ask::Index { offset, len } => (offset, len),
            Ask::Chunk { offset, len, .. } => (offset.into(), len),
            Ask::Open | Ask::Close { .. } => (0, 0),
        };
        let Some((form, whole)) = whole else {
            return LinkServer::answer(question, &Answer::Missing, line);
        };
        let rest = &whole[(offset as usize).min(whole.len())..];
        let data = &rest[..rest.len().min(len.into())];
        *sent += data.len() as u64;
        let total = whole.len() as u64;
        LinkServer::answer(question, &Answer::Piece { form, offset, total, data }, line);
    }
}

type LinkFailure = UpdateError<ModelError, LinkError<core::convert::Infallible>>;

/// One start of the device: asks what is offered, updates, says goodbye.
fn update_over(flash: &mut NorModel, line: &mut Line<'_>) -> Result<Report, LinkFailure> {
    let mut buffer = vec![0; LinkClient::buffer_len(PIECE_LEN)];
    let client = LinkClient::new(&mut buffer, TIMING, line.ms as u16).unwrap();
    let mut source = LinkSource::new(line, client, LIMITS, SILENCES);
    let offer = block_on(source.offer()).map_err(UpdateError::Source)?;
    let mut sector = [0; SECTOR as usize];
    let mut words = [0; 400];
    let mut updater = Updater::new(core::mem::replace(flash, NorModel::new(0)), CONFIG)?;
    let mut zstd = [0; stream_memory(LIMITS.zstd_window_max as usize)];
    let workspace = Workspace { sector: &mut sector, words: &mut words, zstd: &mut zstd };
    let report = block_on(updater.run(&offer, &mut source, workspace));
    *flash = updater.into_flash();
    block_on(source.close(u8::from(report.is_err()))).map_err(UpdateError::Source)?;
    report
}

/// Bytes that a quiet line carries for this update.
fn needed(old: &Release, new: &Release) -> u64 {
    let (mut flash, mut sent) = (device(old), 0);
    update_over(&mut flash, &mut Line::new(Noise::default(), 1, honest(new, &mut sent))).unwrap();
    assert!(flash.holds(LAYOUT.slots[1].start as usize, &new.image));
    sent
}

#[test]
fn a_quiet_line_carries_the_index_and_the_missing_chunks_once() {
    let (old, new) = Release::pair();
    let mut source = TestSource::new(&new);
    update(&mut device(&old), &new.offer, &mut source).unwrap();
    assert_eq!(needed(&old, &new), source.index_bytes_given + source.stored_bytes);
}

/// With every second seed there is a cut as well, which may cost the index and the chunk in hand once more.
#[test]
fn noise_neither_corrupts_nor_doubles_what_is_fetched() {
    let quiet = Noise::default();
    let lines = [
        Noise { drop: 1000, ..quiet },
        Noise { double: 1000, ..quiet },
        Noise { flip: 1000, ..quiet },
        Noise { silence: 5000, ..quiet },
        Noise { doubled_frame: 3, ..quiet },
        Noise { reconnect: 20, flip: 2000, ..quiet },
        Noise { drop: 900, double: 900, flip: 900, silence: 9000, reconnect: 100, doubled_frame: 20 },
    ];
    let (old, new) = Release::pair();
    let needed = needed(&old, &new);
    let mut all = 0;
    for noise in lines {
        for seed in 1..21 {
            let (mut flash, mut sent) = (device(&old), 0);
            let mut line = Line::new(noise, seed, honest(&new, &mut sent));
            let is_cut = seed % 2 == 0;
            if is_cut {
                flash.power_up(Some(Fault { operation: 3 + seed as u32, outcome: Outcome::Torn }));
                update_over(&mut flash, &mut line).unwrap_err();
                flash.power_up(None);
            }
            let report = update_over(&mut flash, &mut line);
            drop(line);
            assert!(report.is_ok(), "{noise:?} {seed}: {report:?}");
            assert!(flash.holds(LAYOUT.slots[1].start as usize, &new.image), "{noise:?} {seed}");
            let allowed = if is_cut { 3 * needed } else { 2 * needed };
            assert!(sent <= allowed, "{noise:?} {seed}: {sent} of {needed} bytes");
            all += sent;
        }
    }
    assert!(all > 140 * needed, "the noise must have been felt");
}

/// Answers a question wrongly, or says that it does not.
type Lie = dyn Fn(&Question, &mut Vec<u8>) -> bool;

/// Every lie ends in a refusal; the old image boots and an honest host then finishes.
#[test]
fn hosts_that_lie_are_refused_and_the_old_image_boots() {
    let (old, new) = Release::pair();
    let lies: [(&str, &Lie); 6] = [
        ("no chunk is there", &|question, line| {
            LinkServer::answer(question, &Answer::Missing, line);
            matches!(question.ask, Ask::Chunk { .. })
        }),
        ("the store has failed", &|question, line| {
            LinkServer::answer(question, &Answer::Failed, line);
            matches!(question.ask, Ask::Chunk { .. })
        }),
        ("other bytes", &|question, line| lie(question, line, 200, StorageForm::Plain)),
        ("a chunk without end", &|question, line| lie(question, line, u64::MAX, StorageForm::Plain)),
        ("no zstd", &|question, line| lie(question, line, 200, StorageForm::Compressed)),
        ("another index", &|question, line| {
            let Ask::Index { offset, len } = question.ask else { return false };
            let (form, data) = (StorageForm::Plain, vec![0xa5; len.into()]);
            let total = offset + u64::from(len);
            LinkServer::answer(question, &Answer::Piece { form, offset, total, data: &data }, line);
            true
        }),
    ];
    for (what, lies) in lies {
        let (mut flash, mut sent, mut sent_after) = (device(&old), 0, 0);
        let mut honestly = honest(&new, &mut sent);
        let host = |question: &Question, line: &mut Vec<u8>| {
            if !lies(question, line) {
                honestly(question, line);
            }
        };
        update_over(&mut flash, &mut Line::new(Noise::default(), 1, host)).expect_err(what);
        assert_eq!(block_on(boot::start(&mut flash, &LAYOUT)).unwrap(), Slot::A, "{what}");
        assert!(flash.holds(LAYOUT.slots[0].start as usize, &old.image), "{what}");
        let mut line = Line::new(Noise::default(), 2, honest(&new, &mut sent_after));
        update_over(&mut flash, &mut line).expect(what);
        drop(line);
        assert!(flash.holds(LAYOUT.slots[1].start as usize, &new.image), "{what}");
    }
}

/// Answers a question for a chunk with bytes that nobody asked for.
fn lie(question: &Question, line: &mut Vec<u8>, total: u64, form: StorageForm) -> bool {
    let Ask::Chunk { offset, len, .. } = question.ask else { return false };
    let left = total - u64::from(offset);
    let data = prng(usize::from(len).min(left as usize), 9);
    LinkServer::answer(question, &Answer::Piece { form, offset: offset.into(), total, data: &data }, line);
    true
}

#[test]
fn a_line_without_a_host_is_given_up() {
    let (old, _) = Release::pair();
    let mut line = Line::new(Noise::default(), 1, |_: &Question, line: &mut Vec<u8>| line.clear());
    let silent: LinkFailure = UpdateError::Source(LinkError::Silent);
    assert_eq!(update_over(&mut device(&old), &mut line).unwrap_err(), silent);
    assert!(line.ms > 100 * 4_000 && line.ms < 100 * 6_000, "{} ms", line.ms);
}
