//! A chunk brought into a form that a peer can read.
//!
//! Stored bytes that will do are handed on untouched; anything else is decoded and compressed anew.

use desync_codec::{CipherError, Compression, EncodeError, Encoder, Format, HostDecoder};
use desync_core::Limits;
use desync_core::codec::zstd::Frame;
use desync_core::codec::{DecodeError, Decoder as _};
use desync_core::format::StorageForm;
use desync_store::{Bytes, Chunk};

/// What a peer can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Plain bytes only.
    Plain,
    /// One zstd frame with any window.
    Zstd,
    /// One zstd frame with a window of at most two to this power.
    ZstdWindow(u8),
}

/// Why a chunk cannot be brought into a form.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormError {
    #[error(transparent)]
    Decrypt(#[from] CipherError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Brings chunks into forms; keeps what that needs between chunks.
pub(crate) struct Former {
    decoder: HostDecoder,
    encoder: Option<(Compression, Encoder)>,
}

impl Former {
    pub(crate) fn new() -> Self {
        Self { decoder: HostDecoder::new(&Limits::HOST), encoder: None }
    }

    /// The bytes of a chunk in a form.
    pub(crate) fn bring(&mut self, chunk: &Chunk, form: Form) -> Result<Bytes, FormError> {
        let chunk = &chunk.decrypted()?;
        let stored = chunk.stored_as(StorageForm::Compressed);
        if let Some(stored) = stored.filter(|stored| is_readable(stored, form)) {
            return Ok(stored.clone());
        }
        let plain = self.plain(chunk)?;
        let compression = match form {
            Form::Plain => return Ok(plain),
            Form::Zstd => Compression::DEFAULT,
            Form::ZstdWindow(log) => Compression { window_log: Some(log.into()), ..Compression::DEVICE },
        };
        let mut frame = Vec::new();
        self.encoder(compression)?.encode(&plain, &mut frame)?;
        Ok(frame.into())
    }

    fn plain(&mut self, chunk: &Chunk) -> Result<Bytes, DecodeError> {
        if let Some(plain) = chunk.plain() {
            return Ok(plain.clone().into_bytes().into_own());
        }
        if let Some(plain) = chunk.stored_as(StorageForm::Plain) {
            return if plain.is_empty() { Err(DecodeError::Empty) } else { Ok(plain.clone()) };
        }
        let stored = chunk.stored_as(StorageForm::Compressed).ok_or(DecodeError::Empty)?;
        let mut plain = Vec::new();
        self.decoder.decode(stored, Limits::HOST.chunk_len_max, &mut plain)?;
        Ok(plain.into())
    }

    fn encoder(&mut self, compression: Compression) -> Result<&mut Encoder, EncodeError> {
        let kept = self.encoder.take().filter(|(of, _)| *of == compression);
        let kept = match kept {
            Some(kept) => kept,
            None => (compression, Encoder::with(compression)?),
        };
        Ok(&mut self.encoder.insert(kept).1)
    }
}

/// Whether a peer that can read `form` can read these compressed bytes as they are.
fn is_readable(stored: &[u8], form: Form) -> bool {
    let limits = Limits::HOST;
    match form {
        Form::Plain => false,
        Form::Zstd => Format::of(stored) == Some(Format::Zstd),
        Form::ZstdWindow(log) => Frame::parse(stored, limits.chunk_len_max, limits.zstd_window_max)
            .is_ok_and(|frame| 1_u64.checked_shl(log.into()).is_some_and(|max| frame.window_len() <= max)),
    }
}

#[cfg(test)]
mod tests {
    use desync_core::DigestKind;
    use desync_test_kit::blob;

    use super::*;

    #[test]
    fn what_will_do_is_not_touched_and_all_else_is_made_to_do() {
        let plain = &blob()[1_600_000..1_700_000];
        let id = DigestKind::Sha512_256.id_of(plain);
        let mut frame = Vec::new();
        Encoder::with(Compression::DEFAULT).unwrap().encode(plain, &mut frame).unwrap();
        let chunks = [
            Chunk::from_stored(id, StorageForm::Compressed, frame.clone().into()),
            Chunk::from_stored(id, StorageForm::Plain, plain.to_vec().into()),
        ];
        let mut former = Former::new();
        for chunk in &chunks {
            assert_eq!(former.bring(chunk, Form::Plain).unwrap()[..], *plain);
            for form in [Form::Zstd, Form::ZstdWindow(12), Form::ZstdWindow(17)] {
                let made = former.bring(chunk, form).unwrap();
                assert!(is_readable(&made, form), "{form:?}");
                let mut back = Vec::new();
                HostDecoder::new(&Limits::HOST).decode(&made, plain.len() as u64, &mut back).unwrap();
                assert!(back == plain, "{form:?}");
            }
        }
        assert!(former.bring(&chunks[0], Form::Zstd).unwrap()[..] == frame);
        assert!(former.bring(&chunks[0], Form::ZstdWindow(12)).unwrap()[..] != frame);
    }

    #[test]
    fn damage_is_told() {
        let id = DigestKind::Sha512_256.id_of(b"x");
        let damaged = Chunk::from_stored(id, StorageForm::Compressed, [1, 2, 3][..].into());
        assert!(matches!(Former::new().bring(&damaged, Form::Zstd), Err(FormError::Decode(_))));
        let empty = Chunk::from_stored(id, StorageForm::Plain, [][..].into());
        assert!(Former::new().bring(&empty, Form::Plain).is_err());
    }
}
