//! The boards with a second UART cut, name and decode a chunk that casync made.

use defmt_decoder::{DecodeError, Table};
use desync_hil_tests::{BOARDS, Board, Emulator, Firmware, FlashFile, Program};

/// The chunk's name, as casync gave it: the device must log the same, computed by itself.
const NAME: &str = "c92bd67099562ed6fa0f5ffa70a58c71f3673f1f73a50994bf32de175e4c349d";

#[test]
fn boards_cut_name_and_decode_a_chunk() {
    let Some(emulator) = Emulator::find_or_skip() else { return };
    for board in BOARDS.into_iter().filter(|board| board.programs.contains(&Program::Smoke)) {
        check(board, emulator);
    }
}

fn check(board: Board, emulator: Emulator) {
    let firmware = Firmware::build(board, Program::Smoke).unwrap();
    let folder = tempfile::tempdir().unwrap();
    FlashFile::new(folder.path(), &board).write(&[]).unwrap();
    let outcome = emulator.run(&firmware, folder.path(), &[]).unwrap();
    assert_eq!(outcome.output, "smoke: passed\n", "{}: {}", board.name, outcome.errors);
    assert_eq!(outcome.code, Some(0), "{}", board.name);
    let log = decoded(&std::fs::read(&firmware.elf).unwrap(), &outcome.log);
    assert_eq!(log.len(), 5, "{}: {log:?}", board.name);
    assert_eq!(log[0], "decoded 3020 bytes to 12000");
    assert!(log[1].starts_with("decoded in pieces"), "{log:?}");
    assert!(log[2].contains("names it"), "{log:?}");
    assert!(log[4].starts_with("cut into "), "{log:?}");
    // defmt prints the derived form of an id: its bytes in decimal.
    let bytes: Vec<_> = (0..32).map(|i| u8::from_str_radix(&NAME[2 * i..2 * i + 2], 16).unwrap()).collect();
    assert!(log[2].contains(&format!("{bytes:?}")) || log[2].contains(NAME), "{log:?}");
}

/// The messages of defmt's frames, with the strings that stand in the ELF file.
pub(crate) fn decoded(elf: &[u8], frames: &[u8]) -> Vec<String> {
    let table = Table::parse(elf).unwrap().expect("the firmware has defmt's strings");
    let mut decoder = table.new_stream_decoder();
    decoder.received(frames);
    let mut messages = Vec::new();
    loop {
        match decoder.decode() {
            Ok(frame) => messages.push(frame.display_message().to_string()),
            Err(DecodeError::UnexpectedEof) => return messages,
            Err(error) => panic!("a frame of the log is damaged: {error:?}"),
        }
    }
}
