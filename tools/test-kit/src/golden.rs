//! Paths and contents of `golden/`; its README tells what is there and who made it.

use std::fs;
use std::path::{Path, PathBuf};

/// The path of a golden file, for example `blob/blob.caibx`.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// The content of a golden file.
///
/// # Panics
/// If there is none of that name.
#[must_use]
pub fn read(name: &str) -> Vec<u8> {
    let path = path(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A regular file in a golden tar archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path in the archive, without a leading `./`.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
}

/// The regular files of a golden tar archive, in its order: `bad.tar` or `codec/codec-stores.tar`.
///
/// # Panics
/// If there is no such archive, or if it is damaged.
#[must_use]
pub fn members(archive: &str) -> Vec<Member> {
    regular_files(&read(archive))
}

const BLOCK: usize = 512;

/// Reads a plain ustar archive: short names, no extensions. Enough for data that we packed ourselves.
fn regular_files(mut archive: &[u8]) -> Vec<Member> {
    let mut members = Vec::new();
    while let Some((header, rest)) = archive.split_first_chunk::<BLOCK>() {
        if header.iter().all(|&byte| byte == 0) {
            break;
        }
        assert_eq!(&header[257..262], b"ustar", "not a tar header");
        let len = octal(&header[124..136]);
        let kind = header[156];
        assert!(matches!(kind, b'0' | 0 | b'5'), "tar member of kind {kind} is not read here");
        if kind != b'5' {
            let name =
                text(&header[345..500]) + if header[345] == 0 { "" } else { "/" } + &text(&header[..100]);
            let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
            members.push(Member { name, content: rest[..len].to_vec() });
        }
        archive = &rest[len.next_multiple_of(BLOCK)..];
    }
    members
}

fn text(field: &[u8]) -> String {
    let bytes = field.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8(bytes.to_vec()).expect("tar names are ASCII")
}

fn octal(field: &[u8]) -> usize {
    usize::from_str_radix(text(field).trim(), 8).expect("tar lengths are octal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_read() {
        let stores = members("codec/codec-stores.tar");
        assert!(stores.iter().filter(|member| member.name.ends_with(".cacnk")).count() >= 3, "{stores:?}");
        assert!(members("bad.tar").len() > 20);
    }
}
