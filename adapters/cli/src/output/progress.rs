//! Progress on stderr: a bar for people, lines for programs, nothing for log files.
//!
//! A thread redraws; pipelines only count. Every line goes to stderr, the last one of a phase included.

mod line;

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use desync_engine::{Phase, Progress};

use self::line::{Line, Style, Unit};
use super::terminal;

/// Shows the phases of pipelines one after another.
pub(crate) struct ProgressDisplay {
    style: Option<Style>,
    shown: Mutex<Option<Shown>>,
}

/// The phase that is shown now, and the thread that redraws it.
struct Shown {
    state: Arc<State>,
    painter: JoinHandle<()>,
}

struct State {
    prefix: String,
    unit: Unit,
    total: u64,
    done: AtomicU64,
    started: Instant,
    style: Style,
    ended: Mutex<Option<End>>,
    wake: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    Abandoned,
}

impl ProgressDisplay {
    /// As the environment wants it: `DESYNC_ENABLE_PARSABLE_PROGRESS`, `DESYNC_PROGRESSBAR_ENABLED`, or a
    /// terminal on stderr.
    pub(crate) fn from_environment() -> Self {
        let wanted = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let style = if wanted("DESYNC_ENABLE_PARSABLE_PROGRESS") {
            Some(Style::Parsable)
        } else if wanted("DESYNC_PROGRESSBAR_ENABLED") || terminal::on_stderr() {
            Some(Style::Bar)
        } else {
            None
        };
        Self { style, shown: Mutex::new(None) }
    }

    /// As [`Self::from_environment`], but without a bar where data on stdout goes to the same terminal.
    pub(crate) fn beside_stdout() -> Self {
        if terminal::on_stdout() {
            return Self { style: None, shown: Mutex::new(None) };
        }
        Self::from_environment()
    }

    fn shown(&self) -> MutexGuard<'_, Option<Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, end: End) {
        if let Some(shown) = self.shown().take() {
            shown.state.end(end);
            // A painter that panicked has nothing left to say.
            let _ = shown.painter.join();
        }
    }
}

impl Progress for ProgressDisplay {
    fn begin(&self, phase: Phase, total: u64) {
        self.stop(End::Abandoned);
        let Some(style) = self.style else { return };
        let state = Arc::new(State {
            prefix: prefix(phase),
            unit: unit(phase),
            total,
            done: AtomicU64::new(0),
            started: Instant::now(),
            style,
            ended: Mutex::new(None),
            wake: Condvar::new(),
        });
        let painted = Arc::clone(&state);
        let painter = std::thread::Builder::new().name("progress".into()).spawn(move || painted.paint());
        // Without a thread there is no display; the work goes on.
        *self.shown() = painter.ok().map(|painter| Shown { state, painter });
    }

    fn advance(&self, units: u64) {
        if self.style.is_some()
            && let Some(shown) = &*self.shown()
        {
            shown.state.done.fetch_add(units, Ordering::Relaxed);
        }
    }

    fn end(&self) {
        self.stop(End::Complete);
    }
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        self.stop(End::Abandoned);
    }
}

/// What stands before the bar of a phase.
fn prefix(phase: Phase) -> String {
    match phase {
        Phase::Chunking => "Chunking ".into(),
        Phase::Storing => "Storing ".into(),
        Phase::Surveying => "Surveying ".into(),
        Phase::ChunkingSeed { seed, attempt } => format!("Attempt {attempt}: Chunking Seed {} ", seed + 1),
        Phase::Assembling { attempt } => format!("Attempt {attempt}: Assembling "),
        Phase::Writing => "Writing ".into(),
        Phase::Archiving => "Archiving ".into(),
        Phase::Unpacking => "Unpacking ".into(),
        Phase::Listing => "Listing ".into(),
        Phase::Verifying => "Verifying ".into(),
        Phase::Pruning => "Pruning ".into(),
        Phase::Working => String::new(),
    }
}

/// What a phase counts.
const fn unit(phase: Phase) -> Unit {
    match phase {
        Phase::Chunking
        | Phase::Surveying
        | Phase::ChunkingSeed { .. }
        | Phase::Assembling { .. }
        | Phase::Writing
        | Phase::Archiving
        | Phase::Unpacking
        | Phase::Listing => Unit::Bytes,
        Phase::Storing | Phase::Verifying | Phase::Pruning | Phase::Working => Unit::Chunks,
    }
}

impl State {
    fn end(&self, end: End) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        self.wake.notify_all();
    }

    /// Redraws until the phase ends, and once then.
    fn paint(&self) {
        let mut changed = (0, Instant::now());
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let done = self.done.load(Ordering::Relaxed);
            if done != changed.0 {
                changed = (done, Instant::now());
            }
            self.draw(done, changed.1, *ended);
            if ended.is_some() {
                return;
            }
            ended = self
                .wake
                .wait_timeout_while(ended, self.interval(), |ended| ended.is_none())
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    const fn interval(&self) -> Duration {
        match self.style {
            Style::Bar => Duration::from_millis(200),
            Style::Parsable => Duration::from_millis(500),
        }
    }

    fn draw(&self, done: u64, changed: Instant, ended: Option<End>) {
        let now = Instant::now();
        let line = Line {
            prefix: &self.prefix,
            unit: self.unit,
            total: self.total,
            done,
            until_change: changed - self.started,
            since_change: now - changed,
            elapsed: ended.map(|_| now - self.started),
            columns: terminal::columns(),
        };
        let mut text = line.render(self.style);
        if self.style == Style::Bar && ended.is_some() {
            text.push('\n');
        }
        let mut stderr = std::io::stderr().lock();
        super::note_bar(self.style == Style::Bar && ended.is_none());
        // A display that cannot be drawn is no reason to fail.
        let _ = stderr.write_all(text.as_bytes());
    }
}
