//! `docs/configuration.md` describes every option of clap's definition, and no others.

use std::collections::BTreeSet;
use std::fs;

use clap::{Arg, Command, CommandFactory};
use status_host::cli::Cli;

/// Removes the code spans of a cell.
fn plain(cell: &str) -> String {
    cell.replace('`', "").trim().to_owned()
}

/// The first three cells of the rows that begin with an option: option, variable, default.
fn documented_options(docs: &str) -> BTreeSet<[String; 3]> {
    let rows = docs
        .lines()
        .filter(|line| line.starts_with("| `--") && line.matches(" |").count() >= 4);
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split(" |").map(plain);
        [(); 3].map(|()| cells.next().unwrap())
    })
    .collect()
}

/// Option, variable and default of an argument; `None` for `--help`, `--version` and positional arguments.
fn option(arg: &Arg) -> Option<[String; 3]> {
    let text = |value: &std::ffi::OsStr| value.to_str().unwrap().to_owned();
    let variable = arg.get_env().map(text)?;
    let default = arg.get_default_values().first().map(|value| text(value));
    Some([format!("--{}", arg.get_long()?), variable, default.unwrap_or_default()])
}

fn commands(command: &Command) -> Vec<&Command> {
    [vec![command], command.get_subcommands().flat_map(commands).collect()].concat()
}

#[test]
fn docs_list_every_option_with_variable_and_default() {
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md")).unwrap();
    let documented = documented_options(&docs);
    let cli = Cli::command();
    let commands = commands(&cli);
    let defined: BTreeSet<_> = commands
        .iter()
        .flat_map(|command| command.get_arguments())
        .filter_map(option)
        .collect();
    let missing: Vec<_> = defined.difference(&documented).collect();
    assert!(missing.is_empty(), "docs/configuration.md lacks a row for {missing:?}");
    let unknown: Vec<_> = documented.difference(&defined).collect();
    assert!(unknown.is_empty(), "docs/configuration.md has a wrong row: {unknown:?}");
    for command in commands {
        let name = command.get_name();
        assert!(
            docs.contains(&format!("`{name}")) || docs.contains(&format!("status-host {name}")),
            "no `{name}`"
        );
    }
}

#[test]
fn docs_list_every_exit_code() {
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md")).unwrap();
    for code in 0..=2 {
        assert!(
            docs.contains(&format!("\n| `{code}` | ")),
            "no row for exit code {code}"
        );
    }
}
