//! `golden/chunker_vectors.json` as values.

use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{blob, golden, prng};

/// The whole file.
#[derive(Debug, Deserialize)]
pub struct Vectors {
    /// SHA-256 of the rolling hash's table as little-endian words.
    #[serde(deserialize_with = "hex")]
    pub table_sha256: Vec<u8>,
    /// Hashes of single windows.
    pub hash_samples: Vec<HashSample>,
    /// Discriminators of chunk sizes under casync's rule.
    pub discriminators: Vec<DiscriminatorSample>,
    /// Cut inputs.
    pub vectors: Vec<Vector>,
    inputs: serde_json::Map<String, serde_json::Value>,
}

/// Bytes, and the hash of each window of 48 in them.
#[derive(Debug, Deserialize)]
pub struct HashSample {
    /// At least 48 bytes.
    #[serde(rename = "window_hex", alias = "stream_hex", deserialize_with = "hex")]
    pub bytes: Vec<u8>,
    /// The hashes of the first window and, rolling on, of the others.
    #[serde(rename = "hash", alias = "hashes", deserialize_with = "hashes")]
    pub hashes: Vec<u32>,
}

/// The discriminator for three sizes.
#[derive(Debug, Deserialize)]
pub struct DiscriminatorSample {
    /// Smallest chunk.
    pub min: u64,
    /// Average chunk.
    pub avg: u64,
    /// Largest chunk.
    pub max: u64,
    /// What casync uses.
    pub discriminator: u32,
}

/// One input, cut.
#[derive(Debug, Deserialize)]
pub struct Vector {
    /// What the vector is called.
    pub name: String,
    /// Which input; see [`Vectors::input`].
    pub input: String,
    /// Smallest chunk.
    pub min: u64,
    /// Average chunk.
    pub avg: u64,
    /// Largest chunk.
    pub max: u64,
    /// What casync uses; none for a fixed size.
    pub discriminator: Option<u32>,
    /// How many chunks.
    pub chunk_count: usize,
    /// How many of them but for the last are exactly `min` long.
    pub count_cut_at_min: usize,
    /// Lengths of the first chunks.
    pub lengths_first: Vec<usize>,
    /// IDs of the first chunks under SHA-512/256, hexadecimal.
    pub ids_sha512_256_first: Vec<String>,
    /// IDs of the first chunks under SHA-256, hexadecimal.
    pub ids_sha256_first: Vec<String>,
    /// SHA-256 of the whole index that casync writes under SHA-512/256, hexadecimal.
    pub caibx_sha256_with_sha512_256: String,
    /// SHA-256 of the whole index that casync writes under SHA-256, hexadecimal.
    pub caibx_sha256_with_sha256: String,
    /// Whether Go desync cuts the same; none where it was not run.
    pub desync_same: Option<bool>,
    /// How many chunks Go desync makes, where it differs.
    pub desync_chunk_count: Option<usize>,
    /// Lengths of Go desync's first chunks, where it differs.
    pub desync_lengths_first: Option<Vec<usize>>,
}

impl Vectors {
    /// The bytes of an input by its name.
    ///
    /// # Panics
    /// If there is no such input.
    #[must_use]
    pub fn input(&self, name: &str) -> Vec<u8> {
        let definition = &self.inputs[name]["definition"];
        let number = |key: &str| definition[key].as_u64().expect("a number");
        match definition["kind"].as_str().expect("a kind") {
            "prng" => prng(number("length") as usize, number("start")),
            "zeros" => vec![0; number("length") as usize],
            "hex" => from_hex(definition["hex"].as_str().expect("hex digits")).expect("hex digits"),
            "script" => blob(),
            kind => panic!("input {name} is of unknown kind {kind}"),
        }
    }
}

/// The vectors, read once.
#[must_use]
pub fn vectors() -> &'static Vectors {
    static VECTORS: OnceLock<Vectors> = OnceLock::new();
    VECTORS.get_or_init(|| {
        serde_json::from_slice(&golden::read("chunker_vectors.json"))
            .expect("chunker_vectors.json is well formed")
    })
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    from_hex(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("not hexadecimal"))
}

fn hashes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    let texts = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    };
    texts.iter().map(|text| u32::from_str_radix(text, 16).map_err(D::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn inputs_have_the_recorded_digests() {
        let vectors = vectors();
        assert_eq!(vectors.vectors.len(), 16);
        for (name, facts) in &vectors.inputs {
            let digest = Sha256::digest(vectors.input(name));
            assert_eq!(digest[..], from_hex(facts["sha256"].as_str().unwrap()).unwrap(), "{name}");
        }
    }
}
