//! `argosy config show`: the configuration in effect, with secrets redacted.

use argosy_shell::{
    config::{Config, Part},
    exit::Exit,
};
use clap::{Args, Subcommand};

use crate::{cli::Common, failed::Failed};

/// Look at the configuration
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  argosy config show\n  ARGOSY__WORKER__RUNNING_MAX=64 argosy config show --json"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the configuration in effect: file, variables and defaults, secrets redacted
    Show,
}

pub(crate) fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Failed> {
    let What::Show = arguments.what;
    let config = common.load(&[Part::Gateway])?;
    common.format().data(&config, Config::to_toml);
    Ok(Exit::Done)
}
