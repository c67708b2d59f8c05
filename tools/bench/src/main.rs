//! Measures `desync` on the corpus, beside `casync` and any other `desync`, in one run.
//!
//! Method. Each job is run several times (5 unless told otherwise) by each program in turn, A B A B, so that a
//! machine that grows slower or warmer meets all alike; the table has medians. The inputs are read once before,
//! so they come from the page cache; what a job leaves behind is removed, untimed, before its next run. Wall
//! time is from start to end of the process; CPU time (user and system) and peak resident memory are what the
//! kernel accounts to it (`wait4`). Every extraction's output is compared with the original.
//!
//! | file | what |
//! |---|---|
//! | `jobs` | what is measured of programs |
//! | `kernels` | what is measured of kernels |
//! | `bounds` | commands beside the work that they cannot leave out |
//! | `program` | how each program is asked for a job |
//! | `place` | stores, seeds and outputs of one program on one file system |
//! | `process` | running a process and what it cost |
//! | `tree` | the tree in an image, and its archives |
//! | `report` | medians and tables |
//! | `picture` | bars |
//! | `readme` | the tables' place in a document |
//! | `many` | a tree of many small files, with `--many` |
//! | `servers` | `chunk-server` beside nginx, with `--servers` |
//! | `links` | `extract` over links with delay and loss, with `--links` |
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to its user")]

mod bounds;
mod jobs;
mod kernels;
mod links;
mod many;
mod picture;
mod place;
mod process;
mod program;
mod readme;
mod report;
mod servers;
mod tree;
mod xfs;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fmt, fs};

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};

use jobs::{FileSystem, JOBS, Job, Task};
use place::{Images, Place};
use program::{Kind, Program};
use report::{Report, Row};
use xfs::Xfs;

