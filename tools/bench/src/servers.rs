//! Requests a second of `chunk-server`, beside nginx serving the same files.
//!
//! Method. One store with the chunks of the first image. Each server has the first processor to itself, `wrk`
//! the second, and asks for every chunk in turn. Both run at once, but only one is asked at a time, A B A B;
//! the table has medians. Memory is the peak of all processes of a server after everything.

use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::place::{self, Images};
use crate::process;

/// Connections in each row.
const CONNECTIONS: [u32; 2] = [32, 256];

/// Seconds of one run of `wrk`.
const SECONDS: u32 = 5;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

/// A server that is measured.
struct Server {
    name: &'static str,
    port: u16,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx's workers end with their master at its TERM, not at its KILL.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Measures and prints the table.
///
/// # Errors
/// If nginx or `wrk` is missing, or a server fails.
pub(crate) fn run(own: &Path, images: &Images, corpus: &Path, rounds: u32) -> anyhow::Result<()> {
    let folder = corpus.join("bench-servers");
    place::remove(&folder)?;
    fs::create_dir_all(folder.join("store"))?;
    let folder = folder.canonicalize()?;
    let store = folder.join("store");
    let mut make = Command::new(own);
    make.args(["make", "--no-sync", "-s"]).arg(&store).arg(folder.join("index.caibx")).arg(&images.first);
    process::run(&mut make, &folder)?;
    let script = script(&folder, &store)?;
    let servers = [start_own(own, &store)?, start_nginx(&folder, &store)?];
    println!("| requests/s, one core | {} | {} |", servers[0].name, servers[1].name);
    println!("|---|---:|---:|");
    for connections in CONNECTIONS {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (server, rates) in servers.iter().zip(&mut rates) {
                rates.push(ask(server, connections, &script)?);
            }
        }
        let [ours, theirs] = rates.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[rates.len() / 2]
        });
        println!("| {connections} connections | {ours:.0} | {theirs:.0} |");
    }
    let peaks = [peak(&servers[0])?, peak(&servers[1])?];
    println!("| peak memory, MiB | {:.1} | {:.1} |", peaks[0], peaks[1]);
    drop(servers);
    place::remove(&folder)
}

/// What `wrk` asks for: every chunk of the store, in turn.
fn script(folder: &Path, store: &Path) -> anyhow::Result<PathBuf> {
    let mut text = String::from("local paths = {\n");
    let mut count = 0;
    for prefix in fs::read_dir(store)? {
        for file in fs::read_dir(prefix?.path())? {
            let file = file?.path();
            let path = file.strip_prefix(store)?;
            text += &format!("\"/{}\",\n", path.display());
            // Into the page cache, as far as it goes.
            fs::read(&file)?;
            count += 1;
        }
    }
    ensure!(count > 0, "the store is empty");
    text += "}\nlocal next = 0\nfunction request()\n next = next % #paths + 1\n return wrk.format(\"GET\", paths[next])\nend\n";
    let path = folder.join("wrk.lua");
    fs::write(&path, text)?;
    Ok(path)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn start_own(own: &Path, store: &Path) -> anyhow::Result<Server> {
    let port = free_port()?;
    let mut command = Command::new("taskset");
    command
        .args(["-c", "0"])
        .arg(own)
        .args(["chunk-server", "-l", &format!("127.0.0.1:{port}"), "-s"])
        .arg(store);
    started("desync (this)", port, &mut command)
}

fn start_nginx(folder: &Path, store: &Path) -> anyhow::Result<Server> {
    let port = free_port()?;
    let (pid, errors) = (folder.join("nginx.pid"), folder.join("nginx.errors"));
    let config = format!(
        "user root; daemon off; worker_processes 1; worker_rlimit_nofile 4096; pid {}; error_log {};\n\
         events {{ worker_connections 2048; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;\n\
         server {{ listen 127.0.0.1:{port} backlog=4096; root {}; }} }}\n",
        pid.display(),
        errors.display(),
        store.display(),
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config)?;
    let mut command = Command::new("taskset");
    command.args(["-c", "0", "nginx", "-c"]).arg(&path);
    started("nginx", port, &mut command)
}

fn started(name: &'static str, port: u16, command: &mut Command) -> anyhow::Result<Server> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let child = command.spawn().with_context(|| format!("cannot start {name} under taskset"))?;
    let mut server = Server { name, port, child };
    let deadline = Instant::now() + START;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if server.child.try_wait()?.is_some() || Instant::now() > deadline {
            bail!("{name} does not start");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(server)
}

/// Requests a second.
fn ask(server: &Server, connections: u32, script: &Path) -> anyhow::Result<f64> {
    let mut command = Command::new("taskset");
    command
        .args(["-c", "1", "wrk", "-t1", &format!("-c{connections}"), &format!("-d{SECONDS}s"), "-s"])
        .arg(script);
    command.arg(format!("http://127.0.0.1:{}", server.port)).stdin(Stdio::null());
    let output = command.output().context("cannot run wrk under taskset")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "wrk failed: {text}");
    ensure!(
        !text.contains("Non-2xx") && !text.contains("Socket errors"),
        "{} failed requests: {text}",
        server.name
    );
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    rate.and_then(|rate| rate.trim().parse().ok()).with_context(|| format!("wrk says: {text}"))
}

/// Peak resident memory of a server and its workers, in MiB.
fn peak(server: &Server) -> anyhow::Result<f64> {
    let id = server.child.id().to_string();
    let mut children = String::new();
    fs::File::open(format!("/proc/{id}/task/{id}/children"))?.read_to_string(&mut children)?;
    let mut kibs = 0.0;
    for id in children.split_whitespace().chain([id.as_str()]) {
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        kibs += line.trim().trim_end_matches(" kB").parse::<f64>()?;
    }
    Ok(kibs / 1024.0)
}
