//! An archive that is made on one thread and cut on another, without touching a disk.

use std::io::{self, Write};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use desync_engine::{Extent, Extents};

use crate::Error;

/// Pieces of the archive on their way.
const PIECES: usize = 8;

enum Piece {
    Bytes(Vec<u8>),
    /// The whole archive has come.
    End,
    Failed(Error),
}

/// Runs `produce`, which writes an archive, beside `consume`, which reads it as an input of `make`.
///
/// # Errors
/// The first error of either. An archive whose production failed never ends for its consumer: it gets the error.
pub fn with_stream<T>(
    produce: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), Error> + Send,
    consume: impl FnOnce(&mut dyn Extents) -> Result<T, Error>,
) -> Result<T, Error> {
    let (sender, receiver) = bounded(PIECES);
    thread::scope(|scope| {
        let run = move || {
            let mut out = Pipe { sender };
            let last = match produce(&mut out) {
                Ok(()) => Piece::End,
                Err(error) => Piece::Failed(error),
            };
            // A consumer that is gone has its own error to tell.
            let _ = out.sender.send(last);
        };
        thread::Builder::new()
            .name("archive".into())
            .spawn_scoped(scope, run)
            .map_err(|error| Error::Unsupported(format!("cannot start a thread: {error}")))?;
        // Dropped before the scope waits, so that a producer is not kept by a consumer that failed.
        let mut input = Stream { receiver, piece: Vec::new(), taken: 0, ended: false };
        consume(&mut input)
    })
}

struct Pipe {
    sender: Sender<Piece>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.send(Piece::Bytes(bytes.to_vec())).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Stream {
    receiver: Receiver<Piece>,
    piece: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl Extents for Stream {
    fn blob_len(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<Option<Extent>, Error> {
        while self.taken == self.piece.len() {
            if self.ended {
                return Ok(None);
            }
            match self.receiver.recv() {
                Ok(Piece::Bytes(bytes)) => (self.piece, self.taken) = (bytes, 0),
                Ok(Piece::End) => self.ended = true,
                Ok(Piece::Failed(error)) => return Err(error),
                Err(_) => {
                    return Err(Error::Unsupported("internal error: the archive's thread ended".into()));
                }
            }
        }
        let rest = &self.piece[self.taken..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.taken += len;
        Ok(Some(Extent::Data(len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(input: &mut dyn Extents) -> Result<Vec<u8>, Error> {
        let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
        while let Some(Extent::Data(len)) = input.next(&mut buffer)? {
            all.extend_from_slice(&buffer[..len]);
        }
        Ok(all)
    }

    #[test]
    fn all_bytes_come_in_order() {
        let expected: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let produce = |out: &mut (dyn Write + Send)| {
            expected.chunks(777).for_each(|piece| out.write_all(piece).unwrap());
            Ok(())
        };
        assert!(with_stream(produce, read_all).unwrap() == expected);
    }

    #[test]
    fn defect_04_an_error_of_the_archiver_is_never_an_end() {
        let produce = |out: &mut (dyn Write + Send)| {
            out.write_all(b"begun").unwrap();
            Err(Error::Unsupported("the archiver failed".into()))
        };
        assert_eq!(with_stream(produce, read_all).unwrap_err().to_string(), "the archiver failed");
    }

    #[test]
    fn a_consumer_that_gives_up_ends_the_producer() {
        let produce = |out: &mut (dyn Write + Send)| loop {
            out.write_all(&[0; 1 << 16]).map_err(Error::file("write", "x".as_ref()))?;
        };
        let consume = |_: &mut dyn Extents| Err::<(), _>(Error::Interrupted);
        assert!(matches!(with_stream(produce, consume), Err(Error::Interrupted)));
    }
}
