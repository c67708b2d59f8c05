//! Manifests from a registry: whatever is taken for a chunk's names one blob that can be asked for.

use desync_store_oci::Manifest;

pub(super) fn run(bytes: &[u8]) {
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    let Ok((digest, size)) = manifest.blob() else { return };
    assert!(size <= 1 << 30);
    assert!(digest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b':'), "{digest}");
}
