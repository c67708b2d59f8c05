//! `completion`.

use std::io::Write;

use clap_complete::{Generator, Shell};

use crate::args::{CompletionArgs, definition};
use crate::output;

pub(super) fn run(args: &CompletionArgs) -> anyhow::Result<()> {
    let mut definition = definition();
    let text = match args.shell {
        Some(shell) => script(definition, shell, !args.no_descriptions.unwrap_or(false)),
        None => {
            definition.build();
            let command = definition.find_subcommand_mut("completion");
            command.map(|command| command.render_long_help().to_string()).unwrap_or_default().into_bytes()
        }
    };
    let mut out = output::stdout();
    out.write_all(&text)?;
    out.flush()?;
    Ok(())
}

fn script(definition: clap::Command, shell: Shell, descriptions: bool) -> Vec<u8> {
    let mut definition = if descriptions { definition } else { without_descriptions(definition) };
    definition.set_bin_name("desync");
    definition.build();
    let mut text = Vec::new();
    shell.generate(&definition, &mut text);
    text
}

fn without_descriptions(command: clap::Command) -> clap::Command {
    command.about("").mut_args(|arg| arg.help("").long_help("")).mut_subcommands(without_descriptions)
}
