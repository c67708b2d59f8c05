//! Updates that nothing disturbs, from a real store by `desync serve-link`, on every board.

use std::net::TcpListener;

use desync_hil_tests::{Board, Emulator, Firmware, FlashFile, Host, Layout, Line, Program};

use crate::device::{Device, Release, figure};
use crate::smoke::decoded;

/// Heap and stack together that an update may take, besides 16 bytes for each chunk of the index.
const MEMORY_MAX: u64 = 48 << 10;

/// A port that nobody listened on a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// From the first version to the second and back, through both slots; then to one that fails.
#[test]
fn mps2_an386_updates_boots_and_falls_back() {
    let Some(emulator) = Emulator::find_or_skip() else { return };
    let device = Device::new("mps2-an386", emulator);
    let (first, second) = (Release::built(device.board, 1), Release::built(device.board, 2));
    let bad = first.patched(3, false);
    device.make(&first);
    let host = Host::new(device.path()).unwrap();
    for (release, slot) in [(&second, 1), (&first, 0)] {
        let index = host.make("image", &release.image, "").unwrap();
        let port = free_port();
        let running = device.start(&Line::Tcp(port), &["update"]);
        let serving = host.serve(&index, &format!("tcp:127.0.0.1:{port}"), false).unwrap();
        let outcome = running.end().unwrap();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.output.contains("app: confirmed"), "{outcome:?}");
        assert_eq!(serving.end().unwrap(), Some(0));
        assert!(device.flash.holds(device.slots()[slot], &release.image).unwrap());
        eprintln!("to version {}: {}", release.version, outcome.output.lines().nth(1).unwrap_or_default());
        device.assert_boots(release, &"after the update");
    }

    // What runs already is not fetched when it is offered once more.
    let index = host.make("image", &first.image, "").unwrap();
    let running = device.start(&Line::Socket, &["update"]);
    let serving = host.serve(&index, device.path().join("line").to_str().unwrap(), false).unwrap();
    let outcome = running.end().unwrap();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.output.ends_with("app: nothing newer is offered\n"), "{outcome:?}");
    assert_eq!(serving.end().unwrap(), Some(0));

    let index = host.make("bad", &bad.image, "").unwrap();
    let running = device.start(&Line::Socket, &["update"]);
    let serving = host.serve(&index, device.path().join("line").to_str().unwrap(), false).unwrap();
    let outcome = running.end().unwrap();
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert_eq!(serving.end().unwrap(), Some(0));
    assert_eq!(device.run(&[]).code, Some(3), "its second and last trial");
    device.assert_boots(&first, &"an image that fails its test of itself");
}

#[test]
fn mps2_an385_updates_and_boots() {
    let Some(emulator) = Emulator::find_or_skip() else { return };
    let device = Device::new("mps2-an385", emulator);
    let first = Release::built(device.board, 1);
    let second = first.patched(2, true);
    device.make(&first);
    let host = Host::new(device.path()).unwrap();
    let index = host.make("image", &second.image, "").unwrap();
    let running = device.start(&Line::Socket, &["update"]);
    let serving = host.serve(&index, device.path().join("line").to_str().unwrap(), false).unwrap();
    let outcome = running.end().unwrap();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(serving.end().unwrap(), Some(0));
    eprintln!("to a patched image: {}", outcome.output.lines().nth(1).unwrap_or_default());
    assert!(device.flash.holds(device.slots()[1], &second.image).unwrap());
    device.assert_boots(&second, &"after the update");
}

/// The memory claim: chunks of 256 KiB in 48 KiB of heap and stack.
#[test]
fn netduinoplus2_updates_in_48_kib() {
    let Some(memory) = update_of_long_chunks("netduinoplus2") else { return };
    assert!(memory.stack > 0 && memory.heap > 0);
    let all = memory.heap + memory.stack;
    eprintln!("netduinoplus2: heap {} and stack {} bytes", memory.heap, memory.stack);
    assert!(all <= MEMORY_MAX + 16 * memory.chunks, "{all} bytes of heap and stack");
}

#[test]
fn riscv32_virt_updates() {
    let Some(memory) = update_of_long_chunks("riscv32-virt") else { return };
    eprintln!("riscv32-virt: heap {} bytes", memory.heap);
}

/// What an update took.
struct Memory {
    heap: u64,
    stack: u64,
    chunks: u64,
}

/// An update of real machine code in chunks of 256 KiB, into a flash that the board does not run from.
fn update_of_long_chunks(name: &str) -> Option<Memory> {
    let emulator = Emulator::find_or_skip()?;
    let board = Board::named(name);
    let firmware = Firmware::build(board, Program::Updater).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // What this very test is made of.
    let mut image = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    image.truncate(512 << 10);
    let flash = FlashFile::new(folder.path(), &board);
    flash.make(&board, &[], &[]).unwrap();
    let host = Host::new(folder.path()).unwrap();
    let index = host.make("image", &image, "128:256:256").unwrap();
    let chunks = (std::fs::metadata(&index).unwrap().len() - 104) / 40;
    let running = emulator.start(&firmware, folder.path(), &Line::Socket, &["update"]).unwrap();
    let serving = host.serve(&index, folder.path().join("line").to_str().unwrap(), false).unwrap();
    let outcome = running.end().unwrap();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(serving.end().unwrap(), Some(0));
    let slot = Layout::of(&board).slots[1];
    assert!(flash.holds(slot, &image).unwrap(), "the slot is not the image");
    assert!(chunks <= 4, "{chunks} chunks are not long");
    if !outcome.log.is_empty() {
        let log = decoded(&std::fs::read(&firmware.elf).unwrap(), &outcome.log);
        assert!(log.iter().any(|line| line.starts_with("offered")), "{log:?}");
    }
    let booted = emulator.run(&firmware, folder.path(), &[]).unwrap();
    assert!(booted.output.contains("boot: slot B"), "{booted:?}");
    let (heap, stack) = (figure(&outcome.output, "heap"), figure(&outcome.output, "stack"));
    Some(Memory { heap, stack, chunks })
}
