//! The program against a server that does everything wrong: whatever comes, it takes no more than its share of the
//! machine, leaves what was there, and says what happened.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use desync_test_kit::servers::{Fault, WebServer};

use crate::room::{Room, blob};

/// Requests at once.
const WORKERS: usize = 10;

/// Descriptors beside connections: streams, the index, the target, what the runtime library takes.
const OTHER_DESCRIPTORS: usize = 14;

/// Ten workers, each with a chunk and what it is decoded to, and the program itself.
const MEMORY_MAX_KIB: u64 = 40 << 10;

/// No run takes longer: not even one that tries everything twice.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most a run had of anything at once.
#[derive(Debug, Default)]
struct Peaks {
    descriptors: usize,
    memory_kib: u64,
}

/// Watches a process to its end.
fn watch(child: &mut Child) -> (Option<i32>, Peaks) {
    let (mut peaks, since) = (Peaks::default(), Instant::now());
    loop {
        let status = child.try_wait().unwrap();
        let proc = format!("/proc/{}", child.id());
        let open = std::fs::read_dir(format!("{proc}/fd")).map_or(0, Iterator::count);
        peaks.descriptors = peaks.descriptors.max(open);
        let said = std::fs::read_to_string(format!("{proc}/status")).unwrap_or_default();
        let memory = said.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peaks.memory_kib = peaks.memory_kib.max(memory.map_or(0, |kib| kib.parse().unwrap()));
        if let Some(status) = status {
            return (status.code(), peaks);
        }
        if since.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("still running after {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// An extraction from the server, over what was there.
fn extraction(room: &Room, server: &WebServer) -> Command {
    let workers = WORKERS.to_string();
    let store = server.url("store");
    // Nanoseconds: what a server promises and does not send is not waited for as long as it would be.
    let config = format!(r#"{{"store-options": {{"{store}": {{"timeout": 2000000000}}}}}}"#);
    room.write("config.json", config.as_bytes());
    let extract = ["--config", "config.json", "extract", "-e", "1", "-n", &workers, "-s", &store];
    room.command(&[&extract[..], &["blob.caibx", "out"]].concat())
}

#[test]
fn descriptors_and_memory_stay_bounded_whatever_a_server_does() {
    let (room, server) = (Room::with_blob(), WebServer::start());
    for chunk in room.files("store") {
        server.put(&chunk, &room.read(&chunk));
    }
    let mut succeeded = 0;
    for fault in [
        Fault::None,
        Fault::Every(7, 503),
        Fault::Stall(Duration::from_millis(100)),
        Fault::CutAfter(10),
        Fault::CutAfter(5000),
        Fault::CutAfter(100_000),
        Fault::Truncate,
        Fault::Flip,
        Fault::WrongLength(-1),
        Fault::WrongLength(10),
        Fault::Endless,
        Fault::EndlessHeader,
        Fault::Garbage,
        Fault::RedirectLoop,
        Fault::Every(1, 403),
    ] {
        server.set_fault(fault);
        room.write("out", b"what was there");
        let mut child = extraction(&room, &server).spawn().unwrap();
        let (code, peaks) = watch(&mut child);
        let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        assert!(peaks.descriptors <= WORKERS + OTHER_DESCRIPTORS, "{fault:?}: {peaks:?}");
        assert!(peaks.descriptors > 3 && peaks.memory_kib > 0, "{fault:?}: nothing was watched");
        assert!(peaks.memory_kib <= MEMORY_MAX_KIB, "{fault:?}: {peaks:?}");
        match code {
            Some(0) => {
                assert!(room.read("out") == blob(), "{fault:?}: wrong bytes");
                succeeded += 1;
            }
            Some(1) => {
                let error = said.lines().find(|line| line.starts_with("Error: ")).unwrap_or_default();
                assert!(error.contains("/store: ") && error.contains(" chunk "), "{fault:?}: {said}");
                assert_eq!(room.read("out"), b"what was there", "{fault:?}");
            }
            code => panic!("{fault:?}: {code:?}: {said}"),
        }
    }
    assert!(succeeded >= 3, "{succeeded}: what can be survived was not");
}
