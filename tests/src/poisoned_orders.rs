//! The worker `orders`, put together from the fleet's own configuration, with poison around its handler: an order whose
//! shop says so panics, ends the process, or never ends. All others are the real handler's.
//!
//! Invariant: nothing is called, claimed or emitted for a poisonous order.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use argosy_broker::{
    Broker,
    kafka::{GroupProtocol, Kafka, KafkaSettings},
};
use argosy_events::orders::v1::OrderApproved;
use argosy_orders::{NAME, Route, RouteOrder, Routing};
use argosy_outbound::{
    Credential, Dependency, DependencySettings, Failure, Profile, Repeat, Secret, Stack,
};
use argosy_runtime::{
    AloneTurn, Context, Event, Handler, Health, Needs, Outcome, Parts, Settings, Worker,
};
use argosy_shell::{
    config::{self, Config, Part},
    signals::Signals,
    telemetry,
};
use argosy_store::{Postgres, Store};
use argosy_vendors::supplier::Supplier;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How an order can be poison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// It fails validation: no worker's handler ever sees it.
    Invalid,
    /// Its handler panics.
    Panics,
    /// It ends its process.
    EndsProcess,
    /// Its run never ends.
    NeverEnds,
}

/// All of them.
pub const WAYS: [Way; 4] = [Way::Invalid, Way::Panics, Way::EndsProcess, Way::NeverEnds];

const SHOP: &str = "poison:";

impl Way {
    /// As it stands in reports, and behind `poison:` in an order's shop.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Panics => "panics",
            Self::EndsProcess => "ends-process",
            Self::NeverEnds => "never-ends",
        }
    }

    /// The cause of which it must die.
    pub fn cause(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Panics => "panicked",
            Self::EndsProcess => "crashed",
            Self::NeverEnds => "deadline",
        }
    }

    /// The shop of an order that is poison in this way.
    pub fn shop(self) -> String {
        format!("{SHOP}{}", self.name())
    }

    fn of(shop: &str) -> Option<Self> {
        let name = shop.strip_prefix(SHOP)?;
        WAYS.into_iter().find(|way| way.name() == name)
    }
}

/// The real handler, and poison before it.
#[derive(Debug)]
struct Poisoned(RouteOrder);

impl Handler for Poisoned {
    type Body = OrderApproved;

    fn needs(&self, order: &Event<OrderApproved>) -> Needs {
        match Way::of(&order.shop) {
            Some(_) => Needs::default(),
            None => self.0.needs(order),
        }
    }

    async fn handle(
        &self,
        order: Event<OrderApproved>,
        cx: &mut Context,
    ) -> Result<Outcome, Failure> {
        match Way::of(&order.shop) {
            Some(Way::Panics) => panic!("poison"),
            Some(Way::EndsProcess) => {
                tracing::warn!(event = ENDS_PROCESS, "an order ends this process");
                std::process::abort()
            }
            Some(Way::NeverEnds) => std::future::pending().await,
            // An invalid order does not come here.
            Some(Way::Invalid) | None => self.0.handle(order, cx).await,
        }
    }
}

/// What the log says, last of all, of a process that an order ended.
pub const ENDS_PROCESS: &str = "poison_ends_process";

/// Runs one instance until SIGTERM or SIGINT.
///
/// # Errors
///
/// If it cannot be put together, or ends though nobody asked it to.
pub async fn run(file: &Path) -> anyhow::Result<()> {
    let needed = [Part::Store, Part::Orders];
    let config = Config::load(Some(file), std::env::vars_os(), &needed)?;
    let metrics = telemetry::install(&config.telemetry, "worker orders")?;
    let signals = Signals::listen()?;
    let (stop, ended, tracker) = (
        CancellationToken::new(),
        CancellationToken::new(),
        TaskTracker::new(),
    );
    tracker.spawn(metrics.upkeep(ended.clone()));
    let (worker, parts) = put_together(&config, &tracker)?;
    let working = async {
        let result = argosy_runtime::run(worker, parts, stop.clone()).await;
        ended.cancel();
        tracker.close();
        tracker.wait().await;
        result
    };
    tokio::select! {
        result = working => result.context("the worker ended"),
        exit = signals.supervise(stop.clone()) => anyhow::bail!("cut off before it was drained: {exit:?}"),
    }
}

