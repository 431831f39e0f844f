//! `cargo waiting`: half of all keys wait for a dependency that is down, and nobody else notices.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use argosy_tests::{
    suite,
    waiting::{self, WaitingSettings},
};
use clap::Parser;

/// A worker on real Kafka and PostgreSQL, while the supplier of half of all keys is down: measured each second are the
/// frontier's age (under 60 s), the rate of the healthy keys (at least 95 % of what it was), resident memory, parked
/// rows and dead letters. In the middle the worker is killed: what was done over 2 s before does not run again. In the
/// end the supplier is back, and all is done once and in order, by its receipts.
///
/// Exit status: 0 all holds, 1 something does not, 3 it could not be run. The last line of stdout is one JSON object.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  cargo waiting\n  cargo waiting --minutes 1 --seed 7")]
struct Arguments {
    /// How long the supplier is down.
    #[arg(long, default_value_t = 10.0, value_parser = minutes)]
    minutes: f64,
    /// Records per second.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(20..=20_000))]
    rate: u32,
    /// Decides the keys.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Distinct keys; every other one waits.
    #[arg(long, default_value_t = 8_000, value_parser = clap::value_parser!(u32).range(200..=200_000))]
    keys: u32,
    /// Of a hundred healthy keys, how many have records that call a supplier; the others' records call nobody.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
    effects_percent: u8,
    /// Where data and logs go: a new or an empty folder; kept if something does not hold.
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "is no number".to_owned())?;
    if (0.5..=240.0).contains(&minutes) {
        Ok(minutes)
    } else {
        Err("must be from 0.5 to 240".to_owned())
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    suite::conclude("waiting", async {
        waiting::run(WaitingSettings {
            seed: arguments.seed,
            outage: Duration::from_secs_f64(arguments.minutes * 60.0),
            rate: arguments.rate,
            keys: arguments.keys as usize,
            effects_percent: usize::from(arguments.effects_percent),
            folder: suite::Folder::prepare(arguments.folder, "waiting")?,
        })
        .await
    })
}
