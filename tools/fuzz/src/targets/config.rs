//! Config files: what is accepted is written and read again as the same, and what is shown holds no secret.

use std::path::Path;

use desync_config::{Config, StoreFile, StoreOverrides, hide_in_url};
use serde_json::{Map, Value, json};

use crate::allocation::peak_of;

/// Bytes of memory for each byte of a file, and for any: an entry of eight bytes is as large as one with all options.
const HELD_PER_BYTE: usize = 512;
const HELD_ANYWAY: usize = 64 << 10;

/// Which values are secrets, by section.
const SECRETS: [(&str, &[&str]); 3] = [
    ("s3-credentials", &["secret-key"]),
    ("oci-credentials", &["secret"]),
    ("store-options", &["http-auth", "http-cookie", "encryption-key"]),
];

/// Locations that are looked up: each takes its length times that of all keys.
const LOCATIONS_MAX: usize = 4;

pub(super) fn run(bytes: &[u8]) {
    let (parsed, held) = peak_of(|| Config::parse(bytes));
    assert!(held <= bytes.len() * HELD_PER_BYTE + HELD_ANYWAY, "{held} bytes for {}", bytes.len());
    let _ = StoreFile::parse(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        hides_in_urls(text);
    }
    let Ok(config) = parsed else { return };
    let written = serde_json::to_vec_pretty(&config).expect("text and numbers");
    assert_eq!(Config::parse(&written).expect("what we wrote"), config);
    let written: Value = serde_json::from_slice(&written).expect("what we wrote");
    looks_up(&config, &written);
    hides_values(&config, written);
}

/// Locations are their own keys.
fn looks_up(config: &Config, written: &Value) {
    let (flags, working_dir) = (StoreOverrides::default(), Path::new("/a/b"));
    for (location, entry) in written["store-options"].as_object().into_iter().flatten().take(LOCATIONS_MAX) {
        let found = config.options_for(location, &flags, working_dir);
        if let (Ok(found), false) = (found, location.contains(['*', '?', '[', '\\'])) {
            assert_eq!(serde_json::to_value(found).expect("text and numbers"), *entry, "{location:?}");
        }
        let _ = (config.s3_credentials(location), config.oci_credentials(location, working_dir));
    }
}

/// What is shown does not depend on any secret, and no message about a location holds one.
fn hides_values(config: &Config, mut written: Value) {
    let secret = absent(&written);
    for (section, keys) in SECRETS {
        for (_, entry) in written[section].as_object_mut().into_iter().flatten() {
            for key in keys {
                if let Some(value) = entry.get_mut(*key).filter(|value| value.as_str() != Some("")) {
                    *value = secret.clone().into();
                }
            }
        }
    }
    let other = read(&written);
    assert_eq!(shown(config), shown(&other));
    assert!(!shown(&other).contains(&secret));

    // One in a location, twice.
    let location = format!("https://me:{secret}@h/?{secret}");
    let keys = [&location, &location.replacen("https", "http*", 1)];
    written["store-options"] =
        keys.into_iter().map(|key| (key.clone(), json!({}))).collect::<Map<_, _>>().into();
    let twice = read(&written);
    let refused = twice.options_for(&location, &StoreOverrides::default(), Path::new("/"));
    assert!(!refused.expect_err("two entries").to_string().contains(&secret));
    assert!(!shown(&twice).contains(&secret));
    written["store-options"][&location] = json!(secret);
    let refused = Config::parse(written.to_string().as_bytes()).expect_err("no object");
    assert!(!refused.to_string().contains(&secret));
}

/// A secret beside any text is hidden in a URL, where the text leaves it one.
fn hides_in_urls(text: &str) {
    let secret = absent(&json!(text));
    let in_query = format!("https://h/?{text}{secret}");
    assert!(!hide_in_url(&in_query).contains(&secret), "{in_query}");
    let in_second = format!("https://h/{text}|https://me:{secret}@h/");
    assert!(!hide_in_url(&in_second).contains(&secret), "{in_second}");
    // With a slash it may be a port and a path, and behind another @ it is a path.
    if !text.contains(['/', '@']) {
        let in_password = format!("https://me:{text}{secret}@h/");
        assert!(!hide_in_url(&in_password).contains(&secret), "{in_password}");
    }
}

/// A word that is not in there.
fn absent(value: &Value) -> String {
    let text = value.to_string();
    (0..).map(|number| format!("hunter{number}")).find(|word| !text.contains(word)).expect("there is no end")
}

fn read(value: &Value) -> Config {
    Config::parse(value.to_string().as_bytes()).expect("of the right kinds")
}

fn shown(config: &Config) -> String {
    serde_json::to_string(&config.without_secrets()).expect("text and numbers")
}
