//! The command line: what can be asked, how it is explained, and which code it ends with.

use std::{path::PathBuf, process::ExitCode};

use argosy_shell::{
    config::{Config, ConfigError, Part},
    exit::{EXITS, Exit},
};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{
    commands::{
        config, dead_letters, effects, gateway, migrate, publish, sandbox, timeline, topics, up,
        worker,
    },
    failed::Failed,
    output::{Format, say},
};

/// Event-driven workers for commerce, on Kafka.
#[derive(Debug, Parser)]
#[command(name = "argosy", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// The configuration file [default: argosy.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "ARGOSY_CONFIG")]
    config: Option<PathBuf>,
    /// Write data as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Arguments),
    Worker(worker::Arguments),
    Gateway(gateway::Arguments),
    Sandbox(sandbox::Arguments),
    Migrate(migrate::Arguments),
    Topics(topics::Arguments),
    Publish(publish::Arguments),
    Timeline(timeline::Arguments),
    DeadLetters(dead_letters::Arguments),
    Effects(effects::Arguments),
    Config(config::Arguments),
}

impl Common {
    /// Loads the configuration for what is about to run.
    pub(crate) fn load(&self, parts: &[Part]) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref(), std::env::vars_os(), parts)
    }

    pub(crate) fn format(&self) -> Format {
        Format::of(self.json)
    }
}

/// Parses the arguments, runs the command, says what failed.
pub(crate) fn run() -> ExitCode {
    let matches = Cli::command().after_help(exits()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(Failed { exit, error }) => {
            say(&format!("argosy: {error:#}"));
            exit.into()
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit, Failed> {
    let common = &cli.common;
    match cli.command {
        Command::Up(arguments) => up::run(common, &arguments),
        Command::Worker(arguments) => worker::run(common, &arguments),
        Command::Gateway(arguments) => gateway::run(common, &arguments),
        Command::Sandbox(arguments) => sandbox::run(common, &arguments),
        Command::Migrate(arguments) => migrate::run(common, &arguments),
        Command::Topics(arguments) => topics::run(common, &arguments),
        Command::Publish(arguments) => publish::run(common, &arguments),
        Command::Timeline(arguments) => timeline::run(common, &arguments),
        Command::DeadLetters(arguments) => dead_letters::run(common, &arguments),
        Command::Effects(arguments) => effects::run(common, &arguments),
        Command::Config(arguments) => config::run(common, &arguments),
    }
}

fn exits() -> String {
    let lines = EXITS.map(|(exit, meaning)| format!("{:>5}  {meaning}", exit.code()));
    format!(
        "Data goes to stdout, talk to stderr. Every key of the file can be set by a variable:\n\
         gateway.deadline_ms is ARGOSY__GATEWAY__DEADLINE_MS.\n\nExit codes:\n{}",
        lines.join("\n")
    )
}
