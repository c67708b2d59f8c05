//! A tree as an ext4 image or a tar archive, the same bytes from the same files.
//!
//! What would differ from run to run is fixed: UUID, hash seed, times, owners. Owners are all root's, since an
//! ordinary user cannot unpack other people's files.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process::{admin, run};

/// The time that everything is made at: 2023-06-10, the day of Debian 12, in seconds since 1970.
const MADE_AT: &str = "1686355200";

const UUID: &str = "6f1c3ac4-7a6e-4a26-9d3a-2b6d35d4c0de";

/// Length of an image: room for either release, as a partition has.
const IMAGE_LEN: &str = "512M";

/// What Debian 12 makes of ext4, whatever the machine's own settings are.
const CONFIG: &str = "[defaults]
base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
blocksize = 4096
inode_size = 256
inode_ratio = 16384
[fs_types]
ext4 = {
features = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize
}
";

/// Makes an ext4 image of a tree.
pub(crate) fn ext4(tree: &Path, image: &Path) -> anyhow::Result<()> {
    let _ = fs::remove_file(image);
    let config = image.with_extension("conf");
    fs::write(&config, CONFIG)?;
    let mut mke2fs = admin("mke2fs");
    mke2fs.args(["-q", "-t", "ext4", "-m", "0", "-L", "root", "-U", UUID]);
    mke2fs.args(["-E", &format!("hash_seed={UUID},root_owner=0:0,lazy_itable_init=0")]);
    mke2fs.env("E2FSPROGS_FAKE_TIME", MADE_AT).env("MKE2FS_CONFIG", &config);
    run(mke2fs.arg("-d").arg(tree).arg(image).arg(IMAGE_LEN))?;
    fs::remove_file(&config)?;
    fix_inodes(tree, image)?;
    // Also proves that the image is sound.
    let mut check = admin("e2fsck");
    run(check.args(["-f", "-n"]).arg(image).env("E2FSPROGS_FAKE_TIME", MADE_AT)).map(drop)
}

/// Gives every inode root as its owner and the fixed time wherever the tree has the time of unpacking.
fn fix_inodes(tree: &Path, image: &Path) -> anyhow::Result<()> {
    let mut paths = vec![(PathBuf::from("/"), true), (PathBuf::from("/lost+found"), true)];
    list(tree, Path::new("/"), &mut paths)?;
    let mut script = String::new();
    for (path, is_folder) in paths {
        let path = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
        if path.contains(['"', '\n']) {
            bail!("{path:?} cannot be named to debugfs");
        }
        for field in ["uid", "gid"] {
            writeln!(script, "sif \"{path}\" {field} 0")?;
        }
        // Files keep the time that their package gives them; folders have that of whatever was put in last.
        let times: &[_] =
            if is_folder { &["ctime", "atime", "crtime", "mtime"] } else { &["ctime", "atime", "crtime"] };
        for field in times {
            writeln!(script, "sif \"{path}\" {field} @{MADE_AT}")?;
            writeln!(script, "sif \"{path}\" {field}_extra 0")?;
        }
    }
    let script_path = image.with_extension("debugfs");
    fs::write(&script_path, script)?;
    let mut debugfs = admin("debugfs");
    debugfs.arg("-w").arg("-f").arg(&script_path).arg(image).env("E2FSPROGS_FAKE_TIME", MADE_AT);
    run(&mut debugfs)?;
    fs::remove_file(&script_path)?;
    Ok(())
}

/// Every path below a folder, and whether it is one.
fn list(tree: &Path, below: &Path, paths: &mut Vec<(PathBuf, bool)>) -> anyhow::Result<()> {
    let folder = tree.join(below.strip_prefix("/").unwrap_or(below));
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let is_folder = entry.file_type()?.is_dir();
        if is_folder {
            list(tree, &path, paths)?;
        }
        paths.push((path, is_folder));
    }
    Ok(())
}

/// Makes a tar archive of a tree.
pub(crate) fn tar(tree: &Path, archive: &Path) -> anyhow::Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"]);
    tar.args([&format!("--mtime=@{MADE_AT}"), "-c", "-f"]).arg(archive);
    run(tar.arg("-C").arg(tree).arg(".")).map(drop)
}
