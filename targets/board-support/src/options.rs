//! What the emulator's command line tells the firmware, by semihosting: words as `cut=12`.

use crate::flash::Cut;

/// Longest command line, in bytes.
const LINE_LEN: usize = 256;

/// Milliseconds until a question is asked again: the emulator's host may be busy.
const ANSWER_MS: u32 = 1000;
/// Milliseconds without an answer until the line counts as silent.
const SILENCE_MS: u32 = 4000;

/// The words, understood.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `cut=N`, `torn=N`: power fails at operation N, before it or in the middle of it.
    pub cut: Option<Cut>,
    /// `update`: the board asks its line for an update.
    pub updates: bool,
    /// `answer=MS`: after which time a question is asked again.
    pub answer_ms: u32,
    /// `silence=MS`: after which time without an answer the line counts as silent.
    pub silence_ms: u32,
}

impl Options {
    /// Reads them. What is not understood is a mistake of the test: a panic.
    #[must_use]
    pub fn read() -> Self {
        let mut options = Self { cut: None, updates: false, answer_ms: ANSWER_MS, silence_ms: SILENCE_MS };
        let line = semihosting::experimental::env::args::<LINE_LEN>().expect("a command line");
        // The first word is the firmware's file.
        for word in (&line).skip(1) {
            options.take(word.expect("a command line in ASCII"));
        }
        options
    }

    fn take(&mut self, word: &str) {
        let number = |digits: &str| digits.parse().expect("a number");
        match word.split_once('=') {
            Some(("cut", operation)) => self.cut = Some(Cut { operation: number(operation), torn: false }),
            Some(("torn", operation)) => self.cut = Some(Cut { operation: number(operation), torn: true }),
            Some(("answer", ms)) => self.answer_ms = number(ms),
            Some(("silence", ms)) => self.silence_ms = number(ms),
            None if word == "update" => self.updates = true,
            _ => panic!("what is {word}?"),
        }
    }
}
