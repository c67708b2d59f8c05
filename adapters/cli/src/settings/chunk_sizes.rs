//! `--chunk-size` and `--cut-rule`.

use desync_core::chunking::{ChunkSizes, CutRule};
use desync_core::limits::Limits;

use super::UsageError;
use crate::args::ChunkSizeArg;

/// Bytes of the rolling hash's window: no chunk size below it makes sense on the command line.
const SIZE_MIN: u64 = 48;

/// Largest average in bytes for which the cutting formula means anything; above, its divisor nears zero.
const AVG_MAX: u64 = 8_900 << 10;

/// The chunk sizes asked for, or 16:64:256 KiB.
///
/// # Errors
/// Not three numbers, not in order, or outside the limits: the message names the field.
pub(crate) fn sizes(arg: &ChunkSizeArg) -> Result<ChunkSizes, UsageError> {
    let Some(text) = arg.chunk_size.as_deref() else { return Ok(ChunkSizes::DEFAULT) };
    let [min, avg, max] = text.split(':').collect::<Vec<_>>()[..] else {
        return Err(UsageError::new(format!("invalid chunk size '{text}'")));
    };
    let (min, avg, max) = (kib("min", min)?, kib("avg", avg)?, kib("max", max)?);
    if min < SIZE_MIN {
        return Err(UsageError::new("min chunk size too small, must be over 48"));
    }
    if avg > AVG_MAX {
        return Err(UsageError::new(format!(
            "avg chunk size too large, must be at most {} KiB",
            AVG_MAX >> 10
        )));
    }
    ChunkSizes::new(min, avg, max, &Limits::HOST)
        .map_err(|error| UsageError::new(format!("invalid chunk size '{text}': {error}")))
}

fn kib(field: &str, text: &str) -> Result<u64, UsageError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = if digits { text.parse::<u64>().ok() } else { None };
    number
        .and_then(|number| number.checked_mul(1024))
        .ok_or_else(|| UsageError::new(format!("{field} chunk size: '{text}' is not a number of KiB")))
}

/// Whose rule for cutting at exactly the minimum.
///
/// # Errors
/// Another word than `casync` or `desync`.
pub(crate) fn cut_rule(arg: &ChunkSizeArg) -> Result<CutRule, UsageError> {
    match arg.cut_rule.as_deref() {
        None | Some("casync") => Ok(CutRule::Casync),
        Some("desync") => Ok(CutRule::Desync),
        Some(other) => Err(UsageError::new(format!("invalid cut rule '{other}', must be casync or desync"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ChunkSizes, String> {
        let arg = ChunkSizeArg { chunk_size: Some(text.into()), cut_rule: None };
        sizes(&arg).map_err(|error| error.to_string())
    }

    #[test]
    fn sizes_are_in_kib() {
        let found = read("8:32:128").unwrap();
        assert_eq!((found.min(), found.avg(), found.max()), (8 << 10, 32 << 10, 128 << 10));
        assert_eq!(sizes(&ChunkSizeArg::default()).unwrap(), ChunkSizes::DEFAULT);
    }

    #[test]
    fn a_refusal_names_the_field() {
        assert_eq!(read("1:2").unwrap_err(), "invalid chunk size '1:2'");
        assert!(read("x:2:3").unwrap_err().starts_with("min chunk size: "));
        assert!(read("1:-2:3").unwrap_err().starts_with("avg chunk size: "));
        assert!(read("1:2:").unwrap_err().starts_with("max chunk size: "));
        assert!(read("1:2:99999999999999999999").unwrap_err().starts_with("max chunk size: "));
    }

    #[test]
    fn defect_22_zero_disordered_and_meaningless_sizes_are_refused() {
        assert_eq!(read("0:1:2").unwrap_err(), "min chunk size too small, must be over 48");
        assert!(read("4:2:8").unwrap_err().contains("not in order"));
        assert!(read("1:8:4").unwrap_err().contains("not in order"));
        assert!(read("1:9500:20000").unwrap_err().starts_with("avg chunk size too large"));
        assert!(read("1:64:200000").unwrap_err().contains("limit"));
    }

    #[test]
    fn cut_rules_are_two_words() {
        let rule = |word: &str| cut_rule(&ChunkSizeArg { chunk_size: None, cut_rule: Some(word.into()) });
        assert_eq!(rule("desync"), Ok(CutRule::Desync));
        assert_eq!(rule("casync"), Ok(CutRule::Casync));
        assert!(rule("other").unwrap_err().to_string().contains("'other'"));
    }
}
