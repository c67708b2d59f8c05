//! The device's side: wants in, questions out; pieces in, in order and each once.
//!
//! One question is under way at a time. If its answer does not come in time, or the line is seen to be
//! noisy, it is asked again; after each failure half as much is asked for, after a row of successes twice as
//! much, up to what the buffer holds. Time is told by the caller, in milliseconds from any origin.

use super::frame::{self, FrameReader};
use super::words::{self, ASK_LEN_MAX, Answer, Ask, DATA_OVERHEAD, LINK_VERSION, Question};
use crate::digest::ChunkId;
use crate::format::StorageForm;

/// The shortest piece that is asked for on a bad line, in bytes; shorter ones are mostly overhead.
const PIECE_LEN_MIN: u16 = 16;
/// Successes in a row after which longer pieces are tried.
const SUCCESSES: u8 = 16;
/// How often the time to wait is doubled.
const BACKOFF_MAX: u8 = 5;

/// How long to wait, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timing {
    /// For an answer, before the question is asked again: the time that question and answer spend on the
    /// line, and that the host needs to find it. Doubled after each silence, up to 32 times as long.
    pub answer: u32,
    /// Without any answer, before [`LinkTurn::Silent`] is reported.
    pub silence: u32,
}

/// What is wanted from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Want {
    /// Which index is served.
    Open,
    /// Bytes of the index.
    Index {
        /// The first.
        start: u64,
        /// Behind the last.
        end: u64,
    },
    /// A stored chunk, from some byte to its end.
    Chunk {
        /// Its name.
        id: ChunkId,
        /// The first byte that is not there yet.
        start: u32,
        /// The largest zstd window that can be decoded with, as a power of two; 0 for none: the chunk then
        /// comes plain.
        window_log: u8,
    },
    /// To end.
    Close {
        /// 0 if all went well, else a number that the host shows.
        status: u8,
    },
}

/// What came of a want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LinkEvent<'a> {
    /// The answer to [`Want::Open`].
    Opened {
        /// Length of the index in bytes.
        index_len: u64,
        /// SHA-512/256 of its bytes.
        index_id: ChunkId,
    },
    /// The next bytes, directly behind those before.
    Piece {
        /// The form of the chunk; plain for an index.
        form: StorageForm,
        /// Where they lie in the index or chunk.
        offset: u64,
        /// Length of the whole index or stored chunk.
        total: u64,
        /// The bytes, at least one.
        data: &'a [u8],
        /// Whether the want is met.
        last: bool,
    },
    /// The host does not have that chunk, or the range is not in the index.
    Missing,
    /// The host's store has failed. The same want may be met later.
    Failed,
    /// The host knows that we are done.
    Closed,
    /// The host speaks another version.
    OtherVersion {
        /// Which.
        version: u8,
    },
    /// The chunk changed between its pieces. Begin it again.
    Changed,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LinkTurn<'a> {
    /// Write these bytes to the line.
    Send(&'a [u8]),
    /// Hand in what the line brings; call again at this time at the latest.
    WaitUntil(u64),
    /// Nothing came for so long as [`Timing::silence`] says. The line may be opened again, and going on
    /// asks again.
    Silent,
    /// Nothing is wanted.
    Idle,
}

/// The device's side of a link.
#[derive(Debug)]
pub struct LinkClient<'b> {
    frames: FrameReader<'b>,
    timing: Timing,
    want: Option<Want>,
    /// Length and form of the chunk, known from its first piece.
    whole: Option<(u64, StorageForm)>,
    question: Question,
    /// When the question was asked, if it was.
    asked: Option<u64>,
    /// Since when nothing came.
    silent_since: Option<u64>,
    backoff: u8,
    piece_len: u16,
    piece_len_max: u16,
    successes: u8,
    line: [u8; frame::line_len(ASK_LEN_MAX)],
    asked_bytes: u64,
}

impl LinkClient<'_> {
    /// Bytes of buffer for pieces of `piece_len` bytes. 64 bytes are the least that any answer needs.
    #[must_use]
    pub const fn buffer_len(piece_len: u16) -> usize {
        let content = DATA_OVERHEAD + piece_len as usize;
        frame::buffer_len(if content < words::ANSWER_HEAD_MAX { words::ANSWER_HEAD_MAX } else { content })
    }
}

