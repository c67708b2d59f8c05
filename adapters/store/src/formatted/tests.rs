//! Forms, verification, bounds and retries over a backend in memory.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use desync_codec::Encoder;
use desync_core::chunk_source::WantedLen;
use desync_core::codec::zstd::Frame;
use desync_core::{DigestKind, VerifiedChunk};

use super::*;
use crate::fake::{at_once, wanted};
use crate::{ErrorKind, Operation};

mod encrypted;

/// Stored bytes by name; fails as often as told.
#[derive(Default)]
struct Memory {
    stored: Mutex<HashMap<(ChunkId, StorageForm), Vec<u8>>>,
    failures: Mutex<Vec<ErrorKind>>,
    longest_read: Mutex<u64>,
    is_remote: bool,
    /// How many reads to damage, and one.
    damage: Mutex<u32>,
}

impl Memory {
    fn set(&self, id: ChunkId, form: StorageForm, stored: &[u8]) {
        self.stored.lock().unwrap().insert((id, form), stored.to_vec());
    }

    fn get(&self, id: ChunkId, form: StorageForm) -> Option<Vec<u8>> {
        self.stored.lock().unwrap().get(&(id, form)).cloned()
    }

    fn fail(&self, operation: Operation) -> Result<(), StoreError> {
        match self.failures.lock().unwrap().pop() {
            Some(kind) => Err(StoreError::new(kind, operation, "memory", "told to fail")),
            None => Ok(()),
        }
    }
}

