//! The host's side: frames in, questions out; answers in, frames out.
//!
//! Whoever drives it looks things up. It remembers one thing only, which frame it answered last.

use alloc::vec::Vec;

use super::frame::{self, FrameReader};
use super::words::{self, ASK_LEN_MAX, Answer, Question};

/// Buffer that a server needs for the questions of any client.
const BUFFER_LEN: usize = frame::buffer_len(ASK_LEN_MAX);

/// The host's side of a link.
#[derive(Debug)]
pub struct LinkServer<'b> {
    frames: FrameReader<'b>,
    /// Tag and attempt of the last question that was handed out.
    last: Option<(u32, u8)>,
}

impl LinkServer<'_> {
    /// Bytes of buffer that questions need.
    pub const BUFFER_LEN: usize = BUFFER_LEN;
}

impl<'b> LinkServer<'b> {
    /// A server on a line that was just opened.
    #[must_use]
    pub const fn new(buffer: &'b mut [u8; BUFFER_LEN]) -> Self {
        Self { frames: FrameReader::new(buffer), last: None }
    }

    /// Takes bytes from the front of `input` up to the end of the next question; `None` once `input` is used
    /// up. Noise is passed over, and so is a question that the line doubled.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Question> {
        while let Some(content) = self.frames.next(input) {
            let Some(question) = Question::parse(content) else { continue };
            let this = Some((question.tag(), question.attempt));
            if self.last != this {
                self.last = this;
                return Some(question);
            }
        }
        None
    }

    /// Replaces the content of `line` with the frame of an answer.
    pub fn answer(question: &Question, answer: &Answer<'_>, line: &mut Vec<u8>) {
        let (head, head_len) = words::answer_head(question.tag(), answer);
        let data = if let Answer::Piece { data, .. } = answer { *data } else { &[] };
        line.clear();
        line.resize(frame::line_len(head_len + data.len()), 0);
        let len = frame::encode(&[&head[..head_len], data], line).map_or(0, <[u8]>::len);
        line.truncate(len);
    }
}
