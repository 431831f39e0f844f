//! From configuration to the parts that everything is built on: broker, store, outbound stack, and their watch.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use argosy_broker::{
    Admin, Broker,
    kafka::{GroupProtocol, Kafka, KafkaSettings, Security},
};
use argosy_outbound::{Credential, DependencySettings, Profile, Rate, Secret, Stack};
use argosy_shell::{
    config::{self, BrokerSecurity, Config, Membership},
    exit::Exit,
    probes::{Health, Readiness},
};
use argosy_store::{Postgres, Store, StoreError};

use crate::{
    failed::{Failed, OrExit},
    process::Process,
};

pub(crate) mod suppliers;

/// Broker and store are asked this often how they are.
const WATCH_EVERY: Duration = Duration::from_secs(5);
const PING_MAX: Duration = Duration::from_secs(4);

/// The broker; nothing is connected yet.
pub(crate) fn broker(config: &Config) -> Result<Arc<dyn Broker>, Failed> {
    let broker = &config.broker;
    let protocol = match broker.security {
        BrokerSecurity::Plaintext => "plaintext",
        BrokerSecurity::Tls => "ssl",
        BrokerSecurity::SaslTls => "sasl_ssl",
        BrokerSecurity::SaslPlaintext => "sasl_plaintext",
    };
    let mut settings = KafkaSettings::new(broker.bootstrap.join(","));
    settings.security = Security {
        protocol: protocol.to_owned(),
        authorities_file: broker.ca_file.clone(),
        mechanism: broker.sasl_mechanism.map(|name| name.name().to_owned()),
        username: broker.username.clone(),
        password: broker
            .password
            .as_ref()
            .map(|password| password.expose().to_owned()),
    };
    settings.group = match config.worker.membership.clone() {
        Membership::Classic {
            session_timeout,
            instance_id,
        } => GroupProtocol::Classic {
            session_timeout,
            instance_id,
        },
        Membership::Consumer { remote_assignor } => GroupProtocol::Consumer { remote_assignor },
    };
    let kafka = Kafka::new(settings).or_exit(Exit::Configuration)?;
    Ok(Arc::new(kafka))
}

/// The store; nothing is connected yet.
pub(crate) fn postgres(config: &Config) -> Result<Arc<Postgres>, Failed> {
    let url = config
        .store
        .url
        .as_ref()
        .expect("whoever needs the store has loaded the configuration for it");
    let store = Postgres::connect(url.expose(), config.store.connections_max)
        .or_exit(Exit::Configuration)?;
    Ok(Arc::new(store))
}

/// The stack that sends calls, with every dependency that is configured.
pub(crate) fn stack(config: &Config, process: &Process) -> Result<Arc<Stack>, Failed> {
    let profile = match config.profile {
        config::Profile::Dev => Profile::Dev,
        config::Profile::Production => Profile::Production {
            private_hosts: config.dependencies.private_hosts.clone(),
        },
    };
    let suppliers = config
        .orders
        .suppliers
        .iter()
        .map(|(name, supplier)| dependency(name, supplier))
        .collect();
    let stack = Stack::new(suppliers, &profile, &process.tracker).or_exit(Exit::Configuration)?;
    Ok(Arc::new(stack))
}

fn dependency(name: &str, supplier: &config::Supplier) -> DependencySettings {
    let dependency = suppliers::client(name, supplier).dependency;
    let mut settings = DependencySettings::new(dependency, supplier.base_url.as_str());
    settings.call_timeout = supplier.timeout;
    if let Some(token) = &supplier.token {
        settings.credential = Credential::Bearer(Secret::new(token.expose()));
    }
    if let Some(calls_max) = NonZeroU32::new(supplier.calls_max) {
        settings.concurrent_max = calls_max;
    }
    settings.rate = supplier
        .rate_per_second
        .and_then(NonZeroU32::new)
        .map(|per_second| Rate {
            per_second,
            burst: per_second,
        });
    settings
}

/// Keeps asking broker and store how they are, for `/readyz`. Neither being away makes a worker unready: it waits.
pub(crate) fn watch(process: &Process, admin: Arc<dyn Admin>, store: Arc<dyn Store>) {
    let (health, stop) = (process.health.clone(), process.ended.clone());
    process.tracker.spawn(async move {
        let (mut of_broker, mut of_store) = (Watched::new("broker"), Watched::new("store"));
        loop {
            let (broker, store) = tokio::join!(admin.ping(PING_MAX), ping(&*store));
            of_broker.report(&health, broker);
            of_store.report(&health, store);
            let slept = stop
                .run_until_cancelled(tokio::time::sleep(WATCH_EVERY))
                .await;
            if slept.is_none() {
                return;
            }
        }
    });
}

async fn ping(store: &dyn Store) -> Result<(), StoreError> {
    tokio::time::timeout(PING_MAX, store.ping())
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".to_owned())))
}

/// Something that is asked how it is. Probes are open to anybody: why it does not answer is for the log, once each time
/// that it changes.
struct Watched {
    name: &'static str,
    logged: Option<String>,
}

impl Watched {
    fn new(name: &'static str) -> Self {
        Self { name, logged: None }
    }

    fn report(&mut self, health: &Health, answer: Result<(), impl std::fmt::Display>) {
        let name = self.name;
        let why = answer.err().map(|error| error.to_string());
        match &why {
            None => health.ready(name, Readiness::Ok, "answers"),
            Some(_) => {
                let told = "does not answer as it should: see the log";
                health.ready(name, Readiness::Degraded, told);
            }
        }
        if why != self.logged {
            match &why {
                None => tracing::info!(part = name, "answers again"),
                Some(error) => tracing::warn!(part = name, %error, "does not answer as it should"),
            }
        }
        self.logged = why;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_tells_that_a_dependency_is_away_and_not_what_it_said() {
        let health = Health::new();
        let mut watched = Watched::new("store");
        let told = |health: &Health| {
            let lines = health.readiness(tokio::time::Instant::now());
            (lines[0].readiness, lines[0].detail.clone())
        };
        let error = "password authentication failed for user \"argosy\" at 10.0.0.7:5432";
        watched.report(&health, Err::<(), _>(error));
        assert_eq!(watched.logged.as_deref(), Some(error));
        let (readiness, detail) = told(&health);
        assert_eq!(readiness, Readiness::Degraded);
        assert_eq!(detail, "does not answer as it should: see the log");
        watched.report(&health, Ok::<(), String>(()));
        assert_eq!(told(&health), (Readiness::Ok, "answers".to_owned()));
    }
}
