//! `cargo shop`: Kafka, PostgreSQL and `argosy up` with its sandbox, in one command; and orders to try it with.

use std::{path::PathBuf, process::ExitCode};

use argosy_tests::{
    shop::{self, ShopSettings},
    suite,
};
use clap::Parser;

/// Starts Kafka, PostgreSQL and `argosy up` (gateway, workers and the sandbox's suppliers), tells where they listen,
/// and stays up until Ctrl-C or SIGTERM. It prints a signed webhook to send with curl, and the ids of the orders that it
/// posted, to ask for with `argosy timeline`.
///
/// With --orders it posts that many signed Shopify webhooks (Shopify's documented example first, where it is at
/// hand) and checks that each ends as supplier orders and as a complete timeline. With --once it then stops.
/// Exit status: 0 all well, 1 a check failed, 3 it could not be run or `argosy up` ended by itself. The last line of stdout is one JSON object.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  cargo shop\n  cargo shop --orders 200 --once\n  cargo shop --orders 10 --seed 7"
)]
struct Arguments {
    /// Orders to post.
    #[arg(long, default_value_t = 0)]
    orders: usize,
    /// Decides what they are.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop when the orders are checked.
    #[arg(long)]
    once: bool,
    /// Where data and logs go: a new or an empty folder; what was made is removed at the end unless a check failed.
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments {
        orders,
        seed,
        once,
        folder,
    } = Arguments::parse();
    suite::carry_out("shop", async {
        shop::run(ShopSettings {
            folder: suite::Folder::prepare(folder, "shop")?,
            orders,
            seed,
            once,
        })
        .await
    })
}
