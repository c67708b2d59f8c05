//! What differs between the systems that the program runs on: how arguments become bytes, kinds of files,
//! standard streams, the terminal, limits, signals. Both kinds of system answer the same questions.

#[cfg(unix)]
#[path = "unix.rs"]
mod family;
#[cfg(windows)]
#[path = "windows.rs"]
mod family;

pub(crate) use family::*;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_bytes_and_words_again() {
        for word in ["", "plain", "a,\u{e9}|b"] {
            assert_eq!(bytes(word.as_ref()), word.as_bytes());
            assert_eq!(word_of(bytes(word.as_ref())), word);
        }
    }
}
