//! What every suite's command has in common: a runtime, one line of JSON on stdout, talk on stderr, an exit status, a
//! folder for its data, and an end when it is told to end.
//!
//! Invariant: SIGINT and SIGTERM drop the suite, and with it every server and process that it started; and no folder is
//! used that held anything before.

mod folder;
mod interrupt;

use std::{future::Future, process::ExitCode};

use serde_json::Value;

pub use folder::Folder;
pub use interrupt::Interrupt;

/// What a suite came to.
pub trait Verdict {
    /// The last line of stdout.
    fn to_json(&self) -> Value;

    /// 0 holds, 1 violated, 2 shows too little.
    fn exit_code(&self) -> u8;
}

/// The exit status of a suite that could not be run.
pub const COULD_NOT_RUN: u8 = 3;

/// Runs a suite to its end, or until it is told to end, and prints its verdict.
pub fn conclude<V: Verdict>(
    name: &str,
    suite: impl Future<Output = anyhow::Result<V>>,
) -> ExitCode {
    carry_out(name, async { Interrupt::listen()?.unless(suite).await })
}

/// Runs a suite that heeds [`Interrupt`] itself, and prints its verdict.
pub fn carry_out<V: Verdict>(
    name: &str,
    suite: impl Future<Output = anyhow::Result<V>>,
) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    tell(
        name,
        runtime
            .map_err(anyhow::Error::from)
            .and_then(|runtime| runtime.block_on(suite)),
    )
}

/// Prints a verdict, or why there is none.
pub fn tell<V: Verdict>(name: &str, ran: anyhow::Result<V>) -> ExitCode {
    match ran {
        Ok(verdict) => {
            #[expect(clippy::print_stdout, reason = "the result")]
            {
                println!("{}", verdict.to_json());
            }
            ExitCode::from(verdict.exit_code())
        }
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the reason")]
            {
                eprintln!("{name}: {error:#}");
            }
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// A line of progress.
pub fn progress(line: &str) {
    #[expect(clippy::print_stderr, reason = "progress is talk")]
    {
        eprintln!("{line}");
    }
}

/// Leaves out of a command's environment what `cargo run` says of the package that it runs: build scripts look at it
/// (ring's does), and half of the dependencies would be built again, by turns.
pub fn without_package(command: &mut std::process::Command) -> &mut std::process::Command {
    for (name, _) in std::env::vars_os() {
        let is_of_package = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if is_of_package {
            command.env_remove(name);
        }
    }
    command
}
