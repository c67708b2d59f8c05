//! A tree as an mtree listing.
//!
//! One line for each node, names as full paths, in the form Go desync gives them; what it got wrong (nanoseconds,
//! mode bits, device kinds) is right here.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use desync_core::digest::Hasher;
use desync_core::format::catar::{Content, DeviceNumber, Node};
use desync_core::{ChunkId, DigestKind};

use crate::path::TreePath;
use crate::{Error, Sink};

/// Writes a listing.
pub struct MtreeWriter<W> {
    out: W,
    name: PathBuf,
    digest: DigestKind,
    path: TreePath,
    /// The file whose bytes come, and what they hash to so far.
    file: Option<(Node, Hasher)>,
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

    /// The digest that files are listed with.
    pub(crate) const fn digest(&self) -> DigestKind {
        self.digest
    }

    /// Lists a file that was hashed already.
    pub(crate) fn file(&mut self, node: &Node, digest: &ChunkId) -> Result<(), Error> {
        let name = self.name_of(node);
        let Common { mode, owner, time } = common(node);
        let len = if let Content::File { len } = node.content { len } else { 0 };
        let key = match self.digest {
            DigestKind::Sha512_256 => "sha512256digest",
            DigestKind::Sha256 => "sha256digest",
        };
        self.line(format_args!("{name} type=file {mode} {owner} size={len} {time} {key}={digest}"))
    }

    fn name_of(&self, node: &Node) -> String {
        let path = self.path.of(&node.name);
        escaped(if path.is_empty() { b"." } else { &path })
    }

    fn line(&mut self, line: fmt::Arguments<'_>) -> Result<(), Error> {
        writeln!(self.out, "{line}").map_err(Error::file("write", &self.name))
    }
}

impl<W: Write> Sink for MtreeWriter<W> {
    fn node(&mut self, node: &Node) -> Result<(), Error> {
        if let Content::File { .. } = node.content {
            self.file = Some((node.clone(), self.digest.hasher()));
            return Ok(());
        }
        let name = self.name_of(node);
        let Common { mode, owner, time } = common(node);
        match &node.content {
            Content::Directory => {
                self.path.enter(&node.name);
                self.line(format_args!("{name} type=dir {mode} {owner} {time}"))
            }
            Content::Symlink { target } => {
                let target = escaped(target);
                self.line(format_args!("{name} type=link {mode} target={target} {owner} {time}"))
            }
            Content::CharDevice(number) => {
                self.line(format_args!("{name} type=char {mode} {owner} {time} {}", device(*number)))
            }
            Content::BlockDevice(number) => {
                self.line(format_args!("{name} type=block {mode} {owner} {time} {}", device(*number)))
            }
            Content::Fifo => self.line(format_args!("{name} type=fifo {mode} {owner} {time}")),
            Content::Socket => self.line(format_args!("{name} type=socket {mode} {owner} {time}")),
            Content::File { .. } => Ok(()),
        }
    }

    fn data(&mut self, bytes: &[u8], is_last: bool) -> Result<(), Error> {
        if let Some((_, hasher)) = &mut self.file {
            hasher.update(bytes);
        }
        match self.file.take_if(|_| is_last) {
            Some((node, hasher)) => self.file(&node, &hasher.finish()),
            None => Ok(()),
        }
    }

    fn leave(&mut self) -> Result<(), Error> {
        self.path.leave();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(Error::file("write", &self.name))
    }
}

/// What every line has.
struct Common {
    mode: String,
    owner: String,
    time: String,
}

fn common(node: &Node) -> Common {
    let (seconds, rest) = (node.mtime.div_euclid(1_000_000_000), node.mtime.rem_euclid(1_000_000_000));
    Common {
        mode: format!("mode={:04o}", node.permissions),
        owner: format!("uid={} gid={}", node.uid, node.gid),
        time: format!("time={seconds}.{rest:09}"),
    }
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