fn put_together(config: &Config, tracker: &TaskTracker) -> anyhow::Result<(Worker, Parts)> {
    let bootstrap = config.broker.bootstrap.join(",");
    let mut kafka = KafkaSettings::new(bootstrap);
    kafka.group = group(&config.worker.membership);
    let broker: Arc<dyn Broker> = Arc::new(Kafka::new(kafka)?);
    let url = config.store.url.as_ref().context("no store")?;
    let store: Arc<dyn Store> = Arc::new(Postgres::connect(
        url.expose(),
        config.store.connections_max,
    )?);
    let suppliers = &config.orders.suppliers;
    let accounts = suppliers
        .iter()
        .map(|(name, supplier)| account(name, supplier));
    let stack = Arc::new(Stack::new(accounts.collect(), &Profile::Dev, tracker)?);
    let routes = suppliers.iter().map(|(name, supplier)| Route {
        skus: supplier.skus.clone(),
        supplier: client(name, supplier),
    });
    let worker = Worker::new(NAME).on(Poisoned(RouteOrder::new(Routing::new(routes)?)));
    let parts = Parts {
        broker,
        store,
        stack,
        health: Health::new(),
        alone: AloneTurn::default(),
        settings: settings(&config.worker),
    };
    Ok((worker, parts))
}

fn group(membership: &config::Membership) -> GroupProtocol {
    match membership.clone() {
        config::Membership::Classic {
            session_timeout,
            instance_id,
        } => GroupProtocol::Classic {
            session_timeout,
            instance_id,
        },
        config::Membership::Consumer { remote_assignor } => {
            GroupProtocol::Consumer { remote_assignor }
        }
    }
}

fn account(name: &str, supplier: &config::Supplier) -> DependencySettings {
    let dependency = client(name, supplier).dependency;
    let mut account = DependencySettings::new(dependency, supplier.base_url.as_str());
    account.call_timeout = supplier.timeout;
    if let Some(token) = &supplier.token {
        account.credential = Credential::Bearer(Secret::new(token.expose()));
    }
    account
}

fn client(name: &str, supplier: &config::Supplier) -> Supplier {
    let name: Arc<str> = name.into();
    Supplier {
        dependency: Dependency(Arc::clone(&name)),
        name,
        repeat: match supplier.repeat {
            config::Repeat::Natural => Repeat::Natural,
            config::Repeat::Remembered(span) => Repeat::Remembered(span),
            config::Repeat::Never => Repeat::Never,
        },
        has_lookup: supplier.lookup,
    }
}

fn settings(worker: &config::Worker) -> Settings {
    Settings {
        running_max: worker.running_max,
        run_deadline: worker.run_deadline,
        commit_every: worker.commit_every,
        drain_budget: worker.drain_budget,
        attempts_max: worker.attempts_max,
        partition_records_max: worker.partition_records_max,
        partition_bytes_max: worker.partition_bytes_max,
        park_after: worker.park_after,
        parked_keys_max: worker.parked_keys_max,
        parked_bytes_max: worker.parked_bytes_max,
        hold_after_dead: worker.hold_after_dead,
        state_dir: Some(worker.state_dir.clone()),
        ..Settings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shop_tells_its_poison_and_no_other_shop_is_poison() {
        for way in WAYS {
            assert_eq!(Way::of(&way.shop()), Some(way));
        }
        for shop in [
            "",
            "poison",
            "poison:",
            "poison:panics ",
            "storm.example",
            "panics",
        ] {
            assert_eq!(Way::of(shop), None, "{shop}");
        }
    }
}
