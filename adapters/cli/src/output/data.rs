//! Data on stdout. A reader that went away is told apart from other failures: it is no reason to complain.

use std::io::{self, BufWriter, ErrorKind, Write};

use serde::Serialize;

/// Nobody reads stdout any more, as in `desync cat … | head`.
#[derive(Debug, thiserror::Error)]
#[error("stdout was closed")]
pub(crate) struct StdoutClosed;

/// Buffered stdout. Flush it: errors of a drop are lost.
pub(crate) fn stdout() -> BufWriter<impl Write> {
    BufWriter::with_capacity(64 << 10, Watched(io::stdout().lock()))
}

struct Watched<W>(W);

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(name_closed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(name_closed)
    }
}

fn name_closed(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => io::Error::other(StdoutClosed),
        _ => error,
    }
}

/// Writes a value as JSON with 2-space indent and a newline.
pub(crate) fn print_json(out: &mut dyn Write, value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    out.write_all(&text)?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_has_its_own_error() {
        let error = Watched(Gone).write(b"x").unwrap_err();
        assert!(error.get_ref().is_some_and(|inner| inner.is::<StdoutClosed>()));
    }

    #[test]
    fn json_is_indented_by_two() {
        let mut out = Vec::new();
        print_json(&mut out, &serde_json::json!({"a": 1})).unwrap();
        assert_eq!(out, b"{\n  \"a\": 1\n}\n");
    }
}
