//! Encrypted stores, as the config file asks for them.

use crate::room::{Room, blob};

const KEY: &str = "6368616e676520746869732070617373776f726420746f206120736563726574";
const OTHER_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A room with a blob and a config in which `store` is encrypted with `options` beside `"encryption": true`.
fn room(options: &str) -> Room {
    let room = Room::new();
    room.write("blob", &blob());
    configure(&room, &format!(r#""encryption": true{options}"#));
    room
}

fn configure(room: &Room, options: &str) {
    room.write("c.json", format!(r#"{{"store-options": {{"store": {{{options}}}}}}}"#).as_bytes());
}

fn with_config<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["--config", "c.json"], args].concat()
}

#[test]
fn every_command_works_on_an_encrypted_store() {
    for (options, extension) in [
        (String::new(), ".cacnk.xchacha20-poly1305-50d64035"),
        (r#", "encryption-algorithm": "aes-256-gcm", "uncompressed": true"#.into(), ".aes-256-gcm-50d64035"),
    ] {
        let room = room(&format!(r#", "encryption-key": "{KEY}"{options}"#));
        let ok = |args: &[&str]| room.ok(&with_config(args));
        ok(&["make", "-s", "store", "blob.caibx", "blob"]);
        let files = room.files("store");
        assert!(files.len() > 3 && files.iter().all(|file| file.ends_with(extension)), "{files:?}");
        ok(&["extract", "-s", "store", "blob.caibx", "out"]);
        assert!(room.read("out") == blob());
        ok(&["verify", "-s", "store"]);
        // To a store in the common form, and back with a fresh nonce for each chunk.
        room.create_dir("plain");
        ok(&["cache", "-s", "store", "-c", "plain", "blob.caibx"]);
        room.ok(&["extract", "-s", "plain", "blob.caibx", "out2"]);
        assert!(room.read("out2") == blob());
        // Chunks of other forms in one store are not seen.
        let foreign = room.files("plain")[0].replacen("plain", "store", 1);
        room.write(&foreign, b"of another form");
        ok(&["verify", "-s", "store"]);
        room.write("empty", b"");
        room.ok(&["make", "-s", "plain", "empty.caibx", "empty"]);
        ok(&["prune", "-y", "--grace-period=0", "-s", "store", "empty.caibx"]);
        assert_eq!(room.files("store"), [foreign]);
    }
}

#[test]
fn damage_and_other_keys_are_told() {
    let room = room(&format!(r#", "encryption-key": "{KEY}""#));
    room.ok(&with_config(&["make", "-s", "store", "blob.caibx", "blob"]));
    let files = room.files("store");
    room.write(&files[0], b"short");
    std::fs::copy(room.path(&files[2]), room.path(&files[1])).unwrap();
    let run = room.run(&with_config(&["verify", "-s", "store"]));
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("no nonce prefix found in chunk"), "{run:?}");
    assert!(run.stderr.contains("does not match its hash"), "{run:?}");
    configure(&room, &format!(r#""encryption": true, "encryption-key": "{OTHER_KEY}""#));
    let text = room.fails(1, &with_config(&["extract", "-s", "store", "blob.caibx", "out"]));
    assert!(text.contains("missing from store") && !text.contains(OTHER_KEY), "{text}");
}

#[test]
fn the_key_may_come_from_the_environment_and_is_never_shown() {
    let room = room("");
    let make = with_config(&["make", "-s", "store", "blob.caibx", "blob"]);
    assert!(room.fails(1, &make).contains("no encryption key configured"));
    let output = room.command(&make).env("DESYNC_ENCRYPTION_KEY", KEY).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(room.files("store")[0].ends_with("-50d64035"));
    configure(&room, &format!(r#""encryption": true, "encryption-key": "{KEY}""#));
    let shown = room.ok_text(&with_config(&["config"]));
    assert!(shown.contains("\"encryption-key\": \"xxxxx\"") && !shown.contains(KEY), "{shown}");
    let run = room.run(&with_config(&["--verbose", "extract", "-s", "store", "blob.caibx", "out"]));
    assert!(run.code == Some(0) && !run.stderr.contains(KEY), "{run:?}");
    room.ok(&with_config(&["config", "-w"]));
    assert!(String::from_utf8(room.read("c.json")).unwrap().contains(KEY));
}

#[test]
fn half_a_setting_is_refused() {
    let room = room("");
    for (options, message) in [
        (r#""encryption-key": "00""#, "configured without setting encryption to true"),
        (r#""encryption": true, "encryption-key": "hunter2""#, "invalid encryption key"),
        (r#""encryption": true, "encryption-key": "00""#, "encryption key must be 32 bytes, got 1"),
        (
            &format!(r#""encryption": true, "encryption-key": "{KEY}", "encryption-algorithm": "rot13""#),
            "unsupported encryption algorithm \"rot13\"",
        ),
    ] {
        configure(&room, options);
        let text = room.fails(1, &with_config(&["make", "-s", "store", "blob.caibx", "blob"]));
        assert!(text.starts_with("Error: store 'store': ") && text.contains(message), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    room.write("c.json", br#"{"store-options": {".": {"encryption-key": "00"}}}"#);
    let text = room.fails(1, &with_config(&["make", "-s", "store", "blob.caibx", "blob"]));
    assert!(text.contains("encryption is not supported by index stores"), "{text}");
}
