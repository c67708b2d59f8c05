//! Help, version, `config`, `manpage`, `completion`.

use std::os::unix::fs::PermissionsExt;

use crate::room::Room;

const COMMANDS: [&str; 24] = [
    "make",
    "extract",
    "tar",
    "untar",
    "mtree",
    "mount-index",
    "mount",
    "verify-index",
    "chunk",
    "list-chunks",
    "info",
    "inspect-chunks",
    "cat",
    "chop",
    "cache",
    "verify",
    "prune",
    "pull",
    "serve-link",
    "chunk-server",
    "index-server",
    "config",
    "manpage",
    "completion",
];

#[test]
fn help_is_an_answer_on_stdout() {
    let room = Room::new();
    let help = room.ok_text(&[]);
    assert_eq!(room.ok_text(&["--help"]), help);
    assert!(COMMANDS.iter().all(|command| help.contains(&format!("  {command} "))), "{help}");
    for command in COMMANDS {
        let help = room.ok_text(&["help", command]);
        assert!(help.contains(&format!("Usage: desync {command}")) && help.contains("Example"), "{help}");
        assert_eq!(room.ok_text(&[command, "--help"]), help);
        assert!(!room.ok(&[command, "-h"]).is_empty());
    }
    let version = room.ok_text(&["--version"]);
    let [program, kernels] = version.lines().collect::<Vec<_>>()[..] else { panic!("{version}") };
    assert_eq!(program, format!("desync {}", env!("CARGO_PKG_VERSION")));
    assert!(kernels.starts_with("kernels: scan ") && kernels.contains(", digests "), "{version}");
}

const NOTHING: &str =
    "{\n  \"s3-credentials\": null,\n  \"oci-credentials\": null,\n  \"store-options\": null\n}\n";

#[test]
fn config_shows_what_is_in_force() {
    let room = Room::new();
    assert_eq!(room.ok_text(&["config"]), NOTHING);
    std::fs::create_dir_all(room.path(".config/desync")).unwrap();
    room.write(".config/desync/config.json", br#"{"store-options": {"/srv": {"error-retry": 0}}}"#);
    let text = room.ok_text(&["config"]);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["store-options"]["/srv"]["error-retry"], 0, "{text}");
    assert_eq!(value["store-options"]["/srv"]["error-retry-base-interval"], 500_000_000, "{text}");
}

#[test]
fn defect_20_a_rewritten_config_says_the_same() {
    let room = Room::new();
    room.write("c.json", br#"{"store-options": {"/srv": {"error-retry": 0, "timeout": 0}}}"#);
    let before = room.ok_text(&["--config", "c.json", "config"]);
    assert_eq!(room.ok_text(&["--config", "c.json", "config", "-w"]), "Writing config to c.json\n\n");
    assert_eq!(room.ok_text(&["--config", "c.json", "config"]), before);
    assert_eq!(room.read("c.json"), before.trim_end().as_bytes());
    assert_eq!(room.path("c.json").metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn defect_85_a_config_file_can_be_created_where_it_is_named() {
    let room = Room::new();
    room.ok(&["--config", "new/dir/c.json", "config", "--write"]);
    assert_eq!(room.read("new/dir/c.json"), NOTHING.trim_end().as_bytes());
    room.ok(&["config", "-w"]);
    assert_eq!(room.read(".config/desync/config.json"), NOTHING.trim_end().as_bytes());
}

#[test]
fn a_broken_config_fails_every_command_and_shows_no_secret() {
    let room = Room::with_blob();
    let text = room.fails(1, &["--config", "none.json", "list-chunks", "blob.caibx"]);
    assert!(text.contains("none.json"), "{text}");
    room.write("c.json", br#"{"store-options": {"/srv": {"http-auth": {"hunter2": 1}}}}"#);
    let text = room.fails(1, &["--config", "c.json", "list-chunks", "blob.caibx"]);
    assert_eq!(text, "Error: reading c.json: store-options \"/srv\": http-auth: expected a string\n");
    room.write("c.json", b"{hunter2");
    let text = room.fails(1, &["--config", "c.json", "config"]);
    assert!(text.starts_with("Error: reading c.json: ") && !text.contains("hunter2"), "{text}");
    room.write("c.json", br#"{"store-options": {"store": {}, "./store": {}}}"#);
    let text = room.fails(1, &["--config", "c.json", "verify", "-s", "store"]);
    assert_eq!(text, "Error: multiple store-options entries match the location \"store\"\n");
}

#[test]
fn man_pages_are_written_for_every_command() {
    let room = Room::new();
    room.create_dir("man");
    let write = |room: &Room, args: &[&str]| {
        let output = room.command(args).env("SOURCE_DATE_EPOCH", "0").output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    write(&room, &["manpage", "--section", "1", "--source", "here", "man"]);
    let expected =
        COMMANDS.iter().map(|command| format!("man/desync-{command}.1")).chain(["man/desync.1".into()]);
    let expected: std::collections::BTreeSet<String> = expected.collect();
    assert_eq!(room.files("man").into_iter().collect::<std::collections::BTreeSet<_>>(), expected);
    let page = String::from_utf8(room.read("man/desync-make.1")).unwrap();
    assert!(page.contains(".TH desync 1 \"1970-01-01\" \"here\"") || page.contains("1970-01-01"), "{page}");
    assert!(page.contains("chunk\\-size"), "{page}");
    write(&room, &["manpage", "man"]);
    assert!(room.path("man/desync.3").exists());
    assert!(room.fails(1, &["manpage", "no-dir"]).contains("no-dir"));
}

#[test]
fn every_shell_gets_a_script_with_commands_and_flags() {
    let room = Room::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = room.ok_text(&["completion", shell]);
        assert!(script.contains("verify-index") && script.contains("regenerate-invalid-seeds"), "{shell}");
        let terse = room.ok_text(&["completion", shell, "--no-descriptions"]);
        assert!(terse.contains("verify-index") && terse.len() <= script.len(), "{shell}");
    }
    assert_eq!(room.ok_text(&["completion"]), room.ok_text(&["help", "completion"]));
    assert!(room.fails(2, &["completion", "dos"]).contains("dos"));
}
