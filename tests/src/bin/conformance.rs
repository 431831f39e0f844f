//! `cargo conformance`: asks a real broker, through the port, for all that the runtime relies on.

use std::{path::PathBuf, process::ExitCode};

use argosy_tests::{
    conformance::{self, ConformanceSettings},
    protocol::Protocol,
    suite,
};
use clap::Parser;

/// Starts Apache Kafka and runs the broker conformance suite against it.
///
/// Exit status: 0 every case holds; 1 one does not; 2 no case was asked for by that name; 3 it could not be run. The
/// last line of stdout is one JSON object; everything else goes to stderr.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  cargo conformance\n  cargo conformance --case revoke --case commits\n  cargo conformance --protocol consumer --case member\n  cargo conformance --list"
)]
struct Arguments {
    /// Only cases whose name holds this; may be repeated.
    #[arg(long = "case", value_name = "PART")]
    cases: Vec<String>,
    /// Only by this group protocol; by both without it. Cases in which it does not matter run all the same.
    #[arg(long, value_enum)]
    protocol: Option<Protocol>,
    /// Prints the names of all cases and ends.
    #[arg(long)]
    list: bool,
    /// Where the broker's data and logs go: a new or an empty folder; kept if the run fails.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The broker's port; its controller takes the one 100 above.
    #[arg(long, default_value_t = 26_092)]
    port: u16,
    /// Shows the adapter's log on stderr: error, warn, info or debug.
    #[arg(long)]
    log: Option<tracing::Level>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for name in conformance::names() {
            #[expect(clippy::print_stdout, reason = "what was asked for")]
            {
                println!("{name}");
            }
        }
        return ExitCode::SUCCESS;
    }
    if let Some(level) = arguments.log {
        tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_max_level(level)
            .init();
    }
    suite::conclude("conformance", async {
        conformance::run(ConformanceSettings {
            cases: arguments.cases,
            protocol: arguments.protocol,
            folder: suite::Folder::prepare(arguments.folder, "conformance")?,
            port: arguments.port,
        })
        .await
    })
}
