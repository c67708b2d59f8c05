//! Go desync's parsing rules, laid over the whole definition in one place.
//!
//! Booleans take a value only with `=` (`--trust-insecure=false`, `-r=false`) and can be clustered (`-kt`).
//! The word after a flag that takes a value is that value, even if it starts with a hyphen. The last of
//! several occurrences wins, but lists collect (`args_override_self` and `ArgAction::Append`).

use std::any::TypeId;

use clap::{Arg, ArgAction, Command};

/// The definition with these rules, subcommands included.
pub(super) fn like_pflag(command: Command) -> Command {
    command.args_override_self(true).mut_args(rule).mut_subcommands(like_pflag)
}

fn rule(arg: Arg) -> Arg {
    if arg.is_positional() || !arg.get_action().takes_values() {
        return arg;
    }
    let is_switch = matches!(arg.get_action(), ArgAction::Set)
        && arg.get_value_parser().type_id() == TypeId::of::<bool>();
    if is_switch {
        arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL")
    } else {
        arg.allow_hyphen_values(true)
    }
}
