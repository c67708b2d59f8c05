//! Updates over lines that lose, double and flip bytes, fall silent and hang up, through the real `serve-link`;
//! and over a terminal, as a serial port is.

use desync_hil_tests::{Emulator, Faults, Host, Line, NoisyLine};

use crate::device::{Device, Release, figure};

/// Milliseconds until a question is asked again: short, so that the test is.
const ANSWER: &str = "answer=300";

#[test]
fn a_noisy_line_neither_corrupts_nor_doubles_what_is_fetched() {
    let Some(emulator) = Emulator::find_or_skip() else { return };
    let device = Device::new("mps2-an386", emulator);
    let first = Release::built(device.board, 1);
    let second = first.patched(2, true);
    let host = Host::new(device.path()).unwrap();
    let index = host.make("image", &second.image, "").unwrap();
    let line = device.path().join("line");

    let mut asked = Vec::new();
    let noise = Faults { dropped: 3000, doubled: 3000, flipped: 3000, silence: 6000, hang_up: 4000 };
    for faults in [Faults::default(), noise] {
        device.make(&first);
        let running = device.start(&Line::Socket, &["update", ANSWER]);
        let noisy = NoisyLine::lay(&line, faults, 11).unwrap();
        let serving = host.serve(&index, noisy.socket().to_str().unwrap(), true).unwrap();
        let outcome = running.end().unwrap();
        drop(serving);
        assert_eq!(outcome.code, Some(0), "{faults:?}: {outcome:?}");
        assert!(outcome.output.contains("app: version 2\n"), "{outcome:?}");
        assert!(device.flash.holds(device.slots()[1], &second.image).unwrap());
        asked.push((figure(&outcome.output, "asked"), noisy.happened()));
        std::fs::remove_file(noisy.socket()).unwrap();
    }
    eprintln!("asked for {} bytes on a quiet line, {} with {} faults", asked[0].0, asked[1].0, asked[1].1);
    assert_eq!(asked[0].1, 0);
    assert!(asked[1].1 >= 5, "the line was hardly noisy");
    assert!(asked[1].0 <= 2 * asked[0].0, "{asked:?}");
}

/// The raw mode of `serve-link` for serial ports: every byte value passes unchanged, both ways.
#[test]
fn a_terminal_is_a_serial_port() {
    let Some(emulator) = Emulator::find_or_skip() else { return };
    let device = Device::new("mps2-an386", emulator);
    let first = Release::built(device.board, 1);
    let second = first.patched(2, true);
    device.make(&first);
    let host = Host::new(device.path()).unwrap();
    let index = host.make("image", &second.image, "").unwrap();
    let running = device.start(&Line::Terminal, &["update"]);
    let terminal = running.terminal().unwrap().to_str().unwrap().to_owned();
    let serving = host.serve(&index, &terminal, false).unwrap();
    let outcome = running.end().unwrap();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(serving.end().unwrap(), Some(0));
    assert!(device.flash.holds(device.slots()[1], &second.image).unwrap());
}
