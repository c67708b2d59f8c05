//! What is shown instead of secrets.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::model::Config;

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
            s3_credentials: shown(self.s3_credentials.as_ref(), |entry| hide(&mut entry.secret_key)),
            oci_credentials: shown(self.oci_credentials.as_ref(), |entry| hide(&mut entry.secret)),
            store_options: shown(self.store_options.as_ref(), |entry| {
                for secret in [&mut entry.http_auth, &mut entry.http_cookie, &mut entry.encryption_key] {
                    hide(secret);
                }
            }),
        }
    }
}

/// A section as it is shown: its entries changed by `hide_secrets`, and its locations as messages show them. Of
/// locations that look alike then, each stays, with a number.
fn shown<T: Clone>(
    section: Option<&BTreeMap<String, T>>,
    hide_secrets: impl Fn(&mut T),
) -> Option<BTreeMap<String, T>> {
    let mut shown = BTreeMap::new();
    let mut alike: BTreeMap<String, u64> = BTreeMap::new();
    for (location, entry) in section? {
        let mut entry = entry.clone();
        hide_secrets(&mut entry);
        let location = name_of(location, &mut alike, &|name| shown.contains_key(name));
        shown.insert(location, entry);
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
