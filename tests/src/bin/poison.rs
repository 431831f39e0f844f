//! `cargo poison`: records that kill, on a real broker, with real processes.

use std::{path::PathBuf, process::ExitCode};

use argosy_tests::{poison, suite};
use clap::Parser;

/// Writes records that fail validation, panic, never end, and end their process, among healthy ones, and compares their
/// dead letters byte for byte; then kills the worker three times. Everybody else goes on meanwhile, and nobody else is condemned.
///
/// Exit status: 0 all holds, 1 something does not, 3 it could not be run. The last line of stdout is one JSON object.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  cargo poison --seed 1")]
struct Arguments {
    /// Decides keys.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where data and logs go: a new or an empty folder; kept if something does not hold.
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { seed, folder } = Arguments::parse();
    suite::conclude("poison", async {
        let folder = suite::Folder::prepare(folder, &format!("poison-{seed}"))?;
        poison::run(folder, seed).await
    })
}