impl<'b> LinkClient<'b> {
    /// A client on a line that was just opened. The buffer's length decides how long pieces can be
    /// ([`LinkClient::buffer_len`]); `number` begins the count of questions and should not be the same after
    /// each start.
    ///
    /// Gives back `None` for a buffer in which no piece fits.
    #[must_use]
    pub fn new(buffer: &'b mut [u8], timing: Timing, number: u16) -> Option<Self> {
        let frames = FrameReader::new(buffer);
        let content_max = frames.content_max();
        let piece_len_max = content_max.saturating_sub(DATA_OVERHEAD);
        if content_max < words::ANSWER_HEAD_MAX || piece_len_max == 0 {
            return None;
        }
        let piece_len_max = u16::try_from(piece_len_max).unwrap_or(u16::MAX);
        Some(Self {
            frames,
            timing,
            want: None,
            whole: None,
            question: Question { ask: Ask::Open, number, attempt: 0 },
            asked: None,
            silent_since: None,
            backoff: 0,
            piece_len: piece_len_max,
            piece_len_max,
            successes: 0,
            line: [0; frame::line_len(ASK_LEN_MAX)],
            asked_bytes: 0,
        })
    }

    /// Says what is wanted now, in place of anything wanted before.
    pub fn want(&mut self, want: Want) {
        self.want = Some(want);
        self.whole = None;
        self.ask_next();
    }

    /// Bytes of index and chunks that were asked for, those asked for again included.
    #[must_use]
    pub const fn asked_bytes(&self) -> u64 {
        self.asked_bytes
    }

    /// Forgets what the line had begun to bring: it was closed and opened again. What is wanted stays.
    pub fn line_opened(&mut self) {
        self.frames.begin();
        self.asked = None;
        self.silent_since = None;
        self.backoff = 0;
    }

