//! The manifest of a chunk: which blob has its stored bytes.
//!
//! Source of the types: Go desync `oci.go`; of the rest, the OCI image specification 1.1.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const ARTIFACT_TYPE: &str = "application/vnd.desync.chunk.v1";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const BLOB_TYPE: &str = "application/octet-stream";

/// The blob that stands for a config where there is none.
pub(crate) const EMPTY_BLOB: &[u8] = b"{}";

/// The longest blob that can be a chunk.
const BLOB_MAX: i64 = 1 << 30;

/// A manifest, in the order in which Go desync writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    artifact_type: String,
    config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: Annotations,
}

/// A blob by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    media_type: String,
    pub(crate) digest: String,
    size: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Annotations {
    #[serde(rename = "org.opencontainers.image.title", default)]
    title: String,
    /// When somebody stored it, or found it and relied on it from then on, as RFC 3339 writes times. Ours: registries
    /// tell no times.
    #[serde(rename = "desync.used", default, skip_serializing_if = "Option::is_none")]
    used: Option<String>,
}

/// Why a manifest gives no chunk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// It is no manifest.
    #[error("no manifest: {0}")]
    Malformed(String),
    /// It is one of something else.
    #[error("no chunk")]
    Foreign,
    /// A chunk has one blob.
    #[error("expected one layer, got {0}")]
    Layers(usize),
    /// No chunk is that long.
    #[error("invalid size {0}")]
    Size(i64),
    /// The blob has a name that is none.
    #[error("invalid digest")]
    Digest,
}

impl Manifest {
    /// That of a chunk that is stored now.
    pub(crate) fn new(tag: &str, stored: &[u8]) -> Self {
        Self::without_time(tag, stored).used_now()
    }

    /// The same chunk, used now.
    pub(crate) fn used_now(mut self) -> Self {
        self.annotations.used = Some(jiff::Timestamp::now().to_string());
        self
    }

    /// When it was last stored or relied upon, if it says.
    pub(crate) fn used(&self) -> Option<SystemTime> {
        Some(self.annotations.used.as_deref()?.parse::<jiff::Timestamp>().ok()?.into())
    }

    fn without_time(tag: &str, stored: &[u8]) -> Self {
        let descriptor = |media_type: &str, bytes: &[u8]| Descriptor {
            media_type: media_type.to_owned(),
            digest: digest_of(bytes),
            size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        };
        Self {
            schema_version: 2,
            media_type: MANIFEST_TYPE.to_owned(),
            artifact_type: ARTIFACT_TYPE.to_owned(),
            config: descriptor(EMPTY_TYPE, EMPTY_BLOB),
            layers: vec![descriptor(BLOB_TYPE, stored)],
            annotations: Annotations { title: tag.to_owned(), used: None },
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`InvalidManifest::Malformed`], and [`InvalidManifest::Foreign`] for that of another artifact.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidManifest> {
        let read: Self =
            serde_json::from_slice(text).map_err(|error| InvalidManifest::Malformed(error.to_string()))?;
        if read.artifact_type == ARTIFACT_TYPE { Ok(read) } else { Err(InvalidManifest::Foreign) }
    }

    /// The blob with the chunk's stored bytes, and how many those are.
    ///
    /// # Errors
    /// Anything that is not exactly one blob of a possible length.
    pub fn blob(&self) -> Result<(&str, u64), InvalidManifest> {
        let [blob] = &self.layers[..] else { return Err(InvalidManifest::Layers(self.layers.len())) };
        let size = u64::try_from(blob.size).ok().filter(|_| blob.size <= BLOB_MAX);
        let size = size.ok_or(InvalidManifest::Size(blob.size))?;
        // It becomes part of a URL.
        let (algorithm, digits) = blob.digest.split_once(':').ok_or(InvalidManifest::Digest)?;
        let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if is_plain(algorithm) && is_plain(digits) {
            Ok((&blob.digest, size))
        } else {
            Err(InvalidManifest::Digest)
        }
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers can be written")
    }
}

/// What a registry calls these bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    let mut name = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        name.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        name.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_written_as_go_desync_does_and_has_a_time() {
        let without = Manifest::without_time("00ff.cacnk", b"abc");
        let text = String::from_utf8(without.bytes()).unwrap();
        assert_eq!(
            text,
            "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\
             \"artifactType\":\"application/vnd.desync.chunk.v1\",\
             \"config\":{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\
             \"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2},\
             \"layers\":[{\"mediaType\":\"application/octet-stream\",\
             \"digest\":\"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\",\"size\":3}],\
             \"annotations\":{\"org.opencontainers.image.title\":\"00ff.cacnk\"}}"
        );
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), without);
        assert_eq!(without.used(), None);

        let before = SystemTime::now();
        let used = without.used_now();
        let read = Manifest::parse(&used.bytes()).unwrap();
        assert_eq!((read.blob(), &read), (used.blob(), &used));
        assert!(read.used().unwrap() >= before && read.used().unwrap() <= SystemTime::now());
    }

    #[test]
    fn manifests_of_other_things_and_of_nonsense_give_no_chunk() {
        let good = String::from_utf8(Manifest::new("x", b"abc").bytes()).unwrap();
        let blob = |from: &str, to: &str| {
            let changed = good.replace(from, to);
            assert_ne!(changed, good, "{from}");
            Manifest::parse(changed.as_bytes()).and_then(|manifest| manifest.blob().map(|(_, size)| size))
        };
        assert_eq!(blob("\"size\":3", "\"size\":4"), Ok(4));
        assert_eq!(blob("\"size\":3", "\"size\":-1"), Err(InvalidManifest::Size(-1)));
        assert_eq!(blob("\"size\":3", "\"size\":1073741825"), Err(InvalidManifest::Size((1 << 30) + 1)));
        assert_eq!(blob("desync.chunk", "other"), Err(InvalidManifest::Foreign));
        assert_eq!(blob("sha256:ba78", "sha256:../ba78"), Err(InvalidManifest::Digest));
        let two = Manifest { layers: Vec::new(), ..Manifest::new("x", b"abc") };
        assert_eq!(two.blob(), Err(InvalidManifest::Layers(0)));
        assert!(matches!(Manifest::parse(b"{}"), Err(InvalidManifest::Malformed(_))));
    }
}
