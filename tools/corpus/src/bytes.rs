//! Files made of bytes rather than of packages: the sparse disk and the incompressible file.

use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha512};

/// Bytes that are looked at together when holes are sought.
const BLOCK: usize = 64 << 10;

/// Makes a disk of `len` bytes with an image at each slot, and holes wherever there are only zeros.
pub(crate) fn sparse_disk(path: &Path, len: u64, slots: &[u64], images: &[PathBuf]) -> anyhow::Result<()> {
    let mut disk = File::create(path)?;
    disk.set_len(len)?;
    for (slot, image) in slots.iter().zip(images) {
        let source = File::open(image).with_context(|| format!("cannot open {}", image.display()))?;
        copy_sparse(source, &mut disk, *slot)?;
    }
    Ok(())
}

fn copy_sparse(mut source: File, disk: &mut File, slot: u64) -> anyhow::Result<()> {
    let mut block = vec![0; BLOCK];
    let mut at = slot;
    loop {
        let len = source.read(&mut block)?;
        if len == 0 {
            return Ok(());
        }
        if block[..len].iter().any(|byte| *byte != 0) {
            disk.seek(SeekFrom::Start(at))?;
            disk.write_all(&block[..len])?;
        }
        at += len as u64;
    }
}

/// Makes a file of SHA-512 digests of a counter.
pub(crate) fn incompressible(path: &Path, len: u64) -> anyhow::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for counter in 0..len / 64 {
        file.write_all(&Sha512::digest(counter.to_le_bytes()))?;
    }
    file.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_its_images_and_zeros() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        let mut content = vec![0; 3 * BLOCK];
        content[BLOCK + 7] = 9;
        std::fs::write(&image, &content).unwrap();
        let disk = folder.path().join("disk");
        sparse_disk(&disk, 8 * BLOCK as u64, &[BLOCK as u64, 4 * BLOCK as u64], &[image.clone(), image])
            .unwrap();
        let made = std::fs::read(&disk).unwrap();
        let mut expected = vec![0; 8 * BLOCK];
        expected[2 * BLOCK + 7] = 9;
        expected[5 * BLOCK + 7] = 9;
        assert!(made == expected);
    }

    #[test]
    fn incompressible_bytes_are_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("random");
        incompressible(&path, 128).unwrap();
        let made = std::fs::read(&path).unwrap();
        assert_eq!(made.len(), 128);
        assert_eq!(made[..64], Sha512::digest(0_u64.to_le_bytes())[..]);
    }
}
