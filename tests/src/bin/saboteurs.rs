//! `cargo saboteurs`: breaks each promise on purpose and demands that the suite it names turns red.

use std::{path::PathBuf, process::ExitCode};

use argosy_tests::{saboteurs, suite};
use clap::Parser;

/// Applies each patch of tests/saboteurs to a copy of the tree and runs the suite that the patch names.
///
/// Every suite must first be green without a patch, then red with it; a patch that no longer applies, or does not
/// build, is red too: for this command. Exit status: 0 if every saboteur was caught, 1 if not. The last line of
/// stdout is one JSON object.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  cargo saboteurs\n  cargo saboteurs commit-past-a-gap drop-the-epoch-fence\n  cargo saboteurs --list"
)]
struct Arguments {
    /// Names of patches, without `.patch`; all of them if none is given.
    names: Vec<String>,
    /// Only lists the saboteurs with promise and suite.
    #[arg(long)]
    list: bool,
    /// Where the copy is made; kept between runs, so that builds are quick.
    #[arg(long, default_value = "target/saboteurs")]
    folder: PathBuf,
}

fn main() -> ExitCode {
    let Arguments {
        names,
        list,
        folder,
    } = Arguments::parse();
    suite::tell(
        "saboteurs",
        if list {
            saboteurs::list()
        } else {
            saboteurs::run(&names, &folder)
        },
    )
}
