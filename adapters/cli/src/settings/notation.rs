//! How values are written on the command line: Go's integers, durations and booleans, and lists in CSV.
//!
//! Scripts written for Go desync use these notations, so they are read here exactly. Pure: text in, values
//! out; each error says what is wrong with the text, the caller says of which flag.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use crate::system;

/// A boolean as Go's `strconv.ParseBool` reads it.
///
/// # Errors
/// Any other word.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("expected true or false".into()),
    }
}

/// A signed integer in Go's base-0 notation: `10`, `-3`, `0x10`, `0o17`, `017`, `0b1`, `1_000`.
///
/// # Errors
/// No number, a misplaced `_`, or more than 64 bits.
pub(crate) fn integer(text: &str) -> Result<i64, String> {
    let (negative, magnitude) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = unsigned(magnitude)?;
    let signed = if negative { -i128::from(magnitude) } else { i128::from(magnitude) };
    i64::try_from(signed).map_err(|_| OUT_OF_RANGE.into())
}

/// An unsigned integer in Go's base-0 notation.
///
/// # Errors
/// As for [`integer`], and a sign.
pub(crate) fn unsigned(text: &str) -> Result<u64, String> {
    let (radix, digits, prefixed) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &text[2..], true),
        [b'0', b'o' | b'O', ..] => (8, &text[2..], true),
        [b'0', b'b' | b'B', ..] => (2, &text[2..], true),
        [b'0', _, ..] => (8, &text[1..], true),
        _ => (10, text, false),
    };
    let plain = without_separators(digits, prefixed).ok_or("not an integer")?;
    if plain.is_empty() || !plain.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err("not an integer".into());
    }
    u64::from_str_radix(&plain, radix).map_err(|error| match error.kind() {
        std::num::IntErrorKind::PosOverflow => OUT_OF_RANGE.into(),
        _ => "not an integer".into(),
    })
}

const OUT_OF_RANGE: &str = "value out of range";

/// Digits without their `_`, each of which must stand between digits, or between a prefix and a digit.
fn without_separators(digits: &str, prefixed: bool) -> Option<String> {
    let misplaced = digits.ends_with('_') || digits.contains("__") || (!prefixed && digits.starts_with('_'));
    (!misplaced).then(|| digits.replace('_', ""))
}

/// Nanoseconds in one of each unit of a Go duration.
const DURATION_UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3600 * 1_000_000_000),
];

/// A duration in Go's notation: `500ms`, `1.5s`, `1m30s`, bare `0`. Negative ones make no sense here.
///
/// # Errors
/// Another notation, a missing unit, a negative duration, or more than Go can hold (about 292 years).
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.starts_with('-') {
        return Err("a duration cannot be negative".into());
    }
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err("not a duration".into());
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let number_len = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (number, after) = rest.split_at(number_len);
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        total = total.saturating_add(nanoseconds(number, unit)?);
        rest = after;
    }
    i64::try_from(total)
        .map(|nanoseconds| Duration::from_nanos(nanoseconds.unsigned_abs()))
        .map_err(|_| OUT_OF_RANGE.into())
}

/// One `number unit` of a duration, in nanoseconds; fractions of a nanosecond are cut off.
fn nanoseconds(number: &str, unit: &str) -> Result<u128, String> {
    if unit.is_empty() {
        return Err("missing unit in duration (write 500ms, 1s, 1m30s)".into());
    }
    let &(_, scale) = DURATION_UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| format!("unknown unit \"{unit}\" in duration (write 500ms, 1s, 1m30s)"))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err("not a duration".into());
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| OUT_OF_RANGE)? };
    // Eighteen digits are finer than a nanosecond of an hour needs.
    let fraction = &fraction[..fraction.len().min(18)];
    let part = match fraction.len() {
        0 => 0,
        digits => {
            let value: u128 = fraction.parse().map_err(|_| "not a duration")?;
            value * scale / 10_u128.pow(u32::try_from(digits).unwrap_or(18))
        }
    };
    Ok(whole.saturating_mul(scale).saturating_add(part))
}

/// The values of a list flag: each occurrence may hold several, separated by commas as in CSV.
///
/// # Errors
/// A quote that does not enclose a whole value.
pub(crate) fn list(occurrences: &[OsString]) -> Result<Vec<OsString>, String> {
    let mut values = Vec::new();
    for occurrence in occurrences.iter().filter(|text| !text.is_empty()) {
        split_csv(occurrence, &mut values)?;
    }
    Ok(values)
}

