//! Which config entry is for a location.

use std::path::{Component, Path, PathBuf};

use crate::glob;

/// Whether the key of a config entry is for `location`; relative paths are relative to `working_dir`.
///
/// A location with a scheme of more than one letter is compared as text, one trailing `/` aside. Anything
/// else is a path: both sides are made absolute and cleaned first.
#[must_use]
pub fn is_for(key: &str, location: &str, working_dir: &Path) -> bool {
    if has_scheme(location) {
        return glob::matches(trimmed(key), trimmed(location));
    }
    let absolute = |text: &str| clean(&working_dir.join(text));
    glob::matches(&absolute(key).to_string_lossy(), &absolute(location).to_string_lossy())
}

fn trimmed(text: &str) -> &str {
    text.strip_suffix('/').unwrap_or(text)
}

/// Whether the text begins with a scheme of more than one letter; one letter is a Windows drive.
fn has_scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    let mut bytes = scheme.bytes();
    scheme.len() > 1
        && bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// The same path without `.`, `..`, double and trailing slashes. The file system is not asked.
#[must_use]
pub fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if clean.file_name().is_some() => {
                clean.pop();
            }
            Component::ParentDir if clean.has_root() => {}
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(key: &str, location: &str) -> bool {
        is_for(key, location, Path::new("/base/dir"))
    }

    #[test]
    fn urls_match_as_text_but_for_one_trailing_slash() {
        for (key, location) in [
            ("https://host/path*", "https://host/path/"),
            ("https://example.com/*/*/", "https://example.com/a/b/"),
            ("https://example.com/*/*/", "https://example.com/a/b"),
            ("s3+https://host/b?lookup=path", "s3+https://host/b?lookup=path"),
        ] {
            assert!(is_match(key, location), "{key} {location}");
        }
        for (key, location) in
            [("https://*", "https://host/p"), ("*", "https://host/p"), ("https://host", "http://host")]
        {
            assert!(!is_match(key, location), "{key} {location}");
        }
    }

    #[test]
    fn paths_match_made_absolute_and_clean() {
        for (key, location) in [
            ("/path/*/", "/path/to"),
            ("path/..", "."),
            ("./a//b/", "/base/dir/a/b"),
            ("/base/dir", ""),
            ("../*", "/base/other"),
            ("/..", "/"),
        ] {
            assert!(is_match(key, location), "{key} {location}");
        }
        for (key, location) in [("/path/*", "/path"), ("/path", "path"), ("/path/*", "/path/a/b")] {
            assert!(!is_match(key, location), "{key} {location}");
        }
    }

    #[test]
    fn drive_letters_and_odd_colons_are_paths() {
        assert!(!has_scheme("C:\\store"));
        assert!(!has_scheme("12:30"));
        assert!(!has_scheme("dir/a:b"));
        assert!(has_scheme("s3+https://x"));
    }
}
