//! Medians and tables: Markdown for people, JSON for programs.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use serde::Serialize;

use crate::bounds::Bound;
use crate::jobs::Job;
use crate::kernels::Speeds;
use crate::picture::{self, Group, Panel};
use crate::place::{Images, Stored};
use crate::process::Cost;
use crate::program::Program;

/// All figures of a run.
#[derive(Serialize)]
pub(crate) struct Report {
    processor: String,
    cores: usize,
    rounds: u32,
    /// Lengths of both images, in bytes.
    image_len: [u64; 2],
    programs: Vec<About>,
    /// Speeds of kernels, if they were measured.
    pub(crate) kernels: Vec<Speeds>,
    /// Commands beside the work that they cannot leave out, if that was measured.
    pub(crate) bounds: Vec<Bound>,
    rows: Vec<Row>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct About {
    name: String,
    version: String,
    stored: Stored,
}

/// One job: the runs of each program; none if it cannot do it.
#[derive(Serialize)]
pub(crate) struct Row {
    job: &'static str,
    medians: Vec<Option<Median>>,
    #[serde(skip)]
    costs: Vec<Vec<Cost>>,
}

/// The middle of several runs, each figure for itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Median {
    wall_seconds: f64,
    cpu_seconds: f64,
    peak_bytes: u64,
}

impl Row {
    pub(crate) fn new(job: &Job, programs: usize) -> Self {
        Self { job: job.name, medians: vec![None; programs], costs: vec![Vec::new(); programs] }
    }

    pub(crate) fn add(&mut self, program: usize, cost: Cost) {
        self.costs[program].push(cost);
        self.medians[program] = Median::of(&self.costs[program]);
    }
}

impl Median {
    fn of(costs: &[Cost]) -> Option<Self> {
        let seconds = |pick: fn(&Cost) -> Duration| middle(costs.iter().map(|cost| pick(cost).as_secs_f64()));
        Some(Self {
            wall_seconds: seconds(|cost| cost.wall)?,
            cpu_seconds: seconds(|cost| cost.cpu)?,
            peak_bytes: middle(costs.iter().map(|cost| cost.peak as f64))? as u64,
        })
    }
}

/// The middle value, or the mean of the middle two.
pub(crate) fn middle(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => None,
        len if len % 2 == 1 => Some(values[half]),
        _ => Some(f64::midpoint(values[half - 1], values[half])),
    }
}

