//! Keys of config entries: a glob matches what its oracle says, and a location is its own key.

use std::path::Path;

use desync_config::{clean, glob, is_for};

/// Longest text that the oracle, which tries everything, is asked about.
const ORACLE_LEN_MAX: usize = 14;

pub(super) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (key, location) = text.split_once('\n').unwrap_or((text, text));
    let matched = glob::matches(key, location);
    if !key.contains(['[', '\\']) && key.len().max(location.len()) <= ORACLE_LEN_MAX {
        let (key, location): (Vec<char>, Vec<char>) = (key.chars().collect(), location.chars().collect());
        assert_eq!(matched, is_match(&key, &location), "{text:?}");
    }
    let escaped: String = location.chars().flat_map(|c| ['\\', c]).collect();
    assert!(glob::matches(&escaped, location), "each character stands for itself");
    let working_dir = Path::new("/a/b");
    let _ = is_for(key, location, working_dir);
    if !location.contains(['*', '?', '[', '\\']) {
        assert!(is_for(location, location, working_dir), "a location is its own key");
    }
    let once = clean(&working_dir.join(location));
    assert_eq!(clean(&once), once);
}

/// Globs without sets and escapes, by trying every length for each `*`.
fn is_match(key: &[char], location: &[char]) -> bool {
    let stops = |c: &char| *c == '/';
    match key.split_first() {
        None => location.is_empty(),
        Some(('*', rest)) => {
            let run = location.iter().position(stops).unwrap_or(location.len());
            (0..=run).any(|len| is_match(rest, &location[len..]))
        }
        Some((first, rest)) => location.split_first().is_some_and(|(c, more)| {
            (if *first == '?' { !stops(c) } else { first == c }) && is_match(rest, more)
        }),
    }
}
