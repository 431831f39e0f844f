//! `cargo simulate`: pumps against models of broker, store and vendor, one world per seed.

use std::process::ExitCode;

use argosy_tests::{
    simulation::{SimulateOptions, simulate_seeds},
    suite,
};
use clap::Parser;

fn main() -> ExitCode {
    let options = SimulateOptions::parse();
    // A caught panic is reported with its seed; its backtrace would only bury the report.
    std::panic::set_hook(Box::new(|_| {}));
    let report = simulate_seeds(&options, &suite::progress);
    report.tell(&suite::progress);
    suite::tell("simulate", Ok(report))
}