    /// What to do at this time.
    pub fn turn(&mut self, now: u64) -> LinkTurn<'_> {
        let Some(want) = self.want else { return LinkTurn::Idle };
        if let Some(asked) = self.asked {
            let deadline = asked.saturating_add(u64::from(self.timing.answer) << self.backoff);
            if now < deadline {
                return LinkTurn::WaitUntil(deadline);
            }
            self.failed();
            let since = self.silent_since.unwrap_or(asked);
            if now.saturating_sub(since) >= u64::from(self.timing.silence) {
                self.asked = None;
                self.silent_since = None;
                self.backoff = 0;
                return LinkTurn::Silent;
            }
        }
        self.silent_since.get_or_insert(now);
        self.asked = Some(now);
        self.question.ask = self.ask_for(want);
        if let Ask::Index { len, .. } | Ask::Chunk { len, .. } = self.question.ask {
            self.asked_bytes += u64::from(len);
        }
        let (content, len) = self.question.encode();
        // The line buffer was sized for the longest question.
        LinkTurn::Send(frame::encode(&[&content[..len]], &mut self.line).unwrap_or_default())
    }

    /// Takes bytes from the front of `input` up to the end of an answer to what is wanted; `None` once
    /// `input` is used up. After each event call [`LinkClient::turn`].
    pub fn receive(&mut self, input: &mut &[u8]) -> Option<LinkEvent<'_>> {
        loop {
            let content = self.frames.next(input)?;
            let answer = words::parse_answer(content);
            if answer
                .is_some_and(|(tag, answer)| is_awaited(&self.question, self.asked, self.want, tag, &answer))
            {
                break;
            }
        }
        self.succeeded();
        let (last, changed) = self.move_on();
        // Read again, since what is lent to the caller cannot be looked at and passed over.
        let (_, answer) = words::parse_answer(self.frames.content())?;
        Some(match answer {
            _ if changed => LinkEvent::Changed,
            Answer::Opened { version, .. } if version != LINK_VERSION => LinkEvent::OtherVersion { version },
            Answer::Opened { index_len, index_id, .. } => LinkEvent::Opened { index_len, index_id },
            Answer::Piece { form, offset, total, data } => {
                LinkEvent::Piece { form, offset, total, data, last }
            }
            Answer::Missing => LinkEvent::Missing,
            Answer::Failed => LinkEvent::Failed,
            Answer::Closed => LinkEvent::Closed,
        })
    }

    /// The bytes of the piece that was handed out last, until [`LinkClient::receive`] is given more; empty if
    /// it was no piece.
    #[must_use]
    pub fn piece(&self) -> &[u8] {
        match words::parse_answer(self.frames.content()) {
            Some((_, Answer::Piece { data, .. })) => data,
            _ => &[],
        }
    }

    /// Takes account of the answer that has come: whether the want is met, or the whole is another one.
    fn move_on(&mut self) -> (bool, bool) {
        let piece = match words::parse_answer(self.frames.content()) {
            Some((_, Answer::Piece { form, total, data, .. })) => Some((form, total, data.len() as u64)),
            _ => None,
        };
        let changed =
            piece.is_some_and(|(form, total, _)| self.whole.is_some_and(|known| known != (total, form)));
        let last = piece.is_none_or(|(form, total, len)| self.advance(form, total, len));
        if changed || last {
            self.want = None;
        } else {
            self.ask_next();
        }
        (last, changed)
    }

    /// Moves on behind a piece; whether the want is met.
    fn advance(&mut self, form: StorageForm, total: u64, len: u64) -> bool {
        self.whole = Some((total, form));
        match &mut self.want {
            Some(Want::Index { start, end }) => {
                *start += len;
                *start >= (*end).min(total)
            }
            Some(Want::Chunk { start, .. }) => {
                // No piece goes beyond 32 bits: `is_awaited` sees to it.
                *start = start.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
                u64::from(*start) >= total
            }
            Some(Want::Open | Want::Close { .. }) | None => true,
        }
    }

    fn ask_next(&mut self) {
        self.question.number = self.question.number.wrapping_add(1);
        self.question.attempt = 0;
        self.asked = None;
        self.silent_since = None;
    }

    /// The question for what is left of a want.
    fn ask_for(&self, want: Want) -> Ask {
        let left = |start: u64, end: u64| {
            u16::try_from(end.saturating_sub(start)).unwrap_or(u16::MAX).min(self.piece_len)
        };
        match want {
            Want::Open => Ask::Open,
            Want::Index { start, end } => Ask::Index { offset: start, len: left(start, end) },
            Want::Chunk { id, start, window_log } => {
                let end = self.whole.map_or(u64::MAX, |(total, _)| total);
                Ask::Chunk { id, offset: start, len: left(start.into(), end), window_log }
            }
            Want::Close { status } => Ask::Close { status },
        }
    }

    fn failed(&mut self) {
        self.question.attempt = self.question.attempt.wrapping_add(1);
        self.backoff = (self.backoff + 1).min(BACKOFF_MAX);
        self.successes = 0;
        self.piece_len = (self.piece_len / 2).max(PIECE_LEN_MIN.min(self.piece_len_max));
    }

    fn succeeded(&mut self) {
        self.backoff = 0;
        self.successes += 1;
        if self.successes >= SUCCESSES {
            self.successes = 0;
            self.piece_len = self.piece_len.saturating_mul(2).min(self.piece_len_max);
        }
    }
}

/// Whether this answer is the one that is waited for: to the question under way, and possible for the want.
fn is_awaited(
    question: &Question,
    asked: Option<u64>,
    want: Option<Want>,
    tag: u32,
    answer: &Answer<'_>,
) -> bool {
    // A piece must begin where the want does and not go beyond it.
    let is_next = |start: u64, end: u64| match *answer {
        Answer::Missing | Answer::Failed => true,
        Answer::Piece { offset, total, data, .. } => {
            let end = offset.checked_add(data.len() as u64).filter(|last| *last <= end.min(total));
            offset == start && end.is_some() && !data.is_empty()
        }
        Answer::Opened { .. } | Answer::Closed => false,
    };
    let is_possible = match want {
        None => false,
        Some(Want::Open) => matches!(answer, Answer::Opened { .. }),
        Some(Want::Close { .. }) => matches!(answer, Answer::Closed),
        Some(Want::Index { start, end }) => is_next(start, end),
        Some(Want::Chunk { start, .. }) => is_next(start.into(), u32::MAX.into()),
    };
    asked.is_some() && is_possible && tag == question.tag()
}
