//! Glob patterns as Go's `path.Match` reads them.
//!
//! `*` is any run of characters but `/`, `?` one character but `/`, `[a-z]` and `[^a-z]` one character of a
//! set, `\x` the character x itself. The whole name must match; a malformed pattern matches nothing.

/// Whether `name` as a whole matches `pattern`.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some(pattern) = parse(pattern) else { return false };
    let name: Vec<char> = name.chars().collect();
    // `reachable[i]`: the pattern so far matches the first i characters. Linear in pattern × name, whatever
    // the pattern: no backtracking.
    let mut reachable = vec![false; name.len() + 1];
    reachable[0] = true;
    for part in &pattern {
        reachable = step(part, &name, &reachable);
    }
    reachable[name.len()]
}

enum Part {
    Literal(char),
    AnyOne,
    AnyRun,
    Set { negated: bool, ranges: Vec<(char, char)> },
}

impl Part {
    fn admits(&self, c: char) -> bool {
        match self {
            Self::Literal(literal) => c == *literal,
            Self::AnyOne | Self::AnyRun => c != '/',
            Self::Set { negated, ranges } => {
                ranges.iter().any(|(lo, hi)| (*lo..=*hi).contains(&c)) != *negated
            }
        }
    }
}

fn step(part: &Part, name: &[char], before: &[bool]) -> Vec<bool> {
    let run = matches!(part, Part::AnyRun);
    let mut after = vec![false; before.len()];
    after[0] = run && before[0];
    for (i, c) in name.iter().enumerate() {
        let from = if run { after[i] } else { before[i] };
        after[i + 1] = (from && part.admits(*c)) || (run && before[i + 1]);
    }
    after
}

fn parse(pattern: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        parts.push(match c {
            '*' => Part::AnyRun,
            '?' => Part::AnyOne,
            '\\' => Part::Literal(rest.next()?),
            '[' => parse_set(&mut rest)?,
            c => Part::Literal(c),
        });
    }
    Some(parts)
}

/// What follows a `[`, up to and with its `]`. A set is not empty.
fn parse_set(rest: &mut std::str::Chars<'_>) -> Option<Part> {
    let negated = rest.as_str().starts_with('^');
    if negated {
        rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        if rest.as_str().starts_with(']') && !ranges.is_empty() {
            rest.next();
            return Some(Part::Set { negated, ranges });
        }
        let low = parse_bound(rest)?;
        let high = if rest.as_str().starts_with('-') {
            rest.next();
            parse_bound(rest)?
        } else {
            low
        };
        ranges.push((low, high));
    }
}

fn parse_bound(rest: &mut std::str::Chars<'_>) -> Option<char> {
    match rest.next()? {
        '-' | ']' => None,
        '\\' => rest.next(),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks_stop_at_slashes() {
        for (pattern, name) in [
            ("abc", "abc"),
            ("*", ""),
            ("*", "abc"),
            ("a*", "a"),
            ("*c", "abc"),
            ("a*/b", "abc/b"),
            ("a*b*c*d*e*/f", "axbxcxdxe/f"),
            ("a*b?c*x", "abxbbxdbxebxczzx"),
            ("a???b", "aäöüb"),
            ("https://*/*", "https://host/p"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*", "a/b"),
            ("a*", "ab/c"),
            ("a?b", "a/b"),
            ("a*b?c*x", "abxbbxdbxebxczzy"),
            ("https://*", "https://host/p"),
            ("abc", "abcd"),
            ("", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn sets_ranges_negations_and_escapes() {
        for (pattern, name) in [
            ("ab[c]", "abc"),
            ("ab[b-d]", "abc"),
            ("ab[^e-g]", "abc"),
            ("a\\*b", "a*b"),
            ("a[^a]b", "a☺b"),
            ("[\\]a]", "]"),
            ("[\\-]", "-"),
            ("[x\\-]", "x"),
            ("[a-b-d]", "a"),
        ] {
            let expected = pattern != "[a-b-d]";
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        for (pattern, name) in [("ab[e-g]", "abc"), ("ab[^c]", "abc"), ("a\\*b", "axb"), ("[^a]", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn malformed_patterns_match_nothing() {
        for pattern in ["[", "[]a]", "[-]", "[x-]", "[-x]", "a[", "[^", "[^bc", "a\\", "[a-"] {
            for name in ["", "a", "]", "-", "x", "a[", "[", "b"] {
                assert!(!matches(pattern, name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_time() {
        assert!(!matches(&"a*".repeat(500), &format!("{}/", "a".repeat(500))));
    }
}