impl Backend for Memory {
    fn location(&self) -> &str {
        "memory"
    }
    fn read(&self, id: &ChunkId, form: StorageForm, len_max: u64) -> Result<Bytes, StoreError> {
        self.fail(Operation::Get)?;
        *self.longest_read.lock().unwrap() = len_max;
        let stored = self.get(*id, form).ok_or_else(|| StoreError::missing(Operation::Get, "memory", id))?;
        let mut damage = self.damage.lock().unwrap();
        *damage = damage.saturating_sub(1);
        Ok(if *damage > 0 { stored[1..].to_vec() } else { stored }.into())
    }
    fn read_at_once(&self, id: &ChunkId, form: StorageForm, len_max: u64) -> Option<Bytes> {
        self.get(*id, form).filter(|stored| stored.len() as u64 <= len_max).map(Bytes::from)
    }
    fn is_remote(&self) -> bool {
        self.is_remote
    }
    fn exists(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError> {
        self.fail(Operation::Has)?;
        Ok(self.get(*id, form).is_some())
    }
    fn write(&self, id: &ChunkId, form: StorageForm, stored: &[u8]) -> Result<(), StoreError> {
        self.fail(Operation::Put)?;
        self.set(*id, form, stored);
        Ok(())
    }
}

fn store(options: FormatOptions) -> FormattedStore<Memory> {
    let retry = RetryPolicy::new(2, Duration::ZERO);
    FormattedStore::new(Memory::default(), FormatOptions { retry, ..options })
}

fn plain() -> FormattedStore<Memory> {
    store(FormatOptions { compressed: false, ..FormatOptions::default() })
}

fn chunk(bytes: &[u8]) -> Chunk {
    Chunk::from_plain(VerifiedChunk::name(DigestKind::Sha512_256, bytes.into()))
}

#[test]
fn what_is_put_is_got_in_both_forms() {
    let bytes = b"some text, some text, some text, some text".repeat(100);
    for store in [plain(), store(FormatOptions::default())] {
        assert!(!store.has(&wanted(&bytes).id).unwrap());
        store.put(&chunk(&bytes)).unwrap();
        assert!(store.has(&wanted(&bytes).id).unwrap());
        let found = at_once(4, |_| store.get(&wanted(&bytes)).unwrap());
        assert!(found.iter().all(|chunk| chunk.plain().unwrap().bytes() == bytes));
        let form = store.form();
        let stored = store.backend().get(wanted(&bytes).id, form).unwrap();
        assert_eq!(stored.len() < bytes.len(), form == StorageForm::Compressed);
    }
}

#[test]
fn a_network_gets_a_second_try() {
    for (is_remote, damaged_reads, is_right) in [(true, 1, true), (true, 2, false), (false, 1, false)] {
        let damage = Mutex::new(damaged_reads + 1);
        let backend = Memory { is_remote, damage, ..Memory::default() };
        let store = FormattedStore::new(backend, FormatOptions::default());
        store.put(&chunk(b"good")).unwrap();
        match store.get(&wanted(b"good")) {
            Ok(_) => assert!(is_right),
            Err(error) => assert!(error.kind == ErrorKind::Invalid && !is_right, "{error}"),
        }
    }
}

#[test]
fn damage_is_refused() {
    let (good, bad) = (b"good".as_slice(), b"evil".as_slice());
    let store = plain();
    store.backend().set(wanted(good).id, StorageForm::Plain, bad);
    let error = store.get(&wanted(good)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    let expected = format!("chunk id {} does not match its hash {}", wanted(good).id, wanted(bad).id);
    assert_eq!(error.to_string(), format!("memory: {expected}"));

    let store = self::store(FormatOptions::default());
    for (stored, cause) in [(&b""[..], "no data in chunk"), (b"nonsense", "not a compressed chunk")] {
        store.backend().set(wanted(good).id, StorageForm::Compressed, stored);
        let error = store.get(&wanted(good)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert_eq!(error.to_string(), format!("memory: invalid chunk {}: {cause}", wanted(good).id));
    }
}

#[test]
fn another_length_is_refused() {
    for store in [plain(), store(FormatOptions::default())] {
        store.put(&chunk(b"12345")).unwrap();
        for len in [WantedLen::Exactly(4), WantedLen::Exactly(6), WantedLen::AtMost(4)] {
            let error = store.get(&Wanted { len, ..wanted(b"12345") }).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid, "{len:?}");
            assert!(error.cause.contains("unexpected size for chunk"), "{error}");
        }
        store.get(&Wanted { len: WantedLen::AtMost(9), ..wanted(b"12345") }).unwrap();
    }
}

#[test]
fn defect_25_a_small_chunk_that_becomes_large_is_refused() {
    let bomb = vec![0; 50 << 20];
    let store = store(FormatOptions::default());
    store.put(&chunk(&bomb)).unwrap();
    let stored = store.backend().get(wanted(&bomb).id, StorageForm::Compressed).unwrap();
    let small = wanted(b"small");
    store.backend().set(small.id, StorageForm::Compressed, &stored);
    let error = store.get(&small).unwrap_err();
    assert!(error.cause.contains("unexpected size for chunk"), "{error}");
}

#[test]
fn defect_32_no_more_is_read_than_a_chunk_can_take() {
    let store = plain();
    store.put(&chunk(b"12345")).unwrap();
    store.get(&wanted(b"12345")).unwrap();
    assert_eq!(*store.backend().longest_read.lock().unwrap(), 5);
    let store = self::store(FormatOptions::default());
    store.put(&chunk(b"12345")).unwrap();
    store.get(&wanted(b"12345")).unwrap();
    assert!(*store.backend().longest_read.lock().unwrap() <= 5 + 4096);
    store.get(&Wanted { len: WantedLen::AtMost(u64::MAX), ..wanted(b"12345") }).unwrap();
}

#[test]
fn incompressible_chunks_fit_the_bound() {
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    let noise: Vec<u8> = noise.take(300_000).collect();
    let store = store(FormatOptions::default());
    for len in [1, 100, 4096, 131_073, 300_000] {
        store.put(&chunk(&noise[..len])).unwrap();
        store.get(&wanted(&noise[..len])).unwrap();
    }
}

#[test]
fn a_chunk_is_had_at_once_only_as_it_is_stored() {
    let (id, form) = (wanted(b"chunk").id, StorageForm::Compressed);
    let as_stored = store(FormatOptions { skip_verify: true, ..FormatOptions::default() });
    assert!(as_stored.get_at_once(&wanted(b"chunk")).is_none());
    as_stored.put(&chunk(b"chunk")).unwrap();
    let slowly = as_stored.get(&wanted(b"chunk")).unwrap();
    // Through whatever is made of it for a server.
    let shared = crate::Dedup::new(crate::Swap::new(Arc::new(as_stored)));
    let at_once = shared.get_at_once(&wanted(b"chunk")).unwrap();
    assert_eq!((at_once.id(), at_once.stored_form()), (id, Some(form)));
    assert_eq!(at_once.stored_as(form), slowly.stored_as(form));
    assert!(at_once.plain().is_none());

    let large = vec![7; 2 << 20];
    let plain = store(FormatOptions { skip_verify: true, compressed: false, ..FormatOptions::default() });
    plain.put(&chunk(&large)).unwrap();
    assert!(plain.get_at_once(&wanted(&large)).is_none(), "so much is work for another thread");
    let verifying = store(FormatOptions::default());
    verifying.put(&chunk(b"chunk")).unwrap();
    assert!(verifying.get_at_once(&wanted(b"chunk")).is_none(), "decoding is work for another thread");
}

#[test]
fn stored_bytes_pass_through() {
    let (upstream, cache) = (store(FormatOptions::default()), store(FormatOptions::default()));
    upstream.put(&chunk(b"chunk")).unwrap();
    cache.put(&upstream.get(&wanted(b"chunk")).unwrap()).unwrap();
    let stored =
        |store: &FormattedStore<Memory>| store.backend().get(wanted(b"chunk").id, StorageForm::Compressed);
    assert_eq!(stored(&upstream), stored(&cache));
    // Marked bytes show that nothing is encoded again.
    let marked = Chunk::from_stored(wanted(b"chunk").id, StorageForm::Compressed, b"mark"[..].into());
    cache.put(&marked).unwrap();
    assert_eq!(stored(&cache).unwrap(), b"mark");
}

#[test]
fn verification_can_be_skipped() {
    let options = FormatOptions { skip_verify: true, ..FormatOptions::default() };
    let store = store(options);
    store.put(&chunk(b"evil")).unwrap();
    let stored = store.backend().get(wanted(b"evil").id, StorageForm::Compressed).unwrap();
    store.backend().set(wanted(b"good").id, StorageForm::Compressed, &stored);
    let unverified = store.get(&wanted(b"good")).unwrap();
    assert!(unverified.plain().is_none(), "unverified bytes must not pass for verified ones");
    // They convert to another form, and are found out where they are wanted plain.
    let plain = plain();
    plain.put(&unverified).unwrap();
    assert_eq!(plain.backend().get(wanted(b"good").id, StorageForm::Plain).unwrap(), b"evil");
    let error = Opener::new().open(&unverified, &wanted(b"good"), "memory").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
}

#[test]
fn what_may_pass_is_tried_again() {
    let store = plain();
    let fail = |kinds: &[ErrorKind]| *store.backend().failures.lock().unwrap() = kinds.to_vec();
    fail(&[ErrorKind::Transient; 2]);
    store.put(&chunk(b"x")).unwrap();
    fail(&[ErrorKind::Transient; 2]);
    store.get(&wanted(b"x")).unwrap();
    fail(&[ErrorKind::Transient; 2]);
    assert!(store.has(&wanted(b"x").id).unwrap());
    fail(&[ErrorKind::Transient; 3]);
    assert_eq!(store.get(&wanted(b"x")).unwrap_err().kind, ErrorKind::Transient);
    fail(&[ErrorKind::Transient, ErrorKind::Permanent]);
    assert_eq!(store.get(&wanted(b"x")).unwrap_err().kind, ErrorKind::Permanent);
}

#[test]
fn a_level_that_is_none_is_told() {
    let store = store(FormatOptions {
        compression: Compression { level: 99, window_log: None },
        ..FormatOptions::default()
    });
    let error = store.put(&chunk(b"x")).unwrap_err();
    assert!(error.cause.contains("level 99"), "{error}");
}

#[test]
fn large_windows_are_not_kept() {
    let plain: Vec<u8> = (0..40_000_u32).flat_map(|n| (n / 9 % 251).to_le_bytes()).collect();
    let mut stored = Vec::new();
    Encoder::with(Compression::DEFAULT).unwrap().encode(&plain, &mut stored).unwrap();
    let id = DigestKind::Sha512_256.id_of(&plain);
    let wanted = Wanted { id, digest: DigestKind::Sha512_256, len: WantedLen::Exactly(plain.len() as u64) };
    let chunk = Chunk::from_stored(id, StorageForm::Compressed, stored.clone().into());
    for (compression, is_kept) in [(Compression::DEFAULT, true), (Compression::DEVICE, false)] {
        let store = store(FormatOptions { compression, ..FormatOptions::default() });
        store.put(&chunk).unwrap();
        let got = store.get(&wanted).unwrap();
        assert!(got.plain().unwrap().bytes() == plain);
        let kept = got.stored_as(StorageForm::Compressed).unwrap();
        assert_eq!(kept[..] == stored[..], is_kept);
        let window = Frame::parse(kept, plain.len() as u64, 1 << 20).unwrap().window_len();
        assert!(is_kept || window <= 4096);
    }
}
