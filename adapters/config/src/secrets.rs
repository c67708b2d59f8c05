//! What is shown instead of secrets.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::model::{Config, OciCredentials, S3Credentials, StoreOptions};

/// What stands where a secret was, however long that is.
const HIDDEN: &str = "xxxxx";

/// A URL, or several in a text, as messages show them: without the secrets they may hold, which are the password
/// before the host and the query. What is no URL is shown as it is.
#[must_use]
pub fn hide_in_url(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find("://") else { return Cow::Borrowed(text) };
    let query = text[first..].find('?').map(|query| first + query);
    let last_login = text.rfind('@').unwrap_or(0);
    let mut parts = text[..query.unwrap_or(text.len())].split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    let mut place = first;
    for part in parts {
        place += "://".len();
        shown.push_str("://");
        let (host, path) = part.split_at(part.find('/').unwrap_or(part.len()));
        if let Some((login, host)) = host.rsplit_once('@') {
            let (user, secret) = login.split_once(':').map_or((login, ""), |(user, _)| (user, ":xxxxx"));
            shown.extend([user, secret, "@", host, path]);
        } else if let Some(user) = user_before_half_a_password(host).filter(|_| last_login > place) {
            shown.extend([user, ":xxxxx"]);
            return Cow::Owned(shown);
        } else {
            shown.push_str(part);
        }
        place += part.len();
    }
    if query.is_some() {
        shown.push_str("?xxxxx");
    }
    Cow::Owned(shown)
}

/// The user, if what looks like the port of a host is none: with a `/`, `?` or `://` in it, a password looks like
/// that. No URL is made of it, but the message that says so must not show it either.
fn user_before_half_a_password(host: &str) -> Option<&str> {
    let (user, port) = host.split_once(':').filter(|_| !host.starts_with('['))?;
    let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (!is_port).then_some(user)
}

impl Config {
    /// The same config with every secret hidden, for showing.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        Self {
            s3_credentials: shown(self.s3_credentials.as_ref()),
            oci_credentials: shown(self.oci_credentials.as_ref()),
            store_options: shown(self.store_options.as_ref()),
        }
    }
}

/// An entry of a section.
trait Entry: Clone {
    fn secrets(&mut self) -> impl Iterator<Item = &mut Option<String>>;

    fn without_secrets(&self) -> Self {
        let mut shown = self.clone();
        shown.secrets().for_each(hide);
        shown
    }
}

impl Entry for S3Credentials {
    fn secrets(&mut self) -> impl Iterator<Item = &mut Option<String>> {
        [&mut self.secret_key].into_iter()
    }
}

impl Entry for OciCredentials {
    fn secrets(&mut self) -> impl Iterator<Item = &mut Option<String>> {
        [&mut self.secret].into_iter()
    }
}

impl Entry for StoreOptions {
    fn secrets(&mut self) -> impl Iterator<Item = &mut Option<String>> {
        [&mut self.http_auth, &mut self.http_cookie, &mut self.encryption_key].into_iter()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_json(&self.without_secrets(), f)
    }
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_json(&self.without_secrets(), f)
    }
}

impl fmt::Debug for OciCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_json(&self.without_secrets(), f)
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_json(&self.without_secrets(), f)
    }
}

fn write_json(shown: &impl Serialize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&serde_json::to_string(shown).map_err(|_| fmt::Error)?)
}

/// A section as it is shown: its entries without secrets, and its locations as messages show them. Of
/// locations that look alike then, each stays, with a number.
fn shown<T: Entry>(section: Option<&BTreeMap<String, T>>) -> Option<BTreeMap<String, T>> {
    let mut shown = BTreeMap::new();
    let mut alike: BTreeMap<String, u64> = BTreeMap::new();
    for (location, entry) in section? {
        let location = name_of(location, &mut alike, &|name| shown.contains_key(name));
        shown.insert(location, entry.without_secrets());
    }
    Some(shown)
}

