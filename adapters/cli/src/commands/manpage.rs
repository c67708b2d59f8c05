//! `manpage`.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap_mangen::Man;

use crate::args::{ManpageArgs, definition};

pub(super) fn run(args: &ManpageArgs) -> anyhow::Result<()> {
    let mut definition = definition();
    definition.build();
    let date = date(std::env::var("SOURCE_DATE_EPOCH").ok().as_deref());
    write_page(&definition, "desync", args, &date)?;
    for command in definition.get_subcommands().filter(|command| command.get_name() != "help") {
        // `build` has given each its full name, `desync-make`.
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        write_page(command, &name, args, &date)?;
    }
    Ok(())
}

fn write_page(command: &clap::Command, name: &str, args: &ManpageArgs, date: &str) -> anyhow::Result<()> {
    let mut text = Vec::new();
    Man::new(command.clone())
        .title(args.title.clone())
        .section(args.section.clone())
        .source(args.source.clone())
        .manual(args.manual.clone())
        .date(date)
        .render(&mut text)?;
    let path = Path::new(&args.directory).join(format!("{name}.{}", args.section));
    std::fs::write(&path, text).with_context(|| path.display().to_string())
}

/// The date on the pages, as `YYYY-MM-DD`: of `SOURCE_DATE_EPOCH`, or today.
fn date(epoch: Option<&str>) -> String {
    let given = epoch.and_then(|seconds| seconds.parse::<u64>().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    calendar_date(given.unwrap_or_else(now) / 86_400)
}

/// The Gregorian date of a day counted from 1970-01-01.
fn calendar_date(day: u64) -> String {
    let mut day = day;
    let mut year = 1970;
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // A far-fetched epoch is cut off instead of counted out.
    while year < 9999 && day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for len in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < len {
            break;
        }
        day -= len;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", day.min(30) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_gregorian() {
        for (seconds, text) in [
            ("0", "1970-01-01"),
            ("951782400", "2000-02-29"),
            ("1709251199", "2024-02-29"),
            ("1735689599", "2024-12-31"),
            ("1785888000", "2026-08-05"),
        ] {
            assert_eq!(date(Some(seconds)), text);
        }
        assert_eq!(date(Some("18446744073709551615")).len(), "9999-12-31".len());
    }
}
