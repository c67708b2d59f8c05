//! What a request path asks for. Text in, names out; hostile text is refused here.

use desync_core::ChunkId;
use desync_core::format::StorageForm;
use desync_core::format::chunk_name::parse_file_name;

/// Why a path names no chunk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkPathError {
    /// Not a directory and a file.
    #[error("expected format '/<prefix>/<chunkid>{0}'")]
    Shape(String),
    /// Another form than this server's.
    #[error("expected extension '{0}', verify compression and encryption settings")]
    Extension(String),
    /// The directory does not belong to the chunk.
    #[error("prefix does not match the chunk id")]
    Prefix,
    /// No ID.
    #[error("chunk id must be 64 hexadecimal digits")]
    Digits,
}

/// A path names no index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid index name")]
pub struct IndexNameError;

/// The chunk that a decoded path names on a server of this form: `/<4 digits>/<64 digits><extension>`, digits
/// in either case.
///
/// # Errors
/// [`ChunkPathError`].
pub fn chunk_id(path: &str, form: StorageForm) -> Result<ChunkId, ChunkPathError> {
    let extension = form.extension();
    let shape = || ChunkPathError::Shape(extension.to_string());
    let (prefix, file) = path.strip_prefix('/').and_then(|path| path.split_once('/')).ok_or_else(shape)?;
    if prefix.len() != 4 || file.contains('/') {
        return Err(shape());
    }
    let Some(name) = parse_file_name(file) else {
        return Err(if file.ends_with(extension.as_str()) {
            ChunkPathError::Digits
        } else {
            ChunkPathError::Extension(extension.to_string())
        });
    };
    if name.extension != extension {
        return Err(ChunkPathError::Extension(extension.to_string()));
    }
    if !name.directory().eq_ignore_ascii_case(prefix) {
        return Err(ChunkPathError::Prefix);
    }
    Ok(name.id)
}

/// The index that a decoded path names: its last part. Directories before it do not matter.
///
/// # Errors
/// [`IndexNameError`] for names that are none, or that mean something to a file system.
pub fn index_name(path: &str) -> Result<&str, IndexNameError> {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let is_name = !matches!(name, "" | "." | "..") && !name.contains(['\\', '\0']);
    if is_name { Ok(name) } else { Err(IndexNameError) }
}

/// A path with its percent codes resolved; `None` if it is not text then.
#[must_use]
pub fn decoded(raw: &str) -> Option<String> {
    percent_encoding::percent_decode_str(raw).decode_utf8().ok().map(Into::into)
}

/// Where a path leads without `//`, `.` and `..`; `None` if it has none of these. Never above the root.
#[must_use]
pub fn cleaned(raw: &str) -> Option<String> {
    let mut parts = Vec::new();
    let mut changed = !raw.starts_with('/');
    let mut rest = raw.trim_start_matches('/').split('/').peekable();
    changed |= raw.starts_with("//");
    while let Some(part) = rest.next() {
        let is_last = rest.peek().is_none();
        match part {
            "" if is_last => parts.push(part),
            "" | "." => changed = true,
            ".." => {
                changed = true;
                parts.pop();
            }
            part => parts.push(part),
        }
        // `/a/.` and `/a/b/..` are directories.
        if is_last && matches!(part, "." | "..") {
            parts.push("");
        }
    }
    changed.then(|| format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use desync_core::DigestKind;
    use desync_core::format::{CipherKind, KeyLabel};

    use super::*;

    #[test]
    fn chunks_are_found_in_every_form_and_case() {
        let id = DigestKind::Sha512_256.id_of(b"x");
        let key = KeyLabel { cipher: CipherKind::Aes256Gcm, key_id: [1, 2, 3, 4] };
        let forms = [StorageForm::Compressed, StorageForm::Plain, StorageForm::Compressed.encrypted(key)];
        for form in forms {
            let path = format!("/{}", form.path_of(&id));
            assert_eq!(chunk_id(&path, form), Ok(id));
            for other in forms.into_iter().filter(|other| *other != form) {
                let error = chunk_id(&path, other).unwrap_err();
                assert!(error.to_string().contains("verify compression and encryption settings"), "{error}");
            }
        }
        let hex = id.to_hex().to_uppercase();
        assert_eq!(chunk_id(&format!("/{}/{hex}", &hex[..4]), StorageForm::Plain), Ok(id));
    }

    #[test]
    fn what_names_no_chunk_is_refused() {
        let hex = DigestKind::Sha512_256.id_of(b"x").to_hex();
        let (prefix, other) = (&hex[..4], "0000");
        let form = StorageForm::Compressed;
        for (path, part) in [
            (String::new(), "expected format"),
            ("/".into(), "expected format"),
            (format!("/{hex}.cacnk"), "expected format"),
            (format!("{prefix}/{hex}.cacnk"), "expected format"),
            (format!("/x/{prefix}/{hex}.cacnk"), "expected format"),
            (format!("/{prefix}/x/{hex}.cacnk"), "expected format"),
            (format!("/{prefix}é/{hex}.cacnk"), "expected format"),
            (format!("/{other}/{hex}.cacnk"), "prefix"),
            (format!("/{prefix}/{}.cacnk", &hex[1..]), "64 hexadecimal digits"),
            (format!("/{prefix}/{}z.cacnk", &hex[1..]), "64 hexadecimal digits"),
            (format!("/{prefix}/..cacnk"), "64 hexadecimal digits"),
            (format!("/{prefix}/{hex}0.cacnk"), "expected extension"),
            (format!("/{prefix}/{hex}.cacnk\0"), "expected extension"),
            (format!("/{prefix}/.."), "expected extension"),
        ] {
            let error = chunk_id(&path, form).unwrap_err().to_string();
            assert!(error.contains(part), "{path}: {error}");
        }
    }

    #[test]
    fn an_index_is_the_last_part_of_its_path() {
        for path in ["/x.caibx", "/a/b/x.caibx", "x.caibx", "/a/../x.caibx", "/x.caibx/"] {
            assert_eq!(index_name(path), Ok("x.caibx"), "{path}");
        }
        for path in ["", "/", "/a/..", "/.", "//", "/a\\b", "/a\0b"] {
            assert_eq!(index_name(path), Err(IndexNameError), "{path}");
        }
    }

    #[test]
    fn paths_are_cleaned_and_stay_below_the_root() {
        for (raw, clean) in [
            ("//a", "/a"),
            ("/a//b", "/a/b"),
            ("/a/./b/", "/a/b/"),
            ("/a/../../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/..", "/"),
            ("", "/"),
            ("*", "/*"),
        ] {
            assert_eq!(cleaned(raw).as_deref(), Some(clean), "{raw}");
            assert_eq!(cleaned(clean), None, "{clean} is clean");
        }
        for raw in ["/", "/a", "/a/", "/a/b.c", "/..a", "/%2e%2e"] {
            assert_eq!(cleaned(raw), None, "{raw}");
        }
        assert_eq!(decoded("/%2e%2e/a%20b").as_deref(), Some("/../a b"));
        assert_eq!(decoded("/%ff"), None);
    }
}
