//! `cargo holding`: keys that wait behind a dead record, on a real broker and store, with real processes.

use std::{path::PathBuf, process::ExitCode};

use argosy_tests::{holding, suite};
use clap::Parser;

/// Some keys get a dead record and are held behind it; live traffic on all keys goes on. An instance joins, one leaves,
/// PostgreSQL is killed, everything is started again; then an operator replays, releases, and releases all.
///
/// Judged from outside, by the supplier's receipts: each event is applied once and in order, nothing held runs before it
/// may, and no other key waits longer than what was struck explains. `argosy dead-letters ls --held` and the timelines of
/// held events must say so.
///
/// Exit status: 0 all holds, 1 something does not, 3 it could not be run. The last line of stdout is one JSON object.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  cargo holding --seed 1\n  cargo holding --seed 1 --folder /tmp/holding   (a folder that is new or empty; kept if something does not hold)"
)]
struct Arguments {
    /// Decides which keys are struck, and the traffic.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where data and logs go: a new or an empty folder; kept if something does not hold.
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { seed, folder } = Arguments::parse();
    suite::conclude("holding", async {
        let folder = suite::Folder::prepare(folder, &format!("holding-{seed}"))?;
        holding::run(folder, seed).await
    })
}
