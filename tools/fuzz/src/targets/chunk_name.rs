//! File names in a store: what is taken for a chunk's name spells that chunk.

use desync_core::ChunkId;
use desync_core::format::chunk_name::parse_file_name;

pub(super) fn run(bytes: &[u8]) {
    let Ok(name) = std::str::from_utf8(bytes) else { return };
    let id: Result<ChunkId, _> = name.parse();
    assert!(id.is_err() || name.len() == 64, "an id of {} bytes", name.len());
    let Some(parsed) = parse_file_name(name) else {
        assert!(id.is_err(), "an id that is no chunk's name");
        return;
    };
    assert_eq!(parsed.id.to_hex().len() + parsed.extension.len(), name.len());
    assert!(name[..64].eq_ignore_ascii_case(&parsed.id.to_hex()));
    if let Some(form) = parsed.form().filter(|_| parsed.lower_case) {
        assert_eq!(form.path_of(&parsed.id).as_str(), format!("{}/{name}", parsed.directory()));
    }
}