/// Measure desync on the corpus against casync and any other desync.
#[derive(Parser)]
struct Options {
    /// Times that each program runs each job
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Another desync to compare with, besides one on PATH; may be repeated
    #[arg(long, value_name = "PATH")]
    peer: Vec<PathBuf>,
    /// Only jobs whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Measure chunk-server beside nginx, instead of the jobs; needs nginx, wrk and two processors
    #[arg(long)]
    servers: bool,
    /// Measure extract over links with delay, loss and a limited rate, instead of the jobs; needs root and ip
    #[arg(long, conflicts_with = "servers")]
    links: bool,
    /// Put a tree of so many small files through the commands on trees, instead of the jobs; takes 10 KB of disk a file
    #[arg(long, value_name = "FILES", value_parser = clap::value_parser!(u32).range(1000..))]
    many: Option<u32>,
    /// The program under test
    #[arg(long, value_name = "PATH", default_value = "target/release/desync")]
    own: PathBuf,
    /// Where the corpus lies
    #[arg(long, value_name = "FOLDER", default_value = ".corpus")]
    corpus: PathBuf,
    /// What is measured
    #[arg(long, value_delimiter = ',', default_values_t = [Group::Kernels, Group::Bounds, Group::Programs])]
    groups: Vec<Group>,
    /// Also draw the figures as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Also put the tables into this file, in the place of those that the last run put there
    #[arg(long, value_name = "FILE")]
    readme: Option<PathBuf>,
    /// Also write the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Scanning and hashing in memory
    Kernels,
    /// Our commands beside the work that they cannot leave out
    Bounds,
    /// Jobs, by every program
    Programs,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    if let Some(files) = options.many {
        return many::run(&options.own, &options.corpus, files);
    }
    let images = Images::find(&options.corpus)?;
    if options.servers {
        return servers::run(&options.own, &images, &options.corpus, options.rounds);
    }
    if options.links {
        return links::run(&options.own, &images, &options.corpus);
    }
    let programs = programs(options)?;
    let wants = |group| options.groups.contains(&group);
    let is_asked = |job: &&Job| {
        wants(Group::Programs) && options.only.as_ref().is_none_or(|text| job.name.contains(text))
    };
    let jobs: Vec<&Job> = JOBS.iter().filter(is_asked).collect();
    if jobs.is_empty() && wants(Group::Programs) {
        bail!("no job's name contains {:?}", options.only.as_deref().unwrap_or_default());
    }
    let folder = options.corpus.join("bench");
    place::remove(&folder)?;
    let mut report = Report::new(&programs, options.rounds, &images);
    let mut places = Vec::new();
    for (number, program) in programs.iter().enumerate() {
        let place = Place::make(&folder.join(number.to_string()), &images)?;
        report.add_stored(place.fill(program, &images)?);
        places.push(place);
    }
    let xfs = xfs_places(&jobs, &folder, &places, &images)?;
    if xfs.is_none() && jobs.iter().any(|job| job.file_system == FileSystem::Xfs) {
        report.note("XFS is skipped: only root can mount it, and mkfs.xfs must be installed.");
    }
    images.read_all()?;
    if wants(Group::Kernels) {
        report.kernels = kernels::measure();
    }
    if wants(Group::Bounds) {
        let memory = tempfile::TempDir::with_prefix_in("desync-bench-", MEMORY);
        let memory = memory.with_context(|| format!("the bounds are measured in {MEMORY}"))?;
        let place = Place::make(&memory.path().join("place"), &images)?;
        place.fill(&programs[0], &images)?;
        report.bounds = bounds::measure(&programs[0], &place, &images, options.rounds)?;
    }
    let can_mount = fs::File::open("/dev/fuse").is_ok();
    if !can_mount {
        report.note("Mounts are skipped: /dev/fuse cannot be opened.");
    }
    for job in jobs {
        if job.task == Task::Mount && !can_mount {
            continue;
        }
        let places = match (job.file_system, &xfs) {
            (FileSystem::Corpus, _) => &places,
            (FileSystem::Xfs, Some((_, places))) => places,
            (FileSystem::Xfs, None) => continue,
        };
        let (row, failures) = measure(job, &programs, places, &images, options.rounds)?;
        report.add(row);
        failures.iter().for_each(|failure| report.note(failure));
    }
    drop(xfs);
    let tables = report.to_markdown();
    print!("{tables}");
    if let Some(path) = &options.svg {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, report.to_svg()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &options.readme {
        readme::put(path, &tables, options.svg.as_deref())?;
    }
    if let Some(path) = &options.json {
        fs::write(path, report.to_json()?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    // Last, for it takes long: there are many small files.
    place::remove(&folder)
}

/// A file system in memory: what a disk and its file system cost is no matter of the bounds.
const MEMORY: &str = "/dev/shm";

/// The program under test, then casync, then every other desync.
fn programs(options: &Options) -> anyhow::Result<Vec<Program>> {
    let own = Program::find(Kind::Desync, "desync (this)", &options.own).with_context(|| {
        format!("{} is missing: `cargo build --release -p desync`", options.own.display())
    })?;
    let on_path = |name: &str| {
        env::split_paths(&env::var_os("PATH").unwrap_or_default())
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())
    };
    let mut programs = vec![own];
    match on_path("casync") {
        Some(path) => programs.extend(Program::find(Kind::Casync, "casync", &path)),
        None => eprintln!("casync is not installed: no comparison with it"),
    }
    for (number, path) in on_path("desync").iter().chain(&options.peer).enumerate() {
        let name =
            format!("desync (other{})", if number == 0 { String::new() } else { format!(" {}", number + 1) });
        let other = Program::find(Kind::Desync, &name, path);
        programs.push(other.with_context(|| format!("there is no program {}", path.display()))?);
    }
    Ok(programs)
}

/// A mounted XFS with a place for each program, if a job wants one and it can be had.
fn xfs_places(
    jobs: &[&Job],
    folder: &Path,
    places: &[Place],
    images: &Images,
) -> anyhow::Result<Option<(Xfs, Vec<Place>)>> {
    if jobs.iter().all(|job| job.file_system != FileSystem::Xfs) {
        return Ok(None);
    }
    let Some(xfs) = Xfs::mount(folder)? else { return Ok(None) };
    let elsewhere =
        |(number, place): (usize, &Place)| place.moved(&xfs.folder().join(number.to_string()), images);
    let places = places.iter().enumerate().map(elsewhere).collect::<Result<_, _>>()?;
    Ok(Some((xfs, places)))
}

/// Runs a job in turn by every program that can do it. Others than the one under test may fail at it: that is told.
fn measure(
    job: &Job,
    programs: &[Program],
    places: &[Place],
    images: &Images,
    rounds: u32,
) -> anyhow::Result<(Row, Vec<String>)> {
    let mut row = Row::new(job, programs.len());
    let mut failures: Vec<Option<String>> = vec![None; programs.len()];
    for round in 0..rounds {
        for (number, (program, place)) in programs.iter().zip(places).enumerate() {
            if failures[number].is_some() {
                continue;
            }
            eprintln!("{} {}/{rounds}: {}", job.name, round + 1, program.name);
            let cost = measure_once(job, program, place, images, round == 0);
            match cost.with_context(|| format!("{}: {}", program.name, job.name)) {
                Ok(cost) => cost.into_iter().for_each(|cost| row.add(number, cost)),
                Err(error) if number > 0 => failures[number] = Some(failure(job, program, &error)),
                Err(error) => return Err(error),
            }
        }
    }
    Ok((row, failures.into_iter().flatten().collect()))
}

/// What a program said of a job that it failed at, without the command and its paths.
fn failure(job: &Job, program: &Program, error: &anyhow::Error) -> String {
    let error = format!("{error:#}");
    let said = error.rsplit_once("): ").map_or(&*error, |(_, said)| said);
    format!("{} failed at \"{}\": {}", program.name, job.name, said.lines().next().unwrap_or_default())
}

/// `None` if the program has no such command.
fn measure_once(
    job: &Job,
    program: &Program,
    place: &Place,
    images: &Images,
    is_first: bool,
) -> anyhow::Result<Option<process::Cost>> {
    let Some(mut command) = program.command(job, place, images) else { return Ok(None) };
    if job.task.is_of_a_tree() {
        tree::plant(program, place, images)?;
    }
    place.prepare(job)?;
    let cost = process::measure(&mut command, &place.folder)?;
    match job.task {
        Task::Extract { .. } if is_first => place.check_output(images)?,
        Task::Untar { .. } if is_first => tree::check_output(place)?,
        _ => {}
    }
    Ok(Some(cost))
}
