//! One line of progress as text. Pure: counts and durations in, text out.

use std::time::Duration;

/// For whom the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// For people: drawn over the last one, with a bar.
    Bar,
    /// For programs: a line of its own, without a bar.
    Parsable,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    Chunks,
}

/// What is known when a line is drawn.
pub(super) struct Line<'a> {
    pub(super) prefix: &'a str,
    pub(super) unit: Unit,
    /// Units altogether; 0: unknown.
    pub(super) total: u64,
    pub(super) done: u64,
    /// From the start to the last change of `done`.
    pub(super) until_change: Duration,
    /// From the last change of `done` until now.
    pub(super) since_change: Duration,
    /// Once the phase has ended: from the start until now.
    pub(super) elapsed: Option<Duration>,
    /// Width of the terminal; 0 if there is none.
    pub(super) columns: usize,
}

impl Line<'_> {
    pub(super) fn render(&self, style: Style) -> String {
        let percent = self.percent();
        let time = self.time();
        let bar = match style {
            // Nothing is known of the end: people see at least that it goes on.
            Style::Bar if self.total == 0 => self.count(),
            Style::Bar => self.bar(self.prefix.len() + percent.len() + time.len()),
            Style::Parsable => String::new(),
        };
        let text = format!("{}{bar}{percent}{time}", self.prefix);
        let padded = format!("{text:<width$}", width = self.columns);
        match style {
            Style::Bar => format!("\r{padded}"),
            Style::Parsable => format!("{padded}\n"),
        }
    }

    /// How much is done.
    fn count(&self) -> String {
        match self.unit {
            Unit::Bytes => format!("{} MiB", self.done >> 20),
            Unit::Chunks => format!("{} chunks", self.done),
        }
    }

    /// A space, the percentage in 6 characters, `%`.
    fn percent(&self) -> String {
        if self.total == 0 {
            return String::new();
        }
        format!(" {:6.2}%", self.fraction() * 100.0)
    }

    #[allow(clippy::cast_precision_loss, reason = "two decimals are shown")]
    fn fraction(&self) -> f64 {
        (self.done.min(self.total) as f64) / (self.total as f64)
    }

    /// A space and the time left, or at the end the time taken.
    fn time(&self) -> String {
        match self.elapsed {
            Some(elapsed) => format!(" {}", taken(elapsed.as_secs())),
            None => self.left().map(|left| format!(" {}", remaining(left))).unwrap_or_default(),
        }
    }

    /// Seconds left, if they can be estimated and there are any.
    fn left(&self) -> Option<u64> {
        let items_left = self.total.checked_sub(self.done)?;
        let per_item = self.until_change.as_nanos().checked_div(u128::from(self.done))?;
        let estimate = per_item.checked_mul(u128::from(items_left))?;
        let left = estimate.checked_sub(self.since_change.as_nanos())? / 1_000_000_000;
        u64::try_from(left).ok().filter(|seconds| *seconds > 0)
    }

    /// The bar, filling what `others` characters leave of the terminal.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a terminal has few columns"
    )]
    fn bar(&self, others: usize) -> String {
        let Some(inner) = self.columns.checked_sub(others + 2).filter(|inner| *inner > 0) else {
            return String::new();
        };
        let filled = ((self.fraction() * inner as f64).ceil() as usize).min(inner);
        let full = if filled == inner || filled == 0 {
            "=".repeat(filled)
        } else {
            format!("{}>", "=".repeat(filled - 1))
        };
        format!("[{full:-<inner$}]")
    }
}

/// `MMmSSs`, with days and hours in front where there are any.
fn remaining(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let mut text = String::new();
    if days > 0 {
        text += &format!("{days}d");
    }
    if hours > 0 {
        text += &format!("{hours}h");
    }
    text + &format!("{:02}m{:02}s", seconds / 60 % 60, seconds % 60)
}

/// Go's notation of a duration in seconds: `3s`, `1m5s`, `1h0m2s`.
fn taken(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line<'static> = Line {
        prefix: "Chunking ",
        unit: Unit::Bytes,
        total: 10_000,
        done: 4213,
        until_change: Duration::from_millis(4213),
        since_change: Duration::ZERO,
        elapsed: None,
        columns: 0,
    };

    #[test]
    fn parsable_lines_are_as_specified() {
        assert_eq!(LINE.render(Style::Parsable), "Chunking   42.13% 00m05s\n");
        let last = Line { done: 10_000, elapsed: Some(Duration::from_millis(9900)), ..LINE };
        assert_eq!(last.render(Style::Parsable), "Chunking  100.00% 9s\n");
        let first = Line { done: 0, until_change: Duration::ZERO, ..LINE };
        assert_eq!(first.render(Style::Parsable), "Chunking    0.00%\n");
    }

    #[test]
    fn the_bar_fills_the_terminal() {
        let line = Line { columns: 40, ..LINE };
        let text = line.render(Style::Bar);
        assert_eq!(text, "\rChunking [=====>--------]  42.13% 00m05s");
        assert_eq!(text.len(), 41);
        let last = Line { done: 10_000, elapsed: Some(Duration::from_secs(65)), columns: 40, ..LINE };
        assert_eq!(last.render(Style::Bar), "\rChunking [================] 100.00% 1m5s");
        let first = Line { done: 0, columns: 40, ..LINE };
        assert!(first.render(Style::Bar).starts_with("\rChunking [-------"));
    }

    #[test]
    fn without_a_terminal_there_is_no_bar() {
        assert_eq!(LINE.render(Style::Bar), "\rChunking   42.13% 00m05s");
    }

    #[test]
    fn lines_are_padded_to_the_terminal() {
        let line = Line { columns: 30, ..LINE };
        assert_eq!(line.render(Style::Parsable), "Chunking   42.13% 00m05s      \n");
    }

    #[test]
    fn an_unknown_total_shows_how_much_is_done_to_people() {
        let chunks = Line { total: 0, done: 7, unit: Unit::Chunks, columns: 0, ..LINE };
        assert_eq!(chunks.render(Style::Bar), "\rChunking 7 chunks");
        let bytes = Line { done: 3 << 20, unit: Unit::Bytes, ..chunks };
        assert_eq!(bytes.render(Style::Bar), "\rChunking 3 MiB");
    }

    #[test]
    fn an_unknown_total_shows_time_only_to_programs() {
        let line = Line { total: 0, ..LINE };
        assert_eq!(line.render(Style::Parsable), "Chunking \n");
        let last = Line { total: 0, elapsed: Some(Duration::from_secs(1)), ..LINE };
        assert_eq!(last.render(Style::Parsable), "Chunking  1s\n");
    }

    #[test]
    fn durations_are_written_as_specified() {
        assert_eq!(remaining(5), "00m05s");
        assert_eq!(remaining(2 * 3600 + 190), "2h03m10s");
        assert_eq!(remaining(86_400 + 61), "1d01m01s");
        assert_eq!(taken(3), "3s");
        assert_eq!(taken(65), "1m5s");
        assert_eq!(taken(3602), "1h0m2s");
    }

    #[test]
    fn a_stalled_phase_has_no_estimate() {
        let stalled = Line { since_change: Duration::from_secs(60), ..LINE };
        assert_eq!(stalled.time(), "");
    }
}
