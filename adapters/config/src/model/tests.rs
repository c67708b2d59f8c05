//! Config values: read, matched, overridden, written back.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

fn read(config: &Value) -> Result<Config, String> {
    Config::parse(config.to_string().as_bytes()).map_err(|error| error.to_string())
}

fn options(config: &Value, location: &str) -> StoreOptions {
    let config = read(config).unwrap();
    config.options_for(location, &StoreOverrides::default(), Path::new("/")).unwrap()
}

#[test]
fn keys_match_in_any_case_and_unknown_ones_are_ignored() {
    let config = json!({"Store-Options": {"/a": {"UNCOMPRESSED": true, "new": 1}}, "other": [], "s3-credentials": null});
    assert!(options(&config, "/a").uncompressed);
    assert_eq!(options(&config, "/b"), StoreOptions::default());
}

#[test]
fn defaults_hold_for_what_an_entry_leaves_out() {
    let found = options(&json!({"store-options": {"/a": {"skip-verify": true}}}), "/a");
    assert_eq!((found.error_retry, found.error_retry_base_interval), (3, 500_000_000));
    assert!(found.skip_verify == Some(true));
}

#[test]
fn defect_20_explicit_zeros_survive_a_rewrite() {
    let text = json!({"store-options": {"/a": {
        "n": 0, "timeout": 0, "error-retry": 0, "error-retry-base-interval": 0,
        "trust-insecure": false, "skip-verify": false, "http-auth": ""
    }}});
    let config = read(&text).unwrap();
    let written = serde_json::to_value(&config).unwrap();
    let entry = &written["store-options"]["/a"];
    for (key, value) in text["store-options"]["/a"].as_object().unwrap() {
        assert_eq!(&entry[key], value, "{key}");
    }
    assert_eq!(read(&written).unwrap(), config);
}

#[test]
fn secrets_are_hidden_when_shown() {
    let secrets = json!({
        "s3-credentials": {"https://h": {"access-key": "id", "secret-key": "hunter2"}},
        "oci-credentials": {"oci+https://h/*": {"username": "me", "secret": "hunter2"}},
        "store-options": {"https://me:hunter2@h/s?sig=hunter2": {
            "http-auth": "Bearer hunter2", "http-cookie": "hunter2", "encryption": true,
            "encryption-key": "hunter2", "encryption-algorithm": "aes-256-gcm", "client-key": ""
        }},
    });
    let config = read(&secrets).unwrap();
    let shown = serde_json::to_string(&config.without_secrets()).unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");
    for kept in ["\"id\"", "\"me\"", "aes-256-gcm", "https://me:xxxxx@h/s"] {
        assert!(shown.contains(kept), "{kept}: {shown}");
    }
    assert!(serde_json::to_string(&config).unwrap().contains("hunter2"), "what is written keeps them");
}

#[test]
fn without_a_file_the_sections_are_null() {
    let text = serde_json::to_string_pretty(&Config::default()).unwrap();
    assert_eq!(
        text,
        "{\n  \"s3-credentials\": null,\n  \"oci-credentials\": null,\n  \"store-options\": null\n}"
    );
}

#[test]
fn flags_override_what_the_config_says_only_when_given() {
    let config = json!({"store-options": {"/a": {"error-retry": 7, "ca-cert": "x", "trust-insecure": true}}});
    let config = read(&config).unwrap();
    let flags = StoreOverrides {
        error_retry: Some(0),
        ca_cert: Some(String::new()),
        error_retry_base_interval: Some(Duration::from_secs(1)),
        ..StoreOverrides::default()
    };
    let found = config.options_for("/a", &flags, Path::new("/")).unwrap();
    assert_eq!((found.error_retry, found.ca_cert.as_deref()), (0, Some("")));
    assert_eq!((found.trust_insecure, found.error_retry_base_interval), (Some(true), 1_000_000_000));
}

#[test]
fn two_matching_entries_are_an_error_even_if_they_agree() {
    let config = json!({"store-options": {"/a/*": {}, "/a/b": {}}});
    let config = read(&config).unwrap();
    let overrides = StoreOverrides::default();
    let error = config.options_for("/a/b", &overrides, Path::new("/")).unwrap_err();
    assert_eq!(error.to_string(), "multiple store-options entries match the location \"/a/b\"");
    assert!(config.options_for("/a/c", &overrides, Path::new("/")).is_ok());
}

#[test]
fn a_wrong_value_is_told_by_its_place_and_never_shown() {
    for (config, message) in [
        (json!([]), "the file: expected an object"),
        (json!({"store-options": 1}), "store-options: expected an object"),
        (
            json!({"store-options": {"https://me:hunter2@h/?hunter2": 1}}),
            "store-options \"https://me:xxxxx@h/?xxxxx\": expected an object",
        ),
        (json!({"store-options": {"/a": "hunter2"}}), "store-options \"/a\": expected an object"),
        (
            json!({"store-options": {"/a": {"trust-insecure": "hunter2"}}}),
            "store-options \"/a\": trust-insecure: expected true or false",
        ),
        (
            json!({"s3-credentials": {"https://h": {"secret-key": ["hunter2"]}}}),
            "s3-credentials \"https://h\": secret-key: expected a string",
        ),
        (
            json!({"store-options": {"/a": {"timeout": 1.5}}}),
            "store-options \"/a\": timeout: expected an integer",
        ),
    ] {
        assert_eq!(read(&config).unwrap_err(), message);
    }
}

#[test]
fn credentials_are_for_a_server_or_a_pattern_of_servers() {
    let config = read(&json!({
        "s3-credentials": {
            "https://h/": {"access-key": "exact"}, "https://*": {"access-key": "any"}, "http://*": {}, "http://h*": {}
        },
        "oci-credentials": {"oci+https://h/*": {"username": "me"}},
    }))
    .unwrap();
    let key = |origin: &str| config.s3_credentials(origin).map(|found| found.unwrap().access_key.clone());
    assert_eq!((key("https://H"), key("https://g")), (Ok(Some("exact".into())), Ok(Some("any".into()))));
    assert!(config.s3_credentials("http://h").is_err());
    assert_eq!(config.s3_credentials("gs://h"), Ok(None));
    let user = |location: &str| config.oci_credentials(location, Path::new("/")).unwrap().is_some();
    assert_eq!((user("oci+https://h/r"), user("oci+https://g/r")), (true, false));
}
