//! Known answers of other implementations, and what is refused.

use super::*;

/// Keys that a user may know from Go desync's documentation, and another.
const KEY: &str = "6368616e676520746869732070617373776f726420746f206120736563726574";
const OTHER_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const KINDS: [CipherKind; 2] = [CipherKind::XChaCha20Poly1305, CipherKind::Aes256Gcm];

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| byte_of(pair).unwrap()).collect()
}

#[test]
fn answers_are_those_of_other_implementations() {
    let mut count = 0;
    for line in include_str!("vectors.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [key, kind, plain, sealed] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let kind: CipherKind = kind.parse().unwrap();
        let (plain, sealed) = (bytes(plain), bytes(sealed));
        let cipher = ChunkCipher::from_hex(kind, key).unwrap();
        assert_eq!(cipher.seal_with(&sealed[..kind.nonce_len()], &plain).unwrap(), sealed);
        assert_eq!(cipher.open(&sealed).unwrap(), plain);
        count += 1;
    }
    assert_eq!(count, 12);
}

#[test]
fn labels_are_those_of_go_desync() {
    let label = |kind| ChunkCipher::from_hex(kind, KEY).unwrap().label().to_string();
    assert_eq!(KINDS.map(label), ["xchacha20-poly1305-50d64035", "aes-256-gcm-50d64035"]);
}

#[test]
fn what_is_sealed_opens_with_the_same_key_only() {
    for kind in KINDS {
        let cipher = ChunkCipher::from_hex(kind, KEY).unwrap();
        let other = ChunkCipher::from_hex(kind, OTHER_KEY).unwrap();
        let sealed = cipher.seal(b"chunk").unwrap();
        assert_eq!(sealed.len(), 5 + sealing_adds(kind));
        assert_ne!(cipher.seal(b"chunk").unwrap(), sealed, "each nonce is new");
        assert_eq!(cipher.open(&sealed).unwrap(), b"chunk");
        assert_eq!(other.open(&sealed), Err(CipherError::NotAuthentic));
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(cipher.open(&changed), Err(CipherError::NotAuthentic));
            let expected =
                if place < kind.nonce_len() { CipherError::NoNonce } else { CipherError::NotAuthentic };
            assert_eq!(cipher.open(&sealed[..place]), Err(expected));
        }
    }
}

#[test]
fn bad_keys_are_told_and_no_key_is_shown() {
    let error = |digits: &str| {
        ChunkCipher::from_hex(CipherKind::default(), digits).map(|_| ()).unwrap_err().to_string()
    };
    for digits in ["zz", "0", "+1", "é", &KEY[1..], &KEY.replace('6', "x")] {
        assert!(error(digits).starts_with("invalid encryption key"), "{digits}");
    }
    assert_eq!(error("00"), "encryption key must be 32 bytes, got 1");
    assert_eq!(error(""), "encryption key must be 32 bytes, got 0");
    assert_eq!(error(&KEY.repeat(2)), "encryption key must be 32 bytes, got 64");
    let cipher = ChunkCipher::from_hex(CipherKind::Aes256Gcm, &KEY.to_uppercase()).unwrap();
    assert_eq!(format!("{cipher:?}"), "ChunkCipher(aes-256-gcm-50d64035)");
}
