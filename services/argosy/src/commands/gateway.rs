//! `argosy gateway`: the HTTP edge, in a process of its own. It serves its probes beside its own routes.

use std::sync::Arc;

use argosy_broker::Broker;
use argosy_gateway::{GatewayError, Parts};
use argosy_shell::{
    config::{Config, Part},
    exit::Exit,
    probes,
};
use argosy_store::Store;
use clap::Args;

use crate::{
    cli::Common,
    failed::{Failed, OrExit, at_broker},
    output::say,
    parts,
    process::{self, Process, stay},
};

/// Run the gateway: events and webhooks in, status, timelines and effects out
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  argosy gateway\n  ARGOSY__GATEWAY__LISTEN=0.0.0.0:8080 argosy gateway --config /etc/argosy.toml\n\n\
    POST /v1/events, POST /webhooks/shopify, GET /v1/events/{id}, GET /v1/timelines/{correlation id},\n\
    GET /v1/effects, POST /v1/effects/resolve, and /livez /readyz /startupz /metrics."
)]
pub(crate) struct Arguments {}

pub(crate) fn run(common: &Common, _: &Arguments) -> Result<Exit, Failed> {
    let config = common.load(&[Part::Store, Part::Gateway])?;
    stay(&config, "gateway", async |process| {
        let broker = parts::broker(&config)?;
        let store = parts::postgres(&config)?;
        let started = process.health.clone();
        let part = part(&config, &process, broker, store, move || started.started());
        Ok(vec![("gateway".to_owned(), part)])
    })
}

/// The gateway as a part of a process; says where it listens, then calls `listening`.
pub(crate) fn part(
    config: &Config,
    process: &Process,
    broker: Arc<dyn Broker>,
    store: Arc<dyn Store>,
    listening: impl FnOnce() + Send + 'static,
) -> process::Part {
    let parts = Parts {
        broker,
        store,
        health: process.health.clone(),
        probes: probes::router(process.health.clone(), process.metrics.clone()),
    };
    let (settings, stop) = (config.gateway.clone(), process.stop.clone());
    let broker_failed = at_broker(config);
    Box::pin(async move {
        let told = |address| {
            say(&format!("gateway listens on http://{address}"));
            listening();
        };
        let served = argosy_gateway::serve(settings, parts, told, stop).await;
        served.or_else(|error| match error {
            GatewayError::Listen(error) => Err(error.into()),
            GatewayError::Secret(_) => Err(error).or_exit(Exit::Configuration),
            GatewayError::Broker(error) => Err(broker_failed(error)),
            GatewayError::Address(_) => Err(error.into()),
        })
    })
}
