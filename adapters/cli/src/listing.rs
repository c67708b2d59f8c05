//! What listings of processes show of our arguments: no secret, where the system lets us take them out.
//!
//! Linux shows to everybody the memory that arguments arrive in, and lets a process write to it through a file.
//! Nothing reads it any more once the arguments are copied. Elsewhere, and where `/proc` is missing or read-only,
//! the user is warned.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;

use crate::system;

/// Flags whose values are secrets, and where such a secret is better kept.
const FLAGS: [(&str, &str); 2] =
    [("--encryption-key", "$DESYNC_ENCRYPTION_KEY"), ("--authorization", "$DESYNC_HTTP_AUTH")];

/// The same of a location.
const LOCATION: (&str, &str) = ("a password in a location", "http-auth in the config file");

/// What is said of a secret that cannot be hidden: where it is, and the better place. Nothing of queries, which are
/// secret only when they are signed.
type Told = Option<(&'static str, &'static str)>;

/// A secret among the arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Secret {
    /// Its bytes, counted over all arguments, each with the NUL behind it.
    place: Range<usize>,
    told: Told,
}

/// Takes the secrets of these arguments, which are all that there are, out of sight. Returns warnings of those that
/// still are in it.
pub(crate) fn hide_secrets(arguments: &[OsString]) -> Vec<String> {
    let secrets = secrets(arguments);
    if secrets.is_empty() || overwrite(arguments, &secrets).is_ok() {
        return Vec::new();
    }
    let told = secrets.iter().filter_map(|secret| secret.told);
    told.map(|(what, better)| format!("{what} shows in listings of processes: {better} does not")).collect()
}

fn secrets(arguments: &[OsString]) -> Vec<Secret> {
    let (mut secrets, mut start, mut before) = (Vec::new(), 0, b"".as_slice());
    for argument in arguments {
        let word = system::bytes(argument);
        for (place, told) in within(word, before) {
            secrets.push(Secret { place: start + place.start..start + place.end, told });
        }
        start += word.len() + 1;
        before = word;
    }
    secrets
}

/// The secrets in a word, by the word before it. What might be one counts: nothing but the listing loses by that.
fn within(word: &[u8], before: &[u8]) -> Vec<(Range<usize>, Told)> {
    for told in FLAGS {
        let flag = told.0.as_bytes();
        if before == flag {
            return vec![(0..word.len(), Some(told))];
        }
        if word.strip_prefix(flag).is_some_and(|rest| rest.starts_with(b"=")) {
            return vec![(flag.len() + 1..word.len(), Some(told))];
        }
    }
    urls(word).into_iter().flat_map(|url| in_url(word, url)).collect()
}

/// What stands behind each `://` in a word, up to where the next location of a list begins. Names of local files
/// between two URLs count to the first.
fn urls(word: &[u8]) -> Vec<Range<usize>> {
    let mut urls: Vec<Range<usize>> = Vec::new();
    for at in memmem(word, b"://") {
        if let Some(last) = urls.last_mut() {
            let between = &word[last.start..at];
            last.end = last.start + between.iter().rposition(|b| b"|,".contains(b)).unwrap_or(between.len());
        }
        urls.push(at + 3..word.len());
    }
    urls
}

fn memmem(word: &[u8], wanted: &[u8]) -> Vec<usize> {
    word.windows(wanted.len()).enumerate().filter(|(_, part)| *part == wanted).map(|(at, _)| at).collect()
}

/// A password and a query. A password may hold what ends a host in a URL that is right.
fn in_url(word: &[u8], url: Range<usize>) -> Vec<(Range<usize>, Told)> {
    let text = &word[url.clone()];
    let find = |wanted: u8, until: usize| text[..until].iter().position(|b| *b == wanted);
    let host = text.iter().rposition(|b| *b == b'@');
    let password = host.and_then(|host| Some(find(b':', host)? + 1..host));
    let query = find(b'?', text.len()).map(|at| at + 1..text.len());
    let placed = |part: Range<usize>| url.start + part.start..url.start + part.end;
    let password = password.map(|part| (placed(part), Some(LOCATION)));
    password.into_iter().chain(query.map(|part| (placed(part), None))).collect()
}

