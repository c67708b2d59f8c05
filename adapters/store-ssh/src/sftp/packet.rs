//! Packets of SFTP version 3: numbers and strings, and what the few messages that stores need are made of.
//!
//! Source: draft-ietf-secsh-filexfer-02; the extensions, OpenSSH `PROTOCOL`.
//!
//! Invariant: no field is read beyond its packet, and no packet is longer than [`LEN_MAX`].

/// The longest packet that is read; servers send no longer ones.
pub(super) const LEN_MAX: u32 = 256 << 10;

/// Types of messages to the server.
pub(super) mod ask {
    pub(in crate::sftp) const INIT: u8 = 1;
    pub(in crate::sftp) const OPEN: u8 = 3;
    pub(in crate::sftp) const CLOSE: u8 = 4;
    pub(in crate::sftp) const READ: u8 = 5;
    pub(in crate::sftp) const WRITE: u8 = 6;
    pub(in crate::sftp) const FSTAT: u8 = 8;
    pub(in crate::sftp) const OPENDIR: u8 = 11;
    pub(in crate::sftp) const READDIR: u8 = 12;
    pub(in crate::sftp) const REMOVE: u8 = 13;
    pub(in crate::sftp) const MKDIR: u8 = 14;
    pub(in crate::sftp) const STAT: u8 = 17;
    pub(in crate::sftp) const RENAME: u8 = 18;
    pub(in crate::sftp) const EXTENDED: u8 = 200;
}

/// Types of messages from the server.
pub(super) mod answer {
    pub(in crate::sftp) const VERSION: u8 = 2;
    pub(in crate::sftp) const STATUS: u8 = 101;
    pub(in crate::sftp) const HANDLE: u8 = 102;
    pub(in crate::sftp) const DATA: u8 = 103;
    pub(in crate::sftp) const NAME: u8 = 104;
    pub(in crate::sftp) const ATTRS: u8 = 105;
}

/// Codes of a status.
pub(super) mod status {
    pub(in crate::sftp) const OK: u32 = 0;
    pub(in crate::sftp) const EOF: u32 = 1;
    pub(in crate::sftp) const NO_SUCH_FILE: u32 = 2;
    pub(in crate::sftp) const NO_CONNECTION: u32 = 6;
    pub(in crate::sftp) const CONNECTION_LOST: u32 = 7;
}

/// How a file is opened.
pub(super) mod open {
    pub(in crate::sftp) const READ: u32 = 0x1;
    pub(in crate::sftp) const WRITE: u32 = 0x2;
    pub(in crate::sftp) const CREATE: u32 = 0x8;
    pub(in crate::sftp) const EXCLUSIVE: u32 = 0x20;
}

/// What attributes a message has.
mod attributes {
    pub(super) const SIZE: u32 = 0x1;
    pub(super) const OWNER: u32 = 0x2;
    pub(super) const PERMISSIONS: u32 = 0x4;
    pub(super) const TIMES: u32 = 0x8;
    pub(super) const EXTENDED: u32 = 0x8000_0000;
}

/// The bits of a mode that say what kind of file it is.
const KIND_MASK: u32 = 0o170_000;

/// A packet that is being written: its length comes first, at the end.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(kind: u8) -> Self {
        Self(vec![0, 0, 0, 0, kind])
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// # Panics
    /// If it is longer than four gigabytes: a programmer's error.
    pub(super) fn string(mut self, bytes: &[u8]) -> Self {
        let len = u32::try_from(bytes.len()).expect("no packet is that long");
        self.0.extend(len.to_be_bytes());
        self.0.extend(bytes);
        self
    }

    /// No attributes but, if given, permissions.
    pub(super) fn attributes(self, permissions: Option<u32>) -> Self {
        match permissions {
            Some(mode) => self.u32(attributes::PERMISSIONS).u32(mode),
            None => self.u32(0),
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let len = u32::try_from(self.0.len() - 4).expect("no packet is that long");
        self.0[..4].copy_from_slice(&len.to_be_bytes());
        self.0
    }
}

/// The server sent what makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A packet that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(packet: &'a [u8]) -> Self {
        Self(packet)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.take(4)?.try_into().map_err(|_| Malformed)?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.take(8)?.try_into().map_err(|_| Malformed)?))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.u32()?).map_err(|_| Malformed)?;
        self.take(len)
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn attributes(&mut self) -> Result<Attributes, Malformed> {
        let flags = self.u32()?;
        let mut found = Attributes::default();
        if flags & attributes::SIZE != 0 {
            found.size = Some(self.u64()?);
        }
        if flags & attributes::OWNER != 0 {
            self.take(8)?;
        }
        if flags & attributes::PERMISSIONS != 0 {
            found.mode = Some(self.u32()?);
        }
        if flags & attributes::TIMES != 0 {
            self.u32()?;
            found.modified = Some(self.u32()?);
        }
        if flags & attributes::EXTENDED != 0 {
            for _ in 0..self.u32()? {
                self.string()?;
                self.string()?;
            }
        }
        Ok(found)
    }
}

/// What a server says of a file. It may leave anything out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Bytes.
    pub(super) size: Option<u64>,
    /// Permissions and kind.
    pub(super) mode: Option<u32>,
    /// Seconds since 1970.
    pub(super) modified: Option<u32>,
}

impl Attributes {
    fn is_kind(self, kind: u32) -> Option<bool> {
        self.mode.map(|mode| mode & KIND_MASK == kind)
    }

    /// Whether it is a directory, as far as the server says.
    pub(super) fn is_directory(self) -> bool {
        self.is_kind(0o040_000).unwrap_or(true)
    }

    /// Whether it is a regular file, as far as the server says.
    pub(super) fn is_file(self) -> bool {
        self.is_kind(0o100_000).unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let packet = Writer::new(9).u32(7).u64(1 << 40).string(b"name").attributes(Some(0o100_644)).finish();
        let mut reader = Reader::new(&packet);
        assert_eq!(reader.u32(), Ok(u32::try_from(packet.len()).unwrap() - 4));
        assert_eq!((reader.u8(), reader.u32(), reader.u64()), (Ok(9), Ok(7), Ok(1 << 40)));
        assert_eq!(reader.string(), Ok(&b"name"[..]));
        let attributes = reader.attributes().unwrap();
        assert_eq!(attributes.mode, Some(0o100_644));
        assert!(attributes.is_file() && !attributes.is_directory() && reader.is_at_end());
    }

    #[test]
    fn every_attribute_is_passed_over_or_read() {
        let all = Writer::new(0).u32(0x8000_000f).u64(5).u32(1).u32(2).u32(0o040_755).u32(3).u32(4);
        let all = all.u32(1).string(b"k").string(b"v").finish();
        let mut reader = Reader::new(&all[5..]);
        let expected = Attributes { size: Some(5), mode: Some(0o040_755), modified: Some(4) };
        assert_eq!(reader.attributes(), Ok(expected));
        assert!(reader.is_at_end());
        // Cut anywhere, it is malformed rather than anything else.
        for end in 5..all.len() {
            assert_eq!(Reader::new(&all[5..end]).attributes(), Err(Malformed), "{end}");
        }
    }

    #[test]
    fn a_string_may_not_reach_beyond_its_packet() {
        assert_eq!(Reader::new(&[0, 0, 0, 2, b'x']).string(), Err(Malformed));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, b'x']).string(), Err(Malformed));
    }
}
