//! The binary: subcommands only. Everything that it runs is a library beside it.

use std::process::ExitCode;

mod cli;
mod client;
mod commands;
mod failed;
mod output;
mod parts;
mod process;

fn main() -> ExitCode {
    cli::run()
}
