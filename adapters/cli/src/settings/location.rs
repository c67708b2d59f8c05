//! Locations of stores and indexes: which strings are paths, which name a scheme, which mean stdin.
//!
//! A string is a path unless it begins with a scheme that is known. In particular `%`, `:` and control
//! characters in a path are nothing special.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use desync_config::hide_in_url;

use crate::system;

/// Every scheme that names a kind of store, whether or not this build has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// No scheme: a directory for chunks, a file for an index.
    Local,
    Http,
    S3,
    Gcs,
    Sftp,
    Ssh,
    Oci,
}

/// The words of each scheme, as they stand before the colon.
const SCHEMES: [(&str, Scheme); 9] = [
    ("http", Scheme::Http),
    ("https", Scheme::Http),
    ("s3+http", Scheme::S3),
    ("s3+https", Scheme::S3),
    ("gs", Scheme::Gcs),
    ("sftp", Scheme::Sftp),
    ("ssh", Scheme::Ssh),
    ("oci+http", Scheme::Oci),
    ("oci+https", Scheme::Oci),
];

/// A location as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location(OsString);

impl Location {
    pub(crate) fn new(text: impl Into<OsString>) -> Self {
        Self(text.into())
    }

    /// The text as it was given, secrets included: for matching, not for messages.
    pub(crate) fn secret_text(&self) -> Cow<'_, str> {
        self.0.to_string_lossy()
    }

    /// Whether it means stdin or stdout, where an index is wanted.
    pub(crate) fn is_standard_stream(&self) -> bool {
        self.0 == "-"
    }

    /// What kind of place it names.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme_word().map_or(Scheme::Local, |(_, scheme)| scheme)
    }

    /// The members of a group, or itself: the texts between the `|`.
    pub(crate) fn members(&self) -> impl Iterator<Item = Self> + '_ {
        system::bytes(&self.0).split(|byte| *byte == b'|').map(system::word_of).map(Self)
    }

    /// Whether it names directories of this machine alone, be it one or a group.
    pub(crate) fn is_on_this_machine(&self) -> bool {
        self.members().all(|member| member.scheme() == Scheme::Local)
    }

    /// The scheme's word as it was given, if it is a known one.
    pub(crate) fn scheme_word(&self) -> Option<(&'static str, Scheme)> {
        let text = self.0.to_str()?;
        let (word, _) = text.split_once(':')?;
        SCHEMES.into_iter().find(|(known, _)| word.eq_ignore_ascii_case(known))
    }

    /// The location as a path; only for [`Scheme::Local`].
    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// For a store of indexes: the location of one in it. A query stays behind the path.
    #[cfg(feature = "server")]
    pub(crate) fn joined(&self, name: &str) -> Self {
        let text = self.0.as_encoded_bytes();
        let query = self.scheme_word().and_then(|_| text.iter().position(|b| *b == b'?'));
        let path = prefix(&self.0, query.unwrap_or(text.len()));
        let mut joined = path.clone();
        if !path.as_encoded_bytes().ends_with(b"/") {
            joined.push("/");
        }
        joined.push(name);
        if let (Some(query), Some(text)) = (query, self.0.to_str()) {
            joined.push(&text[query..]);
        }
        Self(joined)
    }

    /// For an index: the location of the store it lies in, against which config keys are matched.
    pub(crate) fn parent(&self) -> Self {
        let mut text = self.0.as_encoded_bytes();
        if self.scheme() != Scheme::Local {
            // What stands in a query is no path: signatures may hold slashes.
            text = text.split(|b| matches!(b, b'?' | b'#')).next().unwrap_or_default();
        }
        let cut = text.iter().rposition(|b| *b == b'/').or_else(|| text.iter().rposition(|b| *b == b'\\'));
        match cut {
            Some(cut) => Self(prefix(&self.0, cut)),
            None => Self(OsString::new()),
        }
    }
}

fn prefix(text: &OsStr, len: usize) -> OsString {
    system::word_of(&system::bytes(text)[..len])
}

/// The location as messages show it: without the secrets a URL may hold, which are the password before the
/// host and the query.
impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.to_string_lossy();
        f.write_str(&if self.scheme() == Scheme::Local {
            text
        } else {
            hide_in_url(&text).into_owned().into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_schemes_are_recognised_and_everything_else_is_a_path() {
        for (text, scheme) in [
            ("http://host/store", Scheme::Http),
            ("HTTPS://host", Scheme::Http),
            ("s3+https://host/bucket", Scheme::S3),
            ("gs://bucket", Scheme::Gcs),
            ("sftp://host/path", Scheme::Sftp),
            ("ssh://host/path", Scheme::Ssh),
            ("oci+http://host/repo", Scheme::Oci),
            ("/a/path", Scheme::Local),
            ("relative", Scheme::Local),
            ("C:\\store", Scheme::Local),
            ("unknown://host", Scheme::Local),
            ("-", Scheme::Local),
        ] {
            assert_eq!(Location::new(text).scheme(), scheme, "{text}");
        }
    }

    #[test]
    fn one_member_elsewhere_makes_a_group_far() {
        for (text, is_near) in
            [("/a", true), ("a|/b", true), ("a|https://host/b", false), ("ssh://h/a", false)]
        {
            assert_eq!(Location::new(text).is_on_this_machine(), is_near, "{text}");
        }
    }

    #[test]
    fn defect_49_paths_need_not_parse_as_urls() {
        for text in ["12:30.caibx", "100%.caibx", "a%zz", "bell\u{7}", "x y:z/w"] {
            assert_eq!(Location::new(text).scheme(), Scheme::Local, "{text}");
        }
    }

    #[test]
    fn messages_show_no_password_and_no_query() {
        for (given, shown) in [
            ("http://me:hunter2@h:80/s?hunter2", "http://me:xxxxx@h:80/s?xxxxx"),
            ("dir://a:b@c?d", "dir://a:b@c?d"),
            ("/a:b@c?d", "/a:b@c?d"),
        ] {
            assert_eq!(Location::new(given).to_string(), shown);
        }
        assert_eq!(Location::new("http://me:hunter2@h").secret_text(), "http://me:hunter2@h");
    }

    #[test]
    #[cfg(feature = "server")]
    fn defect_45_a_query_stays_behind_the_path() {
        for (store, index) in [
            ("/srv", "/srv/x"),
            ("/srv/?", "/srv/?/x"),
            ("http://h/p/", "http://h/p/x"),
            ("s3+https://h/b?lookup=path", "s3+https://h/b/x?lookup=path"),
        ] {
            assert_eq!(Location::new(store).joined("x"), Location::new(index));
        }
    }

    #[test]
    fn the_store_of_an_index_is_what_stands_before_its_name() {
        for (index, store) in [
            ("/srv/a.caibx", "/srv"),
            ("http://h/p/a.caibx", "http://h/p"),
            ("a.caibx", ""),
            ("d\\a", "d"),
            ("http://h/p/a?s=b/c", "http://h/p"),
        ] {
            assert_eq!(Location::new(index).parent(), Location::new(store), "{index}");
        }
    }
}
