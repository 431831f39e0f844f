//! `argosy up`: everything in one process, against the configured broker and store.

use std::sync::Arc;

use argosy_shell::{
    config::{Config, Part},
    exit::Exit,
};
use argosy_store::Store;
use clap::Args;
use tokio_util::sync::CancellationToken;

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
    // Bound first, since the others call it.
    let drained = CancellationToken::new();
    let sandbox = match config.sandbox {
        Some(_) => Some(sandbox::part(config, drained.clone()).await?),
        None => None,
    };
    let store: Arc<dyn Store> = store;
    let (shared, kept) = (Arc::clone(&broker), Arc::clone(&store));
    let gateway = gateway::part(config, process, shared, kept, || ());
    let mut all = vec![("gateway".to_owned(), gateway)];
    all.extend(worker::parts_of(
        &worker::Name::ALL,
        config,
        process,
        &broker,
        &store,
    )?);
    if let Some(sandbox) = sandbox {
        all = before(all, drained);
        all.push(("sandbox".to_owned(), sandbox));
    }
    Ok(all)
}

/// The same parts; when the last of them has ended, the token is cancelled. What they call while they drain is there
/// until then.
fn before(
    parts: Vec<(String, ProcessPart)>,
    ended: CancellationToken,
) -> Vec<(String, ProcessPart)> {
    let last = Arc::new(ended.drop_guard());
    let held = parts.into_iter().map(|(name, part)| {
        let last = Arc::clone(&last);
        let part: ProcessPart = Box::pin(async move {
            let result = part.await;
            drop(last);
            result
        });
        (name, part)
    });
    held.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(stop: &CancellationToken) -> ProcessPart {
        let stop = stop.clone();
        Box::pin(async move {
            stop.cancelled().await;
            Ok(())
        })
    }

    #[tokio::test]
    async fn what_the_others_call_stops_when_the_last_of_them_has_drained() {
        let [gateway, orders, drained] = [(); 3].map(|()| CancellationToken::new());
        let parts = vec![
            ("gateway".to_owned(), until(&gateway)),
            ("orders".to_owned(), until(&orders)),
        ];
        let mut parts = before(parts, drained.clone())
            .into_iter()
            .map(|(_, part)| part);
        let (first, second) = (parts.next().unwrap(), parts.next().unwrap());
        drop(parts);
        gateway.cancel();
        first.await.unwrap();
        assert!(!drained.is_cancelled(), "orders still drains");
        orders.cancel();
        second.await.unwrap();
        assert!(drained.is_cancelled());
    }
}
