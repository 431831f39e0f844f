//! `cargo statements`: what a record costs the store.

use std::{path::PathBuf, process::ExitCode};

use argosy_tests::{statements, suite};
use clap::Parser;

/// Counts the statements that PostgreSQL gets for records without effects (none are allowed), and for records with one
/// effect, with the sizes of the groups in which they go.
///
/// Exit status: 0 all holds, 1 something does not, 3 it could not be run. The last line of stdout is one JSON object.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  cargo statements")]
struct Arguments {
    /// Where data and logs go: a new or an empty folder; kept if something does not hold.
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { folder } = Arguments::parse();
    suite::conclude("statements", async {
        statements::run(suite::Folder::prepare(folder, "statements")?).await
    })
}