impl Report {
    pub(crate) fn new(programs: &[Program], rounds: u32, images: &Images) -> Self {
        let about = |program: &Program| About {
            name: program.name.clone(),
            version: program.version.clone(),
            stored: Stored::default(),
        };
        let len = |path| fs::metadata(path).map_or(0, |file| file.len());
        Self {
            processor: processor(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            rounds,
            image_len: [len(&images.first), len(&images.second)],
            programs: programs.iter().map(about).collect(),
            kernels: Vec::new(),
            bounds: Vec::new(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Tells what the store of the next program takes.
    pub(crate) fn add_stored(&mut self, stored: Stored) {
        if let Some(about) = self.programs.iter_mut().find(|about| about.stored.both == 0) {
            about.stored = stored;
        }
    }

    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    pub(crate) fn to_json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The method in a paragraph, then a table of costs and one of stores.
    pub(crate) fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, text: &mut String) -> std::fmt::Result {
        let [first, second] = self.image_len.map(mebibytes);
        writeln!(
            text,
            "{}, {} cores. Two Debian root file systems of {first:.0} and {second:.0} MiB (ext4):",
            self.processor, self.cores
        )?;
        writeln!(
            text,
            "the release and its updates. Medians of {} runs in turn (A B A B), warm page cache;",
            self.rounds
        )?;
        writeln!(
            text,
            "CPU time is that of user and system. Ours syncs what it writes, the others do not.\n"
        )?;
        self.write_kernels(text)?;
        self.write_bounds(text)?;
        if !self.rows.is_empty() {
            self.write_rows(text)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(text, "\n{note}"))
    }

    fn write_kernels(&self, text: &mut String) -> std::fmt::Result {
        if self.kernels.is_empty() {
            return Ok(());
        }
        writeln!(text, "GB/s of one core (CPU time of the thread), and times the first kernel:\n")?;
        writeln!(text, "| work | kernel | GB/s | × |\n|---|---|---:|---:|")?;
        for Speeds { what, kernels } in &self.kernels {
            for (place, kernel) in kernels.iter().enumerate() {
                let what = if place == 0 { what } else { "" };
                writeln!(
                    text,
                    "| {what} | {} | {:.2} | {:.2} |",
                    kernel.name, kernel.gigabytes, kernel.ratio
                )?;
            }
        }
        writeln!(text)
    }

    fn write_bounds(&self, text: &mut String) -> std::fmt::Result {
        if self.bounds.is_empty() {
            return Ok(());
        }
        writeln!(
            text,
            "CPU seconds (user and system) of commands on one processor, the store in memory (tmpfs), and of"
        )?;
        writeln!(
            text,
            "the parts that they cannot leave out, by the same libraries in another process. × is the median over"
        )?;
        writeln!(text, "rounds:\n")?;
        writeln!(
            text,
            "| command | CPU | of it system | parts | CPU of parts | × | bound | | × without system | × with calls | GB/s | peak MiB |"
        )?;
        writeln!(text, "|---|---:|---:|---|---:|---:|---:|---|---:|---:|---:|---:|")?;
        for bound in &self.bounds {
            writeln!(
                text,
                "| {} | {:.3} | {:.3} | {} | {:.3} | {:.2} | {:.2} | {} | {:.2} | {:.2} | {:.2} | {:.0} |",
                bound.command,
                bound.cpu_seconds,
                bound.system_seconds,
                bound.parts,
                bound.parts_seconds,
                bound.ratio,
                bound.limit,
                if bound.is_kept() { "kept" } else { "**not kept**" },
                bound.user_ratio,
                bound.ratio_with_calls,
                bound.gigabytes,
                mebibytes(bound.peak_bytes)
            )?;
        }
        writeln!(text)
    }

    /// The speeds of kernels and the costs of jobs as a picture.
    pub(crate) fn to_svg(&self) -> String {
        let kernels = self.kernels.iter().map(|speeds| Group {
            name: speeds.what.clone(),
            bars: speeds.kernels.iter().map(|kernel| (kernel.name.to_owned(), kernel.gigabytes)).collect(),
        });
        let jobs = self.rows.iter().map(|row| Group {
            name: row.job.to_owned(),
            bars: self
                .programs
                .iter()
                .zip(&row.medians)
                .filter_map(|(about, median)| Some((about.name.clone(), median.as_ref()?.cpu_seconds)))
                .collect(),
        });
        let processor = &self.processor;
        let panels = [
            Panel { title: format!("{processor}: GB/s of one core"), digits: 2, groups: kernels.collect() },
            Panel { title: "CPU seconds, user and system".to_owned(), digits: 2, groups: jobs.collect() },
        ];
        let panels: Vec<Panel> = panels.into_iter().filter(|panel| !panel.groups.is_empty()).collect();
        picture::draw(&panels)
    }

    fn write_rows(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "Seconds by the clock / seconds of CPU time / MiB of peak resident memory:\n")?;
        write!(text, "| job |")?;
        for about in &self.programs {
            write!(text, " {} |", about.name)?;
        }
        writeln!(text, "\n|---|{}", "---:|".repeat(self.programs.len()))?;
        for row in &self.rows {
            self.write_row(text, row)?;
        }
        writeln!(text, "\n| program | version | stored, first image | stored, both |\n|---|---|---:|---:|")?;
        for About { name, version, stored } in &self.programs {
            writeln!(text, "| {name} | {version} | {} | {} |", stored.first, stored.both)?;
        }
        Ok(())
    }

    fn write_row(&self, text: &mut String, row: &Row) -> std::fmt::Result {
        write!(text, "| {} |", row.job)?;
        for median in &row.medians {
            match median {
                None => write!(text, " – |")?,
                Some(Median { wall_seconds, cpu_seconds, peak_bytes }) => {
                    let peak = mebibytes(*peak_bytes);
                    write!(text, " {wall_seconds:.2} / {cpu_seconds:.2} / {peak:.0} |")?;
                }
            }
        }
        writeln!(text)
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The processor's name, where Linux tells it, and its family and model: names of rented ones say little.
fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |key: &str| {
        let mut pairs = info.lines().filter_map(|line| line.split_once(':'));
        pairs.find_map(|(name, value)| (name.trim() == key).then(|| value.trim()))
    };
    match (value("model name"), value("cpu family"), value("model")) {
        (Some(name), Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        (Some(name), ..) => name.to_owned(),
        _ => std::env::consts::ARCH.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(middle([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(middle([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(middle([].into_iter()), None);
    }
}
