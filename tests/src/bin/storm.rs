//! `cargo storm`: the fleet on real Kafka and PostgreSQL, under faults, judged from outside.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use argosy_tests::{
    protocol::Protocol,
    storm::{self, StormSettings},
    suite,
};
use clap::Parser;

/// Runs the order fleet as real processes under a seeded storm of faults, and judges it from outside.
///
/// Exit status: 0 the run holds; 1 it does not; 2 it shows too little (a kind of fault did not strike); 3 it could
/// not be run. The last line of stdout is one JSON object; everything else goes to stderr.
///
/// Two times of recovery are printed per kind of fault, as median and longest over its strikes, in seconds.
/// `resumed`: until each partition that had work at the strike applied a call that came after it.
/// `backlog_cleared`: until all that was accepted before the strike was applied. Strikes follow each other every 3 to
/// 8 s, so both hold later strikes as well, the second more than the first; a killed gateway keeps no worker from work.
/// The longest silence of a partition with work is printed, too. None of these figures is judged.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  cargo storm --seed 1 --minutes 5\n  cargo storm --seed 1 --minutes 5 --protocol consumer --poison 1\n  cargo storm --calm --workers 1 --rate 30000 --latency-ms 20 --latency-max-ms 20 --minutes 0.5   (speed, without faults)"
)]
struct Arguments {
    /// Decides load and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long load and faults last.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Nothing strikes, and the workers start when all is accepted: their speed is measured.
    #[arg(long)]
    calm: bool,
    /// Percent of the orders that are poison: they fail validation, panic, end their process or never end. Keys are
    /// held behind their dead ones, and released in the end.
    #[arg(long, default_value_t = 0.0, value_parser = percent)]
    poison: f64,
    /// Order workers.
    #[arg(long, default_value_t = 3)]
    workers: usize,
    /// The group protocol of the workers.
    #[arg(long, value_enum, default_value = "classic")]
    protocol: Protocol,
    /// Order events per minute asked for.
    #[arg(long, default_value_t = 4_000.0)]
    rate: f64,
    /// Distinct orders.
    #[arg(long, default_value_t = 2_000)]
    keys: usize,
    /// How long a supplier takes, at least (and, with --latency-max-ms, at most).
    #[arg(long, default_value_t = 20)]
    latency_ms: u64,
    /// How long a supplier takes at most; drawn evenly in between.
    #[arg(long, default_value_t = 150)]
    latency_max_ms: u64,
    /// Where data and logs go: a new or an empty folder; kept if the run fails.
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    if (0.0..=20.0).contains(&percent) {
        Ok(percent)
    } else {
        Err("must be between 0 and 20".to_owned())
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    suite::conclude("storm", async {
        storm::run(StormSettings {
            seed: arguments.seed,
            length: Duration::from_secs_f64(arguments.minutes * 60.0),
            calm: arguments.calm,
            workers: arguments.workers,
            protocol: arguments.protocol,
            events_per_minute: arguments.rate,
            keys: arguments.keys,
            latency_ms: (
                arguments.latency_ms,
                arguments.latency_max_ms.max(arguments.latency_ms),
            ),
            poison_percent: arguments.poison,
            folder: suite::Folder::prepare(arguments.folder, &format!("storm-{}", arguments.seed))?,
        })
        .await
    })
}