fn split_csv(text: &OsStr, values: &mut Vec<OsString>) -> Result<(), String> {
    let mut rest = system::bytes(text);
    loop {
        let (value, after) = match rest.strip_prefix(b"\"") {
            Some(quoted) => quoted_value(quoted).ok_or_else(|| misquoted(text))?,
            None => {
                let len = rest.iter().position(|b| *b == b',').unwrap_or(rest.len());
                if rest[..len].contains(&b'"') {
                    return Err(misquoted(text));
                }
                (rest[..len].to_vec(), &rest[len..])
            }
        };
        values.push(system::word_of(value));
        match after {
            [] => return Ok(()),
            [b',', next @ ..] => rest = next,
            _ => return Err(misquoted(text)),
        }
    }
}

/// The value whose opening quote was taken off, and what follows its closing quote.
fn quoted_value(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    loop {
        let len = rest.iter().position(|b| *b == b'"')?;
        value.extend_from_slice(&rest[..len]);
        match &rest[len + 1..] {
            [b'"', next @ ..] => {
                value.push(b'"');
                rest = next;
            }
            after => return Some((value, after)),
        }
    }
}

fn misquoted(text: &OsStr) -> String {
    format!(
        "misplaced quote in list {}: a value with a comma or quote is written \"like,this\", a quote twice",
        text.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_in_every_base_go_knows() {
        for (text, value) in
            [("10", 10), ("0", 0), ("-3", -3), ("+3", 3), ("0x10", 16), ("0X1f", 31), ("0o17", 15)]
        {
            assert_eq!(integer(text), Ok(value), "{text}");
        }
        for (text, value) in [("017", 15), ("0b101", 5), ("1_000", 1000), ("0x_ff", 255), ("0_7", 7)] {
            assert_eq!(integer(text), Ok(value), "{text}");
        }
        assert_eq!(integer("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(unsigned("18446744073709551615"), Ok(u64::MAX));
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        for text in ["", "-", "x", "1.5", "08", "_1", "1_", "1__0", "0x", "0b2", "--1", "+-1", "1 ", "0x+1"] {
            assert!(integer(text).is_err(), "{text}");
        }
        assert!(unsigned("-1").is_err());
        assert_eq!(integer("9223372036854775808"), Err(OUT_OF_RANGE.into()));
        assert_eq!(unsigned("18446744073709551616"), Err(OUT_OF_RANGE.into()));
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, millis) in [
            ("0", 0),
            ("500ms", 500),
            ("1s", 1000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("1000000ns", 1),
            ("2000µs", 2),
            ("+1s", 1000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "1x", "-1s", "1.2.3s", ".s", "300000000h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn booleans_are_the_twelve_words() {
        assert_eq!(boolean("T"), Ok(true));
        assert_eq!(boolean("False"), Ok(false));
        assert!(boolean("yes").is_err());
        assert!(boolean("").is_err());
    }

    fn listed(occurrences: &[&str]) -> Result<Vec<String>, String> {
        let occurrences: Vec<OsString> = occurrences.iter().map(OsString::from).collect();
        Ok(list(&occurrences)?.into_iter().map(|value| value.into_string().unwrap()).collect())
    }

    #[test]
    fn lists_split_at_commas_and_quotes_protect_them() {
        assert_eq!(listed(&["a,b", "c"]).unwrap(), ["a", "b", "c"]);
        assert_eq!(listed(&["\"a,b\",c"]).unwrap(), ["a,b", "c"]);
        assert_eq!(listed(&["\"say \"\"x\"\"\""]).unwrap(), ["say \"x\""]);
        assert_eq!(listed(&["a,"]).unwrap(), ["a", ""]);
        assert!(listed(&[""]).unwrap().is_empty());
    }

    #[test]
    fn misplaced_quotes_are_refused() {
        for text in ["a\"b", "\"a", "\"a\"b"] {
            assert!(listed(&[text]).unwrap_err().contains("misplaced quote"), "{text}");
        }
    }

    #[test]
    fn names_that_are_not_utf8_survive_a_list() {
        let odd = system::word_of(vec![b'a', 0xff, b',', b'b']);
        assert_eq!(list(&[odd]).unwrap(), [system::word_of(vec![b'a', 0xff]), OsString::from("b")]);
    }
}
