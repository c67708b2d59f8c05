//! A list of named steps: each is run and timed, failures are collected, not first-stop.

use std::time::{Duration, Instant};

use anyhow::bail;

use crate::shell;

/// Steps in progress, and how each went.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(&'static str, Duration, Outcome)>,
}

enum Outcome {
    Passed,
    Failed(anyhow::Error),
    Skipped(&'static str),
}

impl Steps {
    /// Runs one step, whatever became of those before it.
    pub(crate) fn run(&mut self, name: &'static str, step: impl FnOnce() -> anyhow::Result<()>) {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let outcome = match step() {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                eprintln!("{name} failed: {error:#}");
                Outcome::Failed(error)
            }
        };
        self.done.push((name, start.elapsed(), outcome));
    }

    /// Runs one step that needs a program: skipped aloud where it is missing, but never in CI.
    pub(crate) fn run_with(
        &mut self,
        program: &'static str,
        name: &'static str,
        step: impl FnOnce() -> anyhow::Result<()>,
    ) {
        if shell::has(program) || shell::is_ci() {
            return self.run(name, step);
        }
        eprintln!("\n== {name}\nSKIPPED: {program} is missing; `cargo xtask setup` installs it");
        self.done.push((name, Duration::ZERO, Outcome::Skipped(program)));
    }

    /// Prints one line for each step.
    ///
    /// # Errors
    /// Names the steps that failed, if any did.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        eprintln!("\n== summary");
        let mut failed = Vec::new();
        for (name, time, outcome) in &self.done {
            let seconds = time.as_secs_f64();
            match outcome {
                Outcome::Passed => eprintln!("passed   {seconds:7.1} s  {name}"),
                Outcome::Failed(error) => {
                    eprintln!("FAILED   {seconds:7.1} s  {name}: {error:#}");
                    failed.push(*name);
                }
                Outcome::Skipped(program) => eprintln!("SKIPPED            {name}: {program} is missing"),
            }
        }
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_named_and_does_not_stop_the_others() {
        let mut steps = Steps::default();
        let mut ran = false;
        steps.run("first", || bail!("broken"));
        steps.run("second", || {
            ran = true;
            Ok(())
        });
        assert_eq!(steps.finish().unwrap_err().to_string(), "failed: first");
        assert!(ran);
    }
}
