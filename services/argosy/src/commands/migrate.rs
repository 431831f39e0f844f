//! `argosy migrate`: brings the store's schema to what this build needs.

use argosy_shell::{config::Part, exit::Exit};
use clap::Args;
use serde_json::json;

use crate::{
    cli::Common,
    failed::{Failed, at_store},
    parts,
    process::block_on,
};

/// Bring the store's schema to what this build needs; safe to repeat
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  argosy migrate\n  ARGOSY__STORE__URL_FILE=/run/secrets/store-url argosy migrate"
)]
pub(crate) struct Arguments {}

pub(crate) fn run(common: &Common, _: &Arguments) -> Result<Exit, Failed> {
    let config = common.load(&[Part::Store])?;
    block_on(async {
        let store = parts::postgres(&config)?;
        store.migrate().await.map_err(at_store)
    })?;
    common.format().data(&json!({ "migrated": true }), |_| {
        "the store's schema is current\n".to_owned()
    });
    Ok(Exit::Done)
}
