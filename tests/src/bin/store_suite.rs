//! `cargo store-suite`: every rule of the store on a real PostgreSQL.

use std::{path::PathBuf, process::ExitCode};

use argosy_tests::{
    store_suite::{self, StoreSuiteSettings},
    suite,
};
use clap::Parser;

/// Starts a PostgreSQL with fsync and tries every rule of the store on it: the cases that the model keeps in
/// `cargo test`, operations drawn by seeds and compared with the model, bounds, migrations, speed, and kill -9.
///
/// Exit status: 0 all rules hold; 1 one does not; 3 it could not be run. The last line of stdout is one JSON object;
/// everything else goes to stderr. The server's log is kept if a rule does not hold.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  cargo store-suite\n  cargo store-suite --from 7 --seeds 1 --kills 0 --effects 0"
)]
struct Arguments {
    /// Runs of 200 drawn operations, compared with the model.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How often the server is killed under load.
    #[arg(long, default_value_t = 3)]
    kills: u32,
    /// Effects claimed and recorded to measure the speed.
    #[arg(long, default_value_t = 50_000)]
    effects: usize,
    /// Where the server's data goes: a new or an empty folder; kept if a rule does not hold.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The server's port; one by process if not given.
    #[arg(long)]
    port: Option<u16>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Below the range from which the kernel gives out ports, so that two suites rarely meet.
    let by_process = 18_000 + u16::try_from(std::process::id() % 1_000).unwrap_or(0);
    suite::conclude("store-suite", async {
        store_suite::run(StoreSuiteSettings {
            folder: suite::Folder::prepare(arguments.folder, "store")?,
            port: arguments.port.unwrap_or(by_process),
            seeds: arguments.seeds,
            from: arguments.from,
            kills: arguments.kills,
            effects: arguments.effects,
        })
        .await
    })
}
