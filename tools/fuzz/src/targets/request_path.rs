//! Paths of HTTP requests: what is let through names one thing and stays below the root.

use desync_core::format::{CipherKind, KeyLabel, StorageForm};
use desync_server::path;

pub(super) fn run(bytes: &[u8]) {
    let Ok(raw) = std::str::from_utf8(bytes) else { return };
    if let Some(clean) = path::cleaned(raw) {
        assert_eq!(path::cleaned(&clean), None, "cleaned once is clean");
        assert!(clean.starts_with('/') && !clean.contains("//"));
        assert!(clean.split('/').all(|part| !matches!(part, "." | "..")));
    }
    let Some(decoded) = path::decoded(raw) else { return };
    if let Ok(name) = path::index_name(&decoded) {
        assert!(!name.contains(['/', '\\', '\0']) && !matches!(name, "" | "." | ".."));
    }
    let key = KeyLabel { cipher: CipherKind::Aes256Gcm, key_id: [1, 2, 3, 4] };
    for form in [StorageForm::Compressed, StorageForm::Plain, StorageForm::Plain.encrypted(key)] {
        if let Ok(id) = path::chunk_id(&decoded, form) {
            assert!(form.path_of(&id).eq_ignore_ascii_case(&decoded[1..]));
        }
    }
}
