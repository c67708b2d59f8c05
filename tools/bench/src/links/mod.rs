//! `extract` over links with delay, loss and a limited rate, beside the ideal.
//!
//! Method. The first bytes of the first image are made into a store, which `chunk-server` serves in a network
//! namespace of its own; `extract -n 10` runs in another, and each packet between them passes through this
//! process ([`link`]). The ideal is the stored bytes over the rate, and a round trip for each ten requests. Each
//! combination runs once, with the default retries; what was extracted is compared.

mod link;
mod way;

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::place::{self, Images};
use crate::process;
use link::{FAR, Link};
use way::Conditions;

/// Milliseconds there and back.
const ROUND_TRIPS: [u64; 3] = [50, 300, 1500];
/// Of a hundred packets in each direction, how many are lost.
const LOSSES: [u32; 3] = [0, 1, 5];
/// Bytes a second: 20 Mbit.
const RATE: u32 = 2_500_000;
/// Requests at once.
const CONNECTIONS: u32 = 10;
/// How much of the image is extracted.
const BLOB_LEN: u64 = 32 << 20;
const PORT: u16 = 8080;
/// How long the server may take to start.
const START: Duration = Duration::from_secs(20);

/// A server that ends with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Measures and prints the table.
///
/// # Errors
/// If an extraction fails or gives something else, or without root.
pub(crate) fn run(own: &Path, images: &Images, corpus: &Path) -> anyhow::Result<()> {
    let folder = corpus.join("bench-links");
    place::remove(&folder)?;
    fs::create_dir_all(folder.join("store"))?;
    let (folder, own) = (folder.canonicalize()?, own.canonicalize()?);
    let mut blob = Vec::new();
    File::open(&images.first)?.take(BLOB_LEN).read_to_end(&mut blob)?;
    fs::write(folder.join("blob"), &blob)?;
    let mut make = Command::new(&own);
    make.current_dir(&folder).args(["make", "--no-sync", "-s", "store", "index.caibx", "blob"]);
    process::run(&mut make, &folder)?;
    let (requests, bytes) = stored(&folder.join("store"))?;
    println!("{requests} chunks, {bytes} stored bytes, {} Mbit/s, -n {CONNECTIONS}\n", RATE / 125_000);
    println!("| round trip | ideal, s | {} |", LOSSES.map(|loss| format!("{loss} % lost")).join(" | "));
    println!("|---|---:|{}", "---:|".repeat(LOSSES.len()));
    for milliseconds in ROUND_TRIPS {
        let trip = Duration::from_millis(milliseconds);
        let ideal = bytes as f64 / f64::from(RATE)
            + trip.as_secs_f64() * f64::from(requests) / f64::from(CONNECTIONS);
        let mut row = format!("| {milliseconds} ms | {ideal:.1} |");
        for loss in LOSSES {
            let conditions = Conditions { delay: trip / 2, loss, rate: RATE };
            let wall = extract(&own, &folder, &blob, conditions)
                .with_context(|| format!("{milliseconds} ms, {loss} % lost"))?
                .as_secs_f64();
            row += &format!(" {wall:.1} ({:.2}×) |", wall / ideal);
            eprintln!("bench: {milliseconds} ms, {loss} % lost: {wall:.1} s");
        }
        println!("{row}");
    }
    place::remove(&folder)
}

/// Chunks of a store, and their bytes.
fn stored(store: &Path) -> anyhow::Result<(u32, u64)> {
    let (mut count, mut bytes) = (0, 0);
    for prefix in fs::read_dir(store)? {
        for chunk in fs::read_dir(prefix?.path())? {
            count += 1;
            bytes += chunk?.metadata()?.len();
        }
    }
    Ok((count, bytes))
}

fn extract(own: &Path, folder: &Path, blob: &[u8], conditions: Conditions) -> anyhow::Result<Duration> {
    let _link = Link::new(conditions)?;
    let own = own.to_str().context("a path that is text")?;
    let server = Link::far(own)
        .args(["chunk-server", "-l", &format!("{FAR}:{PORT}"), "-s", "store"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .spawn()?;
    let mut server = Server(server);
    listens(&mut server)?;
    let output = folder.join("out");
    place::remove(&output)?;
    let mut extract = Link::near(own);
    extract.current_dir(folder).args(["extract", "--no-sync", "-n", &CONNECTIONS.to_string()]);
    extract.args(["-s", &format!("http://{FAR}:{PORT}/"), "index.caibx", "out"]);
    let cost = process::measure(&mut extract, folder)?;
    ensure!(fs::read(&output)? == blob, "what was extracted is not what was made");
    Ok(cost.wall)
}

/// Waits until the server listens, as its own namespace sees it.
fn listens(server: &mut Server) -> anyhow::Result<()> {
    let deadline = Instant::now() + START;
    let port = format!(":{PORT:04X}");
    loop {
        let sockets = Link::far("cat").arg("/proc/net/tcp").output()?;
        if String::from_utf8_lossy(&sockets.stdout).contains(&port) {
            return Ok(());
        }
        let runs = server.0.try_wait()?.is_none() && Instant::now() < deadline;
        ensure!(runs, "the server does not start");
        thread::sleep(Duration::from_millis(50));
    }
}
