//! A tree as an mtree listing.
//!
//! One line for each node, names as full paths, in the form Go desync gives them; what it got wrong (nanoseconds,
//! mode bits, device kinds) is right here.

use std::io::Write;
use std::path::{Path, PathBuf};

use desync_core::DigestKind;
use desync_core::format::catar::{Content, DeviceNumber, Node};
use sha2::{Digest as _, Sha256, Sha512_256};

use crate::path::TreePath;
use crate::{Error, Sink};

/// Writes a listing.
pub struct MtreeWriter<W> {
    out: W,
    name: PathBuf,
    digest: DigestKind,
    path: TreePath,
    /// The file whose bytes come, and its line up to the digest.
    file: Option<(Hasher, String)>,
}

enum Hasher {
    Sha512_256(Sha512_256),
    Sha256(Sha256),
}

impl<W: Write> MtreeWriter<W> {
    /// Begins a listing with digests of this kind. Errors call `out` by `name`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(mut out: W, name: &Path, digest: DigestKind) -> Result<Self, Error> {
        out.write_all(b"#mtree v1.0\n").map_err(Error::file("write", name))?;
        Ok(Self { out, name: name.to_owned(), digest, path: TreePath::default(), file: None })
    }

    fn line(&mut self, line: &str) -> Result<(), Error> {
        writeln!(self.out, "{line}").map_err(Error::file("write", &self.name))
    }
}

impl<W: Write> Sink for MtreeWriter<W> {
    fn node(&mut self, node: &Node) -> Result<(), Error> {
        let path = self.path.of(&node.name);
        let name = escaped(if path.is_empty() { b"." } else { &path });
        let mode = format!("mode={:04o}", node.permissions);
        let owner = format!("uid={} gid={}", node.uid, node.gid);
        let time = time(node.mtime);
        match &node.content {
            Content::Directory => {
                self.path.enter(&node.name);
                self.line(&format!("{name} type=dir {mode} {owner} {time}"))
            }
            Content::File { len } => {
                let (hasher, key) = match self.digest {
                    DigestKind::Sha512_256 => (Hasher::Sha512_256(Sha512_256::new()), "sha512256digest"),
                    DigestKind::Sha256 => (Hasher::Sha256(Sha256::new()), "sha256digest"),
                };
                let before = format!("{name} type=file {mode} {owner} size={len} {time} {key}=");
                self.file = Some((hasher, before));
                Ok(())
            }
            Content::Symlink { target } => {
                let target = escaped(target);
                self.line(&format!("{name} type=link {mode} target={target} {owner} {time}"))
            }
            Content::CharDevice(number) => {
                self.line(&format!("{name} type=char {mode} {owner} {time} {}", device(*number)))
            }
            Content::BlockDevice(number) => {
                self.line(&format!("{name} type=block {mode} {owner} {time} {}", device(*number)))
            }
            Content::Fifo => self.line(&format!("{name} type=fifo {mode} {owner} {time}")),
            Content::Socket => self.line(&format!("{name} type=socket {mode} {owner} {time}")),
        }
    }

    fn data(&mut self, bytes: &[u8], is_last: bool) -> Result<(), Error> {
        match &mut self.file {
            Some((Hasher::Sha512_256(hasher), _)) => hasher.update(bytes),
            Some((Hasher::Sha256(hasher), _)) => hasher.update(bytes),
            None => {}
        }
        if is_last && let Some((hasher, mut line)) = self.file.take() {
            let digest = match hasher {
                Hasher::Sha512_256(hasher) => hasher.finalize(),
                Hasher::Sha256(hasher) => hasher.finalize(),
            };
            digest.iter().for_each(|byte| line.push_str(&format!("{byte:02x}")));
            self.line(&line)?;
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Error> {
        self.path.leave();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(Error::file("write", &self.name))
    }
}

fn time(mtime: i64) -> String {
    format!("time={}.{:09}", mtime.div_euclid(1_000_000_000), mtime.rem_euclid(1_000_000_000))
}

fn device(number: DeviceNumber) -> String {
    format!("device=linux,{},{}", number.major, number.minor)
}

/// Bytes that would break a line, or a reader, as three octal digits.
fn escaped(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text {
        match byte {
            b'\\' | b'#' | b' ' | 0..32 | 127.. => out.push_str(&format!("\\{byte:03o}")),
            _ => out.push(char::from(*byte)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(nodes: &[Node]) -> Vec<String> {
        let mut writer = MtreeWriter::new(Vec::new(), Path::new("-"), DigestKind::Sha256).unwrap();
        for node in nodes {
            writer.node(node).unwrap();
            if let Content::File { .. } = node.content {
                writer.data(b"abc", true).unwrap();
            }
        }
        writer.leave().unwrap();
        String::from_utf8(writer.out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn defect_17_84_lines_are_whole_and_true() {
        let root = Node { permissions: 0o1755, mtime: 5, ..Node::new(Vec::new(), Content::Directory) };
        let number = DeviceNumber { major: 5, minor: 1 };
        let device = Node { mtime: -1, ..Node::new(b"a b".to_vec(), Content::CharDevice(number)) };
        let file = Node { uid: 7, ..Node::new(b"f#\xff".to_vec(), Content::File { len: 3 }) };
        assert_eq!(
            lines(&[root, device, file]),
            [
                "#mtree v1.0",
                ". type=dir mode=1755 uid=0 gid=0 time=0.000000005",
                "a\\040b type=char mode=0000 uid=0 gid=0 time=-1.999999999 device=linux,5,1",
                "f\\043\\377 type=file mode=0000 uid=7 gid=0 size=3 time=0.000000000 sha256digest=\
                 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ]
        );
    }
}
