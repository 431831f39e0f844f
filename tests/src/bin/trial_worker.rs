//! A worker that does what its events tell it, for suites that kill, freeze and restart it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use argosy_tests::trial_worker::{self, TrialSettings};
use clap::Parser;

/// One instance of a worker that does what its events tell it. SIGTERM drains it.
#[derive(Debug, Parser)]
struct Arguments {
    /// Name of the worker, and of its consumer group.
    #[arg(long)]
    group: String,
    /// Kafka's address.
    #[arg(long)]
    bootstrap: String,
    /// PostgreSQL's address.
    #[arg(long)]
    store: String,
    /// The suppliers' address, up to their names.
    #[arg(long)]
    suppliers: String,
    /// A folder for what it notes.
    #[arg(long)]
    notes: PathBuf,
    /// Session timeout, ms.
    #[arg(long, default_value_t = 6_000)]
    session_timeout_ms: u64,
    /// Deadline of a run, ms.
    #[arg(long, default_value_t = 60_000)]
    run_deadline_ms: u64,
    /// Attempts before a record is dead.
    #[arg(long, default_value_t = 5)]
    attempts_max: u32,
    /// Later records of a key wait behind its dead one.
    #[arg(long)]
    hold_after_dead: bool,
    /// Keys that wait in the store at once, per partition.
    #[arg(long)]
    parked_keys_max: Option<usize>,
    /// Bytes that wait in the store at once.
    #[arg(long)]
    parked_bytes_max: Option<usize>,
    /// Records held per partition before its intake stops.
    #[arg(long)]
    partition_records_max: Option<usize>,
    /// Where its metrics can be read.
    #[arg(long)]
    metrics: Option<SocketAddr>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    trial_worker::run(TrialSettings {
        group: arguments.group,
        bootstrap: arguments.bootstrap,
        store: arguments.store,
        suppliers: arguments.suppliers,
        notes: arguments.notes,
        session_timeout: Duration::from_millis(arguments.session_timeout_ms),
        run_deadline: Duration::from_millis(arguments.run_deadline_ms),
        attempts_max: arguments.attempts_max,
        hold_after_dead: arguments.hold_after_dead,
        parked_keys_max: arguments.parked_keys_max,
        parked_bytes_max: arguments.parked_bytes_max,
        partition_records_max: arguments.partition_records_max,
        metrics: arguments.metrics,
    })
    .await
}