/// A location as it is shown, with a number if it looks like others, of which `alike` keeps count, or is taken.
fn name_of(location: &str, alike: &mut BTreeMap<String, u64>, is_taken: &dyn Fn(&String) -> bool) -> String {
    let base = hide_in_url(location).into_owned();
    let number = alike.entry(base.clone()).or_default();
    loop {
        *number += 1;
        let name = if *number == 1 { base.clone() } else { format!("{base} ({number})") };
        if !is_taken(&name) {
            return name;
        }
    }
}

fn hide(secret: &mut Option<String>) {
    if let Some(secret) = secret.as_mut().filter(|secret| !secret.is_empty()) {
        *secret = HIDDEN.to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debugging_shows_no_secret() {
        let secret = || Some("hunter2".to_owned());
        let options = StoreOptions {
            http_auth: secret(),
            http_cookie: secret(),
            encryption_key: secret(),
            ..StoreOptions::default()
        };
        let s3 = S3Credentials { secret_key: secret(), ..S3Credentials::default() };
        let oci = OciCredentials { secret: secret(), username: Some("me".to_owned()) };
        let at = "http://me:hunter2@h/".to_owned();
        let config = Config {
            s3_credentials: Some([(at.clone(), s3.clone())].into()),
            oci_credentials: Some([(at.clone(), oci.clone())].into()),
            store_options: Some([(at, options.clone())].into()),
        };
        for debugged in [format!("{config:?}"), format!("{s3:?}"), format!("{oci:?}"), format!("{options:?}")]
        {
            assert!(debugged.contains(HIDDEN) && !debugged.contains("hunter2"), "{debugged}");
        }
    }

    #[test]
    fn urls_show_no_password_and_no_query() {
        for (given, shown) in [
            ("http://me:hunter2@h:80/s", "http://me:xxxxx@h:80/s"),
            ("sftp://me@h/s", "sftp://me@h/s"),
            ("s3+https://h/b?X-Amz-Signature=hunter2", "s3+https://h/b?xxxxx"),
            ("https://a:hunter@2@h", "https://a:xxxxx@h"),
            ("https*://me:hunter2@h/*", "https*://me:xxxxx@h/*"),
            ("https://a:hunter/2@h", "https://a:xxxxx"),
            ("https://a:/hunter2@h/x", "https://a:xxxxx"),
            ("https://a:hunter?2@h", "https://a:xxxxx"),
            ("https://a:hunter#2@h", "https://a:xxxxx@h"),
            ("https://a:hunter://2@h", "https://a:xxxxx"),
            (
                "https://a:hunter2@h/x|https://b:hunter2@g/y?z",
                "https://a:xxxxx@h/x|https://b:xxxxx@g/y?xxxxx",
            ),
            ("x://y@|https://a:hunter2@h/", "x://y@|https://a:xxxxx@h/"),
            ("https://h/a@b:c", "https://h/a@b:c"),
            ("https://h:80/a@b", "https://h:80/a@b"),
            ("https://[::1]/a@b", "https://[::1]/a@b"),
            ("https://h:port/x", "https://h:port/x"),
            ("/a:b@c?d", "/a:b@c?d"),
        ] {
            assert_eq!(hide_in_url(given), shown);
        }
    }

    #[test]
    fn locations_that_look_alike_all_stay() {
        let text = br#"{"store-options": {"https://h/?a": {"n": 1}, "https://h/?b": {"n": 2},
            "https://h/?c": {"n": 3}, "https://h/?xxxxx (2)": {"n": 4}}}"#;
        let shown = Config::parse(text).unwrap().without_secrets().store_options.unwrap();
        let mut ns: Vec<_> = shown.values().map(|entry| entry.n.unwrap()).collect();
        ns.sort_unstable();
        assert_eq!(ns, [1, 2, 3, 4]);
        assert!(shown.contains_key("https://h/?xxxxx"));
    }
}
