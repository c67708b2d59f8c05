//! Tests of index stores across a network, over a backend in memory that breaks off.

use std::sync::Mutex;
use std::time::Duration;

use super::*;

/// One index; every body breaks off after `body_len` bytes, and reading or writing fails `failures` times.
#[derive(Default)]
struct Fragile {
    bytes: Mutex<Vec<u8>>,
    body_len: usize,
    has_ranges: bool,
    versions: Mutex<Vec<&'static str>>,
    failures: Mutex<u32>,
    requests: Mutex<Vec<u64>>,
}

struct Breaking<'a>(&'a mut dyn Read);

impl Read for Breaking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 if !buffer.is_empty() => Err(io::ErrorKind::ConnectionReset.into()),
            count => Ok(count),
        }
    }
}

struct OwnedBreaking(io::Cursor<Vec<u8>>, bool);

impl Read for OwnedBreaking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1 { Breaking(&mut self.0).read(buffer) } else { self.0.read(buffer) }
    }
}

impl Fragile {
    fn fail(&self, operation: Operation) -> Result<(), StoreError> {
        let mut left = self.failures.lock().unwrap();
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        Err(StoreError::new(ErrorKind::Transient, operation, "fragile", "told to fail"))
    }
}

impl IndexBackend for Fragile {
    fn location(&self) -> &str {
        "fragile"
    }

    fn read(&self, _name: &str, offset: u64) -> Result<IndexBody, StoreError> {
        self.fail(Operation::Get)?;
        self.requests.lock().unwrap().push(offset);
        let offset = if self.has_ranges { offset } else { 0 };
        let bytes = self.bytes.lock().unwrap()[usize::try_from(offset).unwrap()..].to_vec();
        let breaks = bytes.len() > self.body_len;
        let part = bytes[..bytes.len().min(self.body_len)].to_vec();
        let version = self.versions.lock().unwrap().pop().map(str::to_owned);
        Ok(IndexBody { bytes: Box::new(OwnedBreaking(io::Cursor::new(part), breaks)), offset, version })
    }

    fn write(&self, _name: &str, bytes: &mut dyn Read, len: u64) -> Result<(), StoreError> {
        let mut whole = Vec::new();
        bytes.read_to_end(&mut whole).unwrap();
        assert_eq!(whole.len() as u64, len);
        self.fail(Operation::Put)?;
        *self.bytes.lock().unwrap() = whole;
        Ok(())
    }
}

fn content() -> Vec<u8> {
    (0..=255).collect()
}

fn store(backend: Fragile, retries: u32) -> (RemoteIndexStore, Arc<Fragile>) {
    let backend = Arc::new(backend);
    (RemoteIndexStore::new(Arc::clone(&backend) as _, RetryPolicy::new(retries, Duration::ZERO)), backend)
}

fn read(store: &RemoteIndexStore) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    store.read("x.caibx").unwrap().read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn defect_44_a_broken_body_is_continued() {
    let (ranges, backend) =
        store(Fragile { bytes: content().into(), body_len: 100, has_ranges: true, ..Fragile::default() }, 1);
    assert_eq!(read(&ranges).unwrap(), content());
    assert_eq!(*backend.requests.lock().unwrap(), [0, 100, 200]);
}

#[test]
fn without_progress_the_failure_is_told() {
    // A server that always begins anew and breaks off at the same place.
    let (stuck, backend) = store(Fragile { bytes: content().into(), body_len: 100, ..Fragile::default() }, 2);
    let error = read(&stuck).unwrap_err().to_string();
    assert!(error.starts_with("fragile: get: x.caibx: "), "{error}");
    assert_eq!(backend.requests.lock().unwrap().len(), 3);
}

#[test]
fn another_version_is_not_mixed_in() {
    let versions = Mutex::new(vec!["b", "a"]);
    let fragile =
        Fragile { bytes: content().into(), body_len: 100, has_ranges: true, versions, ..Fragile::default() };
    let error = read(&store(fragile, 3).0).unwrap_err().to_string();
    assert!(error.contains("changed while it was read"), "{error}");
}

#[test]
fn an_upload_is_tried_again_whole() {
    let (store, backend) = store(Fragile { failures: Mutex::new(2), ..Fragile::default() }, 2);
    let mut writer = store.write("x.caibx").unwrap();
    writer.write_all(&content()).unwrap();
    writer.publish().unwrap();
    assert_eq!(*backend.bytes.lock().unwrap(), content());
}
