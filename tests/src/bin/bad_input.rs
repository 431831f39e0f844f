//! `cargo bad-input`: records that nobody can handle, on a real broker.

use std::{path::PathBuf, process::ExitCode};

use argosy_tests::{bad_input, suite};
use clap::Parser;

/// Writes undecodable and invalid records with kcat, and compares their dead letters byte for byte.
///
/// Exit status: 0 all well, 1 a comparison failed, 3 it could not be run. The last line of stdout is one JSON object.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  cargo bad-input")]
struct Arguments {
    /// Where data and logs go: a new or an empty folder; kept if a comparison fails.
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { folder } = Arguments::parse();
    suite::conclude("bad-input", async {
        bad_input::run(suite::Folder::prepare(folder, "bad-input")?).await
    })
}