/// Writes over the secrets where the system keeps the arguments.
fn overwrite(arguments: &[OsString], secrets: &[Secret]) -> io::Result<()> {
    let expected: Vec<u8> = arguments.iter().flat_map(|word| [system::bytes(word), b"\0"].concat()).collect();
    let place = memory_of_arguments()?;
    let mut memory = File::options().read(true).write(true).open("/proc/self/mem")?;
    let mut found = vec![0; expected.len()];
    memory.seek(SeekFrom::Start(place.start))?;
    memory.read_exact(&mut found)?;
    if place.end - place.start != expected.len() as u64 || found != expected {
        return Err(io::Error::other("the arguments are not where the system says"));
    }
    for Secret { place: secret, .. } in secrets {
        memory.seek(SeekFrom::Start(place.start + secret.start as u64))?;
        memory.write_all(&vec![b'x'; secret.len()])?;
    }
    Ok(())
}

/// Where the arguments are in our memory: fields 48 and 49 of the file, by proc(5).
fn memory_of_arguments() -> io::Result<Range<u64>> {
    if !cfg!(target_os = "linux") {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let stat = fs::read("/proc/self/stat")?;
    let stat = String::from_utf8_lossy(&stat);
    // The second field is a name in parentheses, which may hold anything.
    let (_, rest) = stat.rsplit_once(')').unwrap_or_default();
    let mut fields = rest.split_whitespace().skip(48 - 3).map(|field| field.parse().ok());
    let (start, end) = (fields.next().flatten(), fields.next().flatten());
    start.zip(end).map(|(start, end)| start..end).ok_or_else(|| io::Error::other("no such fields"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arguments as they are listed afterwards.
    fn listed(arguments: &[&str]) -> String {
        let words: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let mut listed = arguments.join(" ").into_bytes();
        for secret in secrets(&words) {
            listed[secret.place].fill(b'x');
        }
        String::from_utf8(listed).unwrap()
    }

    #[test]
    fn secrets_are_found_by_flags_and_in_locations() {
        for (given, shown) in [
            (&["--encryption-key", "00ff", "-w"][..], "--encryption-key xxxx -w"),
            (&["--authorization=Basic a", "--log=x"], "--authorization=xxxxxxx --log=x"),
            (&["--authorization", "--log", "x"], "--authorization xxxxx x"),
            (&["--authorizations=a", "--encryption-key"], "--authorizations=a --encryption-key"),
            (&["-s", "/a:b@c?d", "-shttps://h:8/s"], "-s /a:b@c?d -shttps://h:8/s"),
            (&["-s", "https://me:p/@h/x"], "-s https://me:xx@h/x"),
            (&["https://me:p?@h/x"], "https://me:xxxxxx"),
            (&["-s", "https://me:p@q@h/?sig|ssh://u@h/p"], "-s https://me:xxx@h/?xxx|ssh://u@h/p"),
            (&["-s", "/a,https://h/?a,b,http://u:p@h,c"], "-s /a,https://h/?xxx,http://u:x@h,c"),
            (&["http://u:p@h/a://b"], "http://u:x@h/a://b"),
            (&["", "://", "?"], " :// ?"),
        ] {
            let shown = shown.to_owned();
            assert_eq!(listed(given), shown, "{given:?}");
        }
    }

    #[test]
    fn what_is_not_hidden_is_warned_of_once_it_is_a_secret_for_sure() {
        // These are not what this process was given, so they are not where the system says.
        let warnings = |word: &str| hide_secrets(&[word.into()]);
        let said = "--authorization shows in listings of processes: $DESYNC_HTTP_AUTH does not";
        assert_eq!(warnings("--authorization=a"), [said]);
        assert_eq!(warnings("https://me:p@h/?q").len(), 1);
        assert!(warnings("https://h/?lookup=path").is_empty() && warnings("-w").is_empty());
    }
}
