//! The committed header is the one that cbindgen makes of this crate, and the names of statuses are its own.
//!
//! `cargo xtask header` writes it: it runs this test with `DESYNC_WRITE_HEADER` set.

use std::ffi::CStr;
use std::fs;
use std::path::{Path, PathBuf};

fn header_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include/desync.h")
}

/// The header as cbindgen makes it.
fn made() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new().with_crate(folder).with_config(config).generate().unwrap();
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    without_safety(&text)
}

/// Rust's sections on safety repeat for a compiler's sake what readers of C take for granted.
fn without_safety(text: &str) -> String {
    let mut lines = Vec::new();
    let mut skipping = false;
    for line in text.lines() {
        if line == " * # Safety" {
            skipping = true;
            // The empty line before it too.
            lines.pop();
        }
        skipping &= line != " */";
        if !skipping {
            lines.push(line);
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_committed_header_is_current() {
    let made = made();
    if std::env::var_os("DESYNC_WRITE_HEADER").is_some() {
        fs::create_dir_all(header_file().parent().unwrap()).unwrap();
        fs::write(header_file(), &made).unwrap();
    }
    let committed = fs::read_to_string(header_file()).unwrap();
    assert!(committed == made, "adapters/ffi/include/desync.h is not current: run `cargo xtask header`");
}

#[test]
fn every_status_has_the_name_that_the_header_gives_it() {
    let header = made();
    let begin = "  DESYNC_STATUS_";
    let statuses: Vec<_> = header.lines().filter_map(|line| line.strip_prefix(begin)).collect();
    assert!(statuses.len() > 20, "{statuses:?}");
    for status in &statuses {
        let (name, number) = status.trim_end_matches(',').split_once(" = ").unwrap();
        let told = desync_ffi::desync_status_name(number.parse().unwrap());
        // SAFETY: names are constants that end with a zero byte.
        #[allow(unsafe_code)]
        let told = unsafe { CStr::from_ptr(told) };
        assert_eq!(told.to_str(), Ok(name));
    }
    for unknown in [-1, i32::try_from(statuses.len()).unwrap(), i32::MAX] {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        let told = unsafe { CStr::from_ptr(desync_ffi::desync_status_name(unknown)) };
        assert_eq!(told, c"UNKNOWN");
    }
}
