//! The main job on real data: two versions of a Debian root file system, cut into one store; the second then
//! extracted with the first as its seed, as a device would that runs the first.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::shell::{cargo, output, program, run, workspace_root};
use crate::{setup, tools};

const MIB: f64 = (1 << 20) as f64;

/// Files of the demo.
struct Demo {
    desync: PathBuf,
    folder: PathBuf,
    store: PathBuf,
    /// The first version and the second; indexes in the same order.
    images: [PathBuf; 2],
    indexes: [PathBuf; 2],
    output: PathBuf,
}

/// Installs what is missing, gets the data, builds the release, and does the job.
pub(crate) fn run_all() -> anyhow::Result<()> {
    setup::for_demo()?;
    tools::corpus(&["root"])?;
    run(&mut cargo(&["build", "--quiet", "--release", "--package", "desync"]))?;
    let demo = Demo::prepare()?;
    let result = demo.show();
    // The images stay for the next time; what was made of them goes.
    fs::remove_dir_all(&demo.folder)?;
    result
}

impl Demo {
    fn prepare() -> anyhow::Result<Self> {
        let root = workspace_root();
        let corpus = root.join(".corpus");
        let folder = corpus.join("demo");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("store"))?;
        Ok(Self {
            desync: root.join("target/release/desync"),
            store: folder.join("store"),
            images: ["root-release.ext4", "root-updated.ext4"].map(|name| corpus.join(name)),
            indexes: ["release.caibx", "updated.caibx"].map(|name| folder.join(name)),
            output: folder.join("updated.ext4"),
            folder,
        })
    }

    fn show(&self) -> anyhow::Result<()> {
        let [first, second] = &self.images;
        let len = fs::metadata(second)?.len();
        println!("\nTwo versions of a Debian root file system, {} each as an ext4 image:", mib(len));
        println!("the release, and the same with its updates. `desync` is in target/release.\n");
        self.make(first, &self.indexes[0])?;
        self.make(second, &self.indexes[1])?;
        let time = self.extract(first)?;
        println!("  the result is identical to the original, byte for byte\n");
        self.tell_savings(len, time)
    }

    /// Cuts an image into the store.
    fn make(&self, image: &Path, index: &Path) -> anyhow::Result<()> {
        let before = folder_bytes(&self.store)?;
        let time = self.timed(&["make", "-s", text(&self.store)?, text(index)?, text(image)?])?;
        let after = folder_bytes(&self.store)?;
        println!(
            "  {} in {:.1} s: the store grows by {} to {}",
            time.0,
            time.1.as_secs_f64(),
            mib(after - before),
            mib(after)
        );
        Ok(())
    }

    /// Extracts the second image with the first as its seed, and compares.
    fn extract(&self, seed: &Path) -> anyhow::Result<Duration> {
        let seed = format!("{}:{}", text(&self.indexes[0])?, text(seed)?);
        let words = [
            "extract",
            "-s",
            text(&self.store)?,
            "--seed",
            &seed,
            text(&self.indexes[1])?,
            text(&self.output)?,
        ];
        let (name, time) = self.timed(&words)?;
        println!("  {name} in {:.1} s", time.as_secs_f64());
        let same = program("cmp", &["--silent", text(&self.images[1])?, text(&self.output)?]).status()?;
        ensure!(same.success(), "the extracted image differs from the original");
        Ok(time)
    }

    /// What a device with the first image fetches of the second, against one without.
    fn tell_savings(&self, len: u64, time: Duration) -> anyhow::Result<()> {
        let [first, second] = [self.chunks(&self.indexes[0])?, self.chunks(&self.indexes[1])?];
        let new: BTreeSet<_> = second.difference(&first).cloned().collect();
        let (all_bytes, new_bytes) = (self.stored(&second)?, self.stored(&new)?);
        let saved = 100.0 * (1.0 - new_bytes as f64 / all_bytes as f64);
        println!("A device that runs the first version and wants the second");
        println!(
            "  needs {} of {} chunks: {} to fetch, for an image of {}",
            new.len(),
            second.len(),
            mib(new_bytes),
            mib(len)
        );
        println!(
            "  instead of {} without a seed: {saved:.0} % saved, done in {:.1} s here",
            mib(all_bytes),
            time.as_secs_f64()
        );
        Ok(())
    }

    /// Runs desync; its command line as a person would type it, and the time it took.
    fn timed(&self, words: &[&str]) -> anyhow::Result<(String, Duration)> {
        let start = Instant::now();
        run(Command::new(&self.desync).args(words))?;
        let names = words.iter().map(|word| short(word)).collect::<Vec<_>>().join(" ");
        Ok((format!("desync {names}"), start.elapsed()))
    }

    /// The names of an index's chunks, each once.
    fn chunks(&self, index: &Path) -> anyhow::Result<BTreeSet<String>> {
        let list = output(Command::new(&self.desync).arg("list-chunks").arg(index))?;
        Ok(list.lines().map(str::to_owned).collect())
    }

    /// Bytes that chunks take in the store.
    fn stored(&self, chunks: &BTreeSet<String>) -> anyhow::Result<u64> {
        let mut total = 0;
        for id in chunks {
            let path = self.store.join(&id[..4]).join(format!("{id}.cacnk"));
            total +=
                fs::metadata(&path).with_context(|| format!("{} is not in the store", path.display()))?.len();
        }
        Ok(total)
    }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    match path.to_str() {
        Some(text) => Ok(text),
        None => bail!("{} is not UTF-8", path.display()),
    }
}

/// A word of a command line with paths shortened to their last names.
fn short(word: &str) -> String {
    let last = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    word.split(':').map(last).collect::<Vec<_>>().join(":")
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MIB)
}

fn folder_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        total += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    #[test]
    fn command_lines_are_shown_without_folders() {
        assert_eq!(super::short("/a/b/c.caibx:/d/e"), "c.caibx:e");
        assert_eq!(super::short("--seed"), "--seed");
    }
}
