//! The worker `orders` with poison around its handler, for `cargo storm --poison`.

use std::path::PathBuf;

use argosy_tests::poisoned_orders;
use clap::Parser;

/// One instance of the worker `orders`, whose orders may be poison. SIGTERM drains it.
#[derive(Debug, Parser)]
struct Arguments {
    /// The fleet's configuration file.
    #[arg(long)]
    config: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { config } = Arguments::parse();
    poisoned_orders::run(&config).await
}
