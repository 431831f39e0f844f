//! `argosy up`: everything in one process, against the configured broker and store.

use std::sync::Arc;

use argosy_shell::{
    config::{Config, Part},
    exit::Exit,
};
use argosy_store::Store;
use clap::Args;

use crate::{
    cli::Common,
    commands::{gateway, sandbox, topics, worker},
    failed::{Failed, at_broker, at_store},
    output::say,
    parts,
    process::{Part as ProcessPart, Process, stay},
};

/// Run everything in one process: the schema, the topics, the sandbox if there is one, the gateway, all workers
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  argosy up\n  argosy up --config argosy.toml\n\n\
    Needs Kafka at broker.bootstrap and PostgreSQL at store.url."
)]
pub(crate) struct Arguments {}

pub(crate) fn run(common: &Common, _: &Arguments) -> Result<Exit, Failed> {
    let config = common.load(&[Part::Store, Part::Gateway, Part::Orders])?;
    stay(&config, "up", async |process| {
        start(&config, &process).await
    })
}

async fn start(config: &Config, process: &Process) -> Result<Vec<(String, ProcessPart)>, Failed> {
    let broker = parts::broker(config)?;
    let store = parts::postgres(config)?;
    store.migrate().await.map_err(at_store)?;
    say("store: the schema is current");
    let admin = broker.admin().map_err(at_broker(config))?;
    let changes = topics::apply(&*admin, config).await?;
    say(&format!("topics: {changes} changes"));
    let mut all = Vec::new();
    if config.sandbox.is_some() {
        all.push(("sandbox".to_owned(), sandbox::part(config, process).await?));
    }
    let store: Arc<dyn Store> = store;
    let (shared, kept) = (Arc::clone(&broker), Arc::clone(&store));
    let gateway = gateway::part(config, process, shared, kept, || ());
    all.push(("gateway".to_owned(), gateway));
    all.extend(worker::parts_of(
        &worker::Name::ALL,
        config,
        process,
        &broker,
        &store,
    )?);
    Ok(all)
}
