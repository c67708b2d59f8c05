//! `--with` and `--without`: casync's words for what an archive records.

use desync_core::format::FeatureFlags;

use super::UsageError;
use crate::args::FeatureArgs;

/// Everything that can be recorded; how the archive came about is not among it.
const ALL: FeatureFlags = FeatureFlags::from_bits_retain(0x1_ffff_ffff);

/// Words for one feature each, in the order of their bits.
///
/// Source: casync `caformat-util.c`.
const WORDS: [&str; 33] = [
    "16bit-uids",
    "32bit-uids",
    "user-names",
    "sec-time",
    "usec-time",
    "nsec-time",
    "2sec-time",
    "read-only",
    "permissions",
    "symlinks",
    "device-nodes",
    "fifos",
    "sockets",
    "flag-hidden",
    "flag-system",
    "flag-archive",
    "flag-append",
    "flag-noatime",
    "flag-compr",
    "flag-nocow",
    "flag-nodump",
    "flag-dirsync",
    "flag-immutable",
    "flag-sync",
    "flag-nocomp",
    "flag-projinherit",
    "subvolume",
    "subvolume-ro",
    "xattrs",
    "acl",
    "selinux",
    "fcaps",
    "quota-projid",
];

/// Words for sets.
const SETS: [(&str, u64); 7] = [
    ("best", 0x1_ffff_ffff),
    ("all", 0x1_ffff_ffff),
    ("unix", 0x1f09),
    ("fat", 0xe0c0),
    ("chattr", 0x3ff_0000),
    ("fuse", 0x13ff_ff22),
    ("privileged", 0x1_ec41_4407),
];

/// The features that the words ask for, not yet in normal form.
///
/// # Errors
/// A word that nobody knows.
pub(crate) fn features(args: &FeatureArgs) -> Result<FeatureFlags, UsageError> {
    let with = union(&args.with)?;
    let base = if args.with.is_empty() { ALL } else { with };
    Ok(base.difference(union(&args.without)?))
}

fn union(words: &[String]) -> Result<FeatureFlags, UsageError> {
    let words = words.iter().flat_map(|words| words.split(','));
    words.map(feature).try_fold(FeatureFlags::empty(), |all, flags| Ok(all.union(flags?)))
}

fn feature(word: &str) -> Result<FeatureFlags, UsageError> {
    let single = WORDS.iter().position(|known| *known == word).map(|bit| 1 << bit);
    let set = || SETS.iter().find(|(known, _)| *known == word).map(|(_, bits)| *bits);
    let bits = single.or_else(set);
    bits.map(FeatureFlags::from_bits_retain)
        .ok_or_else(|| UsageError::new(format!("unknown feature '{word}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(with: &[&str], without: &[&str]) -> u64 {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let args = FeatureArgs { with: words(with), without: words(without) };
        features(&args).unwrap().normal_form().bits()
    }

    /// What casync was seen to write, without the bits on how it did.
    #[test]
    fn words_mean_what_they_mean_to_casync() {
        assert_eq!(bits(&[], &[]), 0x1_ffff_fe26);
        assert_eq!(bits(&["unix"], &[]), 0x1f09);
        assert_eq!(bits(&["fat"], &[]), 0xe0c0);
        assert_eq!(bits(&["acl"], &[]), 0x2000_0006);
        assert_eq!(bits(&["subvolume-ro"], &[]), 0x0c00_0000);
        assert_eq!(bits(&["privileged"], &[]), 0x1_ec41_4406);
        assert_eq!(bits(&[], &["all"]), 0);
        assert_eq!(bits(&[], &["acl"]) & !0x10_0000, 0x1_dfef_ff26);
        assert_eq!(bits(&[], &["privileged"]) & !0x10_0000, 0x13ae_bb20);
    }

    #[test]
    fn unknown_words_are_named() {
        let args = FeatureArgs { with: vec!["unix,colour".into()], without: vec![] };
        assert_eq!(features(&args).unwrap_err().to_string(), "unknown feature 'colour'");
    }
}
