//! `cargo limits`: no more room, or no more store, and nothing is lost.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use argosy_tests::{
    limits::{self, LimitsSettings, Part},
    suite,
};
use clap::{Parser, ValueEnum};

/// Real servers at their limits. Part `parked`: more keys, and more bytes, wait than a partition may park; it takes no
/// more in and says why, other partitions go on, and it goes on by itself when the supplier is back. Part `servers`:
/// PostgreSQL is away, Kafka's disk is full, PostgreSQL's disk is full, one after the other under load; the gateway
/// refuses what it cannot do, the worker waits and says for what, and what was accepted is done once and in order.
///
/// Part `servers` mounts two small disks, and so needs root.
///
/// Exit status: 0 all holds, 1 something does not, 3 it could not be run. The last line of stdout is one JSON object.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  cargo limits\n  cargo limits --seconds 10 --only servers --seed 7"
)]
struct Arguments {
    /// Decides keys and pauses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long each server is away, or its disk full.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(4..=3_600))]
    seconds: u64,
    /// Only this part.
    #[arg(long)]
    only: Option<Only>,
    /// Where data and logs go: a new or an empty folder; kept if something does not hold.
    #[arg(long)]
    folder: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Only {
    Parked,
    Servers,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    suite::conclude("limits", async {
        limits::run(LimitsSettings {
            seed: arguments.seed,
            away: Duration::from_secs(arguments.seconds),
            only: arguments.only.map(|only| match only {
                Only::Parked => Part::Parked,
                Only::Servers => Part::Servers,
            }),
            folder: suite::Folder::prepare(arguments.folder, "limits")?,
        })
        .await
    })
}
