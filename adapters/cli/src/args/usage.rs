//! Wrong usage, explained: clap's findings in the words scripts and people know from Go desync.
//!
//! Counts of positionals and unknown commands have fixed wordings; the rest is clap's own text, which names
//! the flag and often the likely meant one.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

/// A command line that is not run.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Help or version was asked for: this goes to stdout.
    Answer(String),
    /// It is wrong: this goes to stderr.
    Wrong(String),
}

/// Turns clap's finding into what is printed.
pub(super) fn explain(definition: &Command, line: &[OsString], error: &clap::Error) -> Refusal {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Refusal::Answer(error.to_string()),
        ErrorKind::InvalidSubcommand => Refusal::Wrong(unknown_command(error)),
        ErrorKind::MissingRequiredArgument | ErrorKind::UnknownArgument => Refusal::Wrong(
            positionals(definition, line, error).unwrap_or_else(|| capitalised(&error.to_string())),
        ),
        _ => Refusal::Wrong(capitalised(&error.to_string())),
    }
}

fn capitalised(text: &str) -> String {
    match text.strip_prefix("error: ") {
        Some(rest) => format!("Error: {rest}"),
        None => text.to_owned(),
    }
}

fn unknown_command(error: &clap::Error) -> String {
    let name = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(name)) => name.as_str(),
        _ => "",
    };
    let mut text = format!("Error: unknown command \"{name}\" for \"desync\"\n");
    let similar: &[String] = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::String(one)) => std::slice::from_ref(one),
        Some(ContextValue::Strings(some)) => some,
        _ => &[],
    };
    if !similar.is_empty() {
        text += "\nDid you mean this?\n";
        for name in similar {
            text += &format!("\t{name}\n");
        }
        text += "\n";
    }
    text + "Run 'desync --help' for usage.\n"
}

/// The message about a wrong number of positionals, if that is what is wrong.
fn positionals(definition: &Command, line: &[OsString], error: &clap::Error) -> Option<String> {
    if error.kind() == ErrorKind::UnknownArgument
        && matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(arg)) if arg.starts_with('-') && arg != "-")
    {
        return None;
    }
    let matches = relaxed(definition.clone()).try_get_matches_from(line).ok()?;
    let (name, given) = matches.subcommand()?;
    let command = definition.find_subcommand(name)?.clone();
    let allowed = Allowed::of(&command);
    let received = received(&command, given);
    let problem = allowed.problem(received.len(), received.first(), name)?;
    let usage = command.bin_name(format!("desync {name}")).render_usage();
    Some(format!("Error: {problem}\n\n{usage}\n"))
}

/// Catches every positional, so that they can be counted.
const SURPLUS: &str = "surplus positionals";

fn relaxed(definition: Command) -> Command {
    definition.mut_subcommands(|command| {
        let command = command.mut_args(|arg| if arg.is_positional() { arg.required(false) } else { arg });
        let takes_many = command.get_positionals().any(is_list);
        if takes_many {
            return command;
        }
        command.arg(Arg::new(SURPLUS).action(ArgAction::Append).num_args(0..))
    })
}

fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

fn received(command: &Command, given: &ArgMatches) -> Vec<String> {
    let declared = command.get_positionals().map(|arg| arg.get_id().as_str());
    declared
        .chain([SURPLUS])
        .filter_map(|id| given.try_get_raw(id).ok().flatten())
        .flatten()
        .map(|value| value.display().to_string())
        .collect()
}

/// How many positionals a command takes.
struct Allowed {
    least: usize,
    most: Option<usize>,
}

impl Allowed {
    fn of(command: &Command) -> Self {
        let least = command.get_positionals().filter(|arg| arg.is_required_set()).count();
        let endless = command.get_positionals().any(is_list);
        Self { least, most: (!endless).then(|| command.get_positionals().count()) }
    }

    fn problem(&self, received: usize, first: Option<&String>, command: &str) -> Option<String> {
        let fits = received >= self.least && self.most.is_none_or(|most| received <= most);
        if fits {
            return None;
        }
        Some(match (self.least, self.most, first) {
            (_, Some(0), Some(first)) => format!("unknown command \"{first}\" for \"desync {command}\""),
            (least, None, _) => format!("requires at least {least} arg(s), only received {received}"),
            (least, Some(most), _) if least == most => format!("accepts {most} arg(s), received {received}"),
            (least, Some(most), _) => {
                format!("accepts between {least} and {most} arg(s), received {received}")
            }
        })
    }
}
