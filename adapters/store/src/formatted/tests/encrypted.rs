//! Encrypted chunks: kept, converted between forms and keys, refused.

use desync_core::format::CipherKind;

use super::*;

const KINDS: [CipherKind; 2] = [CipherKind::XChaCha20Poly1305, CipherKind::Aes256Gcm];

fn cipher(kind: CipherKind, byte: u8) -> Arc<ChunkCipher> {
    Arc::new(ChunkCipher::new(kind, &[byte; 32]))
}

fn with(compressed: bool, cipher: Option<&Arc<ChunkCipher>>) -> FormattedStore<Memory> {
    store(FormatOptions { compressed, cipher: cipher.cloned(), ..FormatOptions::default() })
}

/// Every form there is: compressed or not, not encrypted or by several keys.
fn every_form() -> Vec<(bool, Option<Arc<ChunkCipher>>)> {
    let ciphers = KINDS.map(|kind| Some(cipher(kind, 1)));
    let ciphers = ciphers.into_iter().chain([None, Some(cipher(KINDS[0], 2))]);
    ciphers.flat_map(|cipher| [(true, cipher.clone()), (false, cipher)]).collect()
}

fn text() -> Vec<u8> {
    b"some text, some text, some text, some text".repeat(100)
}

#[test]
fn plain_bytes_that_stay_the_callers_are_kept_in_every_form() {
    for (compressed, cipher) in every_form() {
        let store = with(compressed, cipher.as_ref());
        store.put_plain(VerifiedChunk::name(DigestKind::Sha512_256, &text()[..])).unwrap();
        let got = store.get(&wanted(&text())).unwrap();
        assert_eq!(got.plain().unwrap().bytes(), text());
        let stored = store.backend().get(wanted(&text()).id, store.form()).unwrap();
        assert_eq!(stored == text(), !compressed && cipher.is_none());
        assert_eq!(stored.len() < text().len(), compressed);
    }
}

#[test]
fn what_is_put_encrypted_is_got_and_does_not_show() {
    for kind in KINDS {
        let cipher = cipher(kind, 1);
        for compressed in [true, false] {
            let store = with(compressed, Some(&cipher));
            store.put(&chunk(&text())).unwrap();
            assert!(store.has(&wanted(&text()).id).unwrap());
            let got = store.get(&wanted(&text())).unwrap();
            assert_eq!(got.plain().unwrap().bytes(), text());
            let stored = store.backend().get(wanted(&text()).id, store.form()).unwrap();
            assert!(!stored.windows(9).any(|window| window == b"some text"));
            assert_eq!(stored.len() < text().len(), compressed);
        }
    }
}

#[test]
fn chunks_go_from_any_form_to_any_other_verified_or_not() {
    for (compressed, cipher) in every_form() {
        for skip_verify in [true, false] {
            let options =
                FormatOptions { compressed, cipher: cipher.clone(), skip_verify, ..Default::default() };
            let source = store(options);
            source.put(&chunk(&text())).unwrap();
            let got = source.get(&wanted(&text())).unwrap();
            assert_eq!(got.plain().is_none(), skip_verify);
            for (compressed, cipher) in every_form() {
                let target = with(compressed, cipher.as_ref());
                target.put(&got).unwrap();
                assert_eq!(target.get(&wanted(&text())).unwrap().plain().unwrap().bytes(), text());
                let kept = target.backend().get(wanted(&text()).id, target.form()).unwrap();
                let had = got.stored_as(target.form()).map(|had| had.to_vec());
                assert_eq!(had.as_ref() == Some(&kept), source.form() == target.form());
            }
        }
    }
}

#[test]
fn only_layers_that_differ_are_changed() {
    let id = wanted(b"x").id;
    let (one, other) = (cipher(KINDS[0], 1), cipher(KINDS[1], 2));
    let (source, target) = (with(true, Some(&one)), with(true, Some(&other)));
    let mark = b"compressed in a way that no encoder does";
    let stored = one.seal(mark).unwrap();
    let got = Chunk::from_stored(id, source.form(), stored.into()).with_cipher(Some(&one));
    target.put(&got).unwrap();
    assert_eq!(other.open(&target.backend().get(id, target.form()).unwrap()).unwrap(), mark);
    let plainly = with(true, None);
    plainly.put(&got).unwrap();
    assert_eq!(plainly.backend().get(id, StorageForm::Compressed).unwrap(), mark);
}

#[test]
fn what_does_not_decrypt_is_invalid() {
    let (right, wrong) = (cipher(KINDS[0], 1), cipher(KINDS[0], 2));
    let store = with(true, Some(&right));
    let id = wanted(b"x").id;
    for (stored, cause) in [
        (b"short".to_vec(), "no nonce prefix found in chunk, not encrypted or wrong algorithm"),
        (b"long enough, but never encrypted at all, and so not authentic".to_vec(), "authentication failed"),
        (wrong.seal(b"x").unwrap(), "authentication failed"),
        (right.seal(b"x").unwrap(), "not a compressed chunk"),
        (right.seal(b"").unwrap(), "no data in chunk"),
    ] {
        store.backend().set(id, store.form(), &stored);
        let error = store.get(&wanted(b"x")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.cause.contains(cause), "{error}");
    }
    // Another key's chunks are not seen.
    let other = with(true, Some(&wrong));
    other.backend().set(id, store.form(), &right.seal(b"x").unwrap());
    assert!(!other.has(&id).unwrap());
    assert_eq!(other.get(&wanted(b"x")).unwrap_err().kind, ErrorKind::Missing);
}

#[test]
fn defect_56_swapped_chunks_are_noticed_where_their_bytes_are_used() {
    let cipher = cipher(KINDS[0], 1);
    let store = store(FormatOptions { cipher: Some(cipher), skip_verify: true, ..FormatOptions::default() });
    store.put(&chunk(b"evil")).unwrap();
    let stored = store.backend().get(wanted(b"evil").id, store.form()).unwrap();
    store.backend().set(wanted(b"good").id, store.form(), &stored);
    let swapped = store.get(&wanted(b"good")).unwrap();
    let error = Opener::new().open(&swapped, &wanted(b"good"), "memory").unwrap_err();
    assert!(error.cause.contains("does not match its hash"), "{error}");
}
