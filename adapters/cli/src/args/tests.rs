//! What the command line is read as.

use std::ffi::OsString;
use std::time::Duration;

use super::usage::Refusal;
use super::{Cli, Command, parse};

fn line(words: &[&str]) -> Result<Cli, Refusal> {
    parse(std::iter::once("desync").chain(words.iter().copied()).map(OsString::from).collect())
}

fn wrong(words: &[&str]) -> String {
    match line(words) {
        Err(Refusal::Wrong(text)) => text,
        _ => panic!("{words:?} is right, or asks for help"),
    }
}

fn make(words: &[&str]) -> super::MakeArgs {
    match line(words).unwrap().command {
        Some(Command::Make(args)) => args,
        _ => panic!("{words:?} is another command"),
    }
}

fn extract(words: &[&str]) -> super::ExtractArgs {
    match line(words).unwrap().command {
        Some(Command::Extract(args)) => args,
        _ => panic!("{words:?} is another command"),
    }
}

#[test]
fn the_definition_is_consistent() {
    super::definition().debug_assert();
}

#[test]
fn short_flags_take_their_value_in_three_ways() {
    for words in [&["make", "-n", "4", "a", "b"][..], &["make", "-n4", "a", "b"], &["make", "-n=4", "a", "b"]]
    {
        assert_eq!(make(words).stores.concurrency, Some(4), "{words:?}");
    }
    assert_eq!(make(&["make", "a", "--concurrency=0x10", "b"]).stores.concurrency, Some(16));
    assert_eq!(make(&["make", "a", "b", "--concurrency", "-1"]).stores.concurrency, Some(-1));
}

#[test]
fn booleans_cluster_and_take_values_only_with_an_equals_sign() {
    let args = extract(&["extract", "-kt", "a", "b"]);
    assert_eq!((args.in_place, args.stores.trust_insecure), (Some(true), Some(true)));
    let args = extract(&["extract", "-tks", "store", "a", "b"]);
    assert_eq!((args.in_place, args.source.store.len()), (Some(true), 1));
    let args = extract(&["extract", "--trust-insecure=false", "-r=false", "-k", "true", "out"]);
    assert_eq!((args.stores.trust_insecure, args.stores.cache_repair), (Some(false), Some(false)));
    assert_eq!((args.in_place, args.index.to_str()), (Some(true), Some("true")));
    assert!(wrong(&["extract", "--in-place=yes", "a", "b"]).contains("--in-place"));
}

#[test]
fn the_last_of_several_values_wins_and_lists_collect() {
    assert_eq!(make(&["make", "-n", "1", "-n", "2", "a", "b"]).stores.concurrency, Some(2));
    let args = extract(&["extract", "-s", "a", "-s", "b,c", "i", "o", "-k", "-k=false"]);
    assert_eq!(args.source.store, ["a", "b,c"]);
    assert_eq!(args.in_place, Some(false));
}

#[test]
fn flags_and_positionals_mix_and_two_hyphens_end_flags() {
    let args = make(&["make", "-", "-s", "store", "--", "-s"]);
    assert_eq!((args.index.to_str(), args.file.to_str()), (Some("-"), Some("-s")));
    assert_eq!(args.keep.store.unwrap(), "store");
}

#[test]
fn global_flags_stand_before_or_after_the_command() {
    for words in [&["--digest", "sha256", "chunk", "a"][..], &["chunk", "a", "--digest=sha256"]] {
        assert_eq!(line(words).unwrap().global.digest.as_deref(), Some("sha256"));
    }
    assert_eq!(line(&["chunk", "--verbose", "a"]).unwrap().global.verbose, Some(true));
}

#[test]
fn durations_and_empty_values_are_read() {
    let args = make(&["make", "-b", "1m30s", "--ca-cert", "", "--client-key=", "a", "b"]).stores;
    assert_eq!(args.error_retry_base_interval, Some(Duration::from_secs(90)));
    assert_eq!((args.ca_cert.as_deref(), args.client_key.as_deref()), (Some(""), Some("")));
}

#[test]
fn defect_69_a_seed_can_be_given_as_two_words() {
    let args =
        extract(&["extract", "--seed-pair", "a,b:1.caibx", "blob.caibx", "i", "o", "--seed-pair", "c", "d"]);
    assert_eq!(args.seed_pair, ["a,b:1.caibx", "blob.caibx", "c", "d"]);
    assert_eq!((args.index.to_str(), args.output.to_str()), (Some("i"), Some("o")));
}

#[test]
fn wrong_counts_of_positionals_are_told_as_go_desync_tells_them() {
    for (words, message) in [
        (&["make", "a"][..], "Error: accepts 2 arg(s), received 1\n"),
        (&["make", "-n", "4", "a", "b", "c"], "Error: accepts 2 arg(s), received 3\n"),
        (&["make", "a", "b", "-"], "Error: accepts 2 arg(s), received 3\n"),
        (&["prune", "-s", "x"], "Error: requires at least 1 arg(s), only received 0\n"),
        (&["cat", "a", "b", "c"], "Error: accepts between 1 and 2 arg(s), received 3\n"),
        (&["cat"], "Error: accepts between 1 and 2 arg(s), received 0\n"),
        (&["config", "x"], "Error: unknown command \"x\" for \"desync config\"\n"),
        (&["verify", "-s", "a", "extra"], "Error: unknown command \"extra\" for \"desync verify\"\n"),
    ] {
        let text = wrong(words);
        assert!(text.starts_with(message), "{words:?}: {text}");
        assert!(text.contains(&format!("Usage: desync {}", words[0])), "{text}");
    }
}

#[test]
fn unknown_commands_are_refused_with_what_may_be_meant() {
    let text = wrong(&["mak"]);
    assert!(
        text.starts_with("Error: unknown command \"mak\" for \"desync\"\n\nDid you mean this?\n\tmake\n"),
        "{text}"
    );
    assert!(text.ends_with("\nRun 'desync --help' for usage.\n"), "{text}");
    assert_eq!(
        wrong(&["zzzzzz"]),
        "Error: unknown command \"zzzzzz\" for \"desync\"\nRun 'desync --help' for usage.\n"
    );
}

#[test]
fn unknown_flags_are_named() {
    let text = wrong(&["chunk", "--strat", "5", "file"]);
    assert!(text.starts_with("Error: ") && text.contains("--strat") && text.contains("--start"), "{text}");
    assert!(wrong(&["chunk", "-n", "4", "x"]).contains("-n"));
    assert!(wrong(&["make", "a", "b", "--store"]).contains("--store"));
}

#[test]
fn every_command_answers_help_with_an_example() {
    for command in super::definition().get_subcommands() {
        let name = command.get_name();
        for words in [&[name, "--help"][..], &["help", name]] {
            match line(words) {
                Err(Refusal::Answer(text)) => assert!(text.contains("Example"), "{name}: {text}"),
                _ => panic!("{name}: no help"),
            }
        }
    }
}

#[test]
fn version_is_an_answer() {
    assert!(matches!(line(&["--version"]), Err(Refusal::Answer(text)) if text.starts_with("desync ")));
}
