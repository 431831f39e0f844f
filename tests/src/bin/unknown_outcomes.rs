//! `cargo unknown-outcomes`: calls whose outcome nobody was told, on real Kafka and PostgreSQL.

use std::{path::PathBuf, process::ExitCode};

use argosy_tests::{suite, unknown};
use clap::Parser;

/// Strikes calls between claim and outcome, for suppliers of each repeat class, and judges by their receipts: cut
/// connections, killed and frozen workers, a rebalance during a long call. What ends ambiguous is resolved by hand.
///
/// Exit status: 0 all holds, 1 something does not, 3 it could not be run. The last line of stdout is one JSON object.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  cargo unknown-outcomes --seed 1")]
struct Arguments {
    /// Decides keys, and when exactly each strike comes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where data and logs go: a new or an empty folder; kept if something does not hold.
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { seed, folder } = Arguments::parse();
    suite::conclude("unknown-outcomes", async {
        let folder = suite::Folder::prepare(folder, &format!("unknown-{seed}"))?;
        unknown::run(folder, seed).await
    })
}
