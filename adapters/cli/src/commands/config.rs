//! `config`.

use anyhow::anyhow;
use std::io::Write;

use crate::args::ConfigArgs;
use crate::config;
use crate::output;
use crate::session::Session;

pub(super) fn run(args: &ConfigArgs, session: &Session) -> anyhow::Result<()> {
    let mut out = output::stdout();
    if !args.write.unwrap_or(false) {
        return output::print_json(&mut out, &session.config.without_secrets());
    }
    let file = session
        .config_file
        .as_ref()
        .ok_or_else(|| anyhow!("no place for a config file: $HOME is not set and no --config given"))?;
    writeln!(out, "Writing config to {}\n", file.path().display())?;
    out.flush()?;
    config::write(file, &session.config)
}
