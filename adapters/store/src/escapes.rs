//! Percent escapes in locations.

/// Undoes the escapes of a part of a URL. What is no escape stays; what does not come out as text, is kept as
/// it was.
#[must_use]
pub fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits =
            tail.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let byte = digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_escapes_are_undone() {
        for (text, plain) in [
            ("a%20b%2Fc", "a b/c"),
            ("100%", "100%"),
            ("%+1%zz", "%+1%zz"),
            ("%C3%BC", "\u{fc}"),
            ("%ff", "%ff"),
        ] {
            assert_eq!(unescaped(text), plain);
        }
    }
}
