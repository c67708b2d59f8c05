//! A tree of many small files through every command on trees: what memory it takes, and whether time grows with
//! the tree and no faster.
//!
//! Method. A tree of a tenth of the files, then one of all: each is archived in chunks, listed, unpacked and
//! mounted. The listings of the tree, of what was unpacked and of what is mounted must be the same. The mount is
//! measured together with the listing that reads it; both are ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::place;
use crate::process::{self, Cost};

/// Files in a directory.
const FILES_A_DIRECTORY: u32 = 1000;

/// What a command may take, in bytes.
const PEAK_MAX: u64 = 200 << 20;

const LIST: &str = r#""$0" mtree "$1" > "$2""#;

const LIST_MOUNTED: &str = r#"
"$0" mount -s store tree.caidx mnt &
until [ -e mnt/0 ]; do kill -0 $!; sleep 0.01; done
"$0" mtree mnt > mounted.mtree
umount mnt || fusermount3 -u mnt
wait $!
"#;

/// Measures and prints the table.
///
/// # Errors
/// If a command fails, takes too much memory, or what it made is not the tree.
pub(crate) fn run(own: &Path, corpus: &Path, files: u32) -> anyhow::Result<()> {
    let own = own.canonicalize().with_context(|| format!("{} is missing", own.display()))?;
    let counts = [files.div_ceil(10), files];
    let folder = corpus.join("many");
    place::remove(&folder)?;
    // Both trees stay to the end: ext4 is slow at making files where as many were just removed.
    let [few, all] = counts.map(|count| measure(&own, &folder.join(count.to_string()), count));
    let (few, all) = (few?, all?);
    println!(
        "| job | {} files: CPU | peak | {files} files: wall | CPU | peak | CPU for each, × |",
        counts[0]
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let mib = |cost: Cost| cost.peak >> 20;
    for ((name, few), (_, all)) in few.iter().zip(&all) {
        let growth = all.cpu.as_secs_f64() / few.cpu.as_secs_f64() * f64::from(counts[0]) / f64::from(files);
        println!(
            "| {name} | {:.1} | {} | {:.1} | {:.1} | {} | {growth:.2} |",
            few.cpu.as_secs_f64(),
            mib(*few),
            all.wall.as_secs_f64(),
            all.cpu.as_secs_f64(),
            mib(*all),
        );
    }
    // That takes a while, too.
    place::remove(&folder)?;
    for (name, cost) in &all {
        ensure!(cost.peak < PEAK_MAX, "{name} took {} MiB", mib(*cost));
    }
    Ok(())
}

/// What each job cost on a tree of `count` files.
fn measure(own: &Path, folder: &Path, count: u32) -> anyhow::Result<Vec<(&'static str, Cost)>> {
    for name in ["store", "mnt"] {
        fs::create_dir_all(folder.join(name))?;
    }
    let folder = folder.canonicalize()?;
    eprintln!("making {count} files");
    plant(&folder.join("tree"), count)?;
    let program = |arguments: &[&str]| {
        let mut command = Command::new(own);
        command.args(arguments);
        command
    };
    let script = |script: &str, arguments: [&str; 2]| {
        let mut command = Command::new("sh");
        command.args(["-euc", script]).arg(own).args(arguments);
        command
    };
    let mut jobs = vec![
        ("`tar -i`", program(&["tar", "-i", "--no-sync", "-s", "store", "tree.caidx", "tree"])),
        ("`mtree`", script(LIST, ["tree", "tree.mtree"])),
        ("`untar -i`", program(&["untar", "-i", "--no-sync", "-s", "store", "tree.caidx", "out"])),
    ];
    if fs::File::open("/dev/fuse").is_ok() {
        jobs.push(("`mount` and `mtree` of it", script(LIST_MOUNTED, ["", ""])));
    } else {
        eprintln!("SKIPPED: mounts, since /dev/fuse cannot be opened");
    }
    let mut costs = Vec::new();
    for (name, mut command) in jobs {
        eprintln!("{count} files: {name}");
        costs.push((name, process::measure(command.current_dir(&folder), &folder).context(name)?));
    }
    process::run(script(LIST, ["out", "out.mtree"]).current_dir(&folder), &folder)?;
    let listing = |name: &str| fs::read(folder.join(name)).with_context(|| name.to_owned());
    let expected = listing("tree.mtree")?;
    ensure!(listing("out.mtree")? == expected, "what was unpacked is not the tree");
    if costs.len() > 3 {
        ensure!(listing("mounted.mtree")? == expected, "what is mounted is not the tree");
    }
    Ok(costs)
}

/// Makes `count` files of up to 200 bytes, each with other bytes.
fn plant(root: &Path, count: u32) -> anyhow::Result<()> {
    let mut directory = PathBuf::new();
    for number in 0..count {
        if number % FILES_A_DIRECTORY == 0 {
            directory = root.join((number / FILES_A_DIRECTORY).to_string());
            fs::create_dir_all(&directory)?;
        }
        let content = format!("{number} ").repeat(number as usize % 25 + 1);
        fs::write(directory.join((number % FILES_A_DIRECTORY).to_string()), content)?;
    }
    Ok(())
}
