//! `cargo store-suite`: the port's rules on a real PostgreSQL, with fsync, through crashes, and at speed.

mod limits;
mod restarts;
mod rules;
mod schema;
mod speed;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use argosy_store::{Postgres, Store};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    servers,
    suite::{Folder, Verdict, progress},
};

pub use restarts::Restarts;
pub use speed::Speed;

/// Connections of the suite's store: enough that concurrent cases really meet in the database.
const CONNECTIONS_MAX: u32 = 24;

/// What is asked of the suite.
#[derive(Clone, Debug)]
pub struct StoreSuiteSettings {
    /// Where the server's data goes.
    pub folder: Folder,
    /// Its port.
    pub port: u16,
    /// Runs of drawn operations compared with the model.
    pub seeds: u64,
    /// The first of these seeds.
    pub from: u64,
    /// kill -9 of the server under load.
    pub kills: u32,
    /// Effects claimed and recorded for the speed.
    pub effects: usize,
}

/// What it came to.
#[derive(Clone, Debug)]
pub struct StoreReport {
    rules: usize,
    seeds: u64,
    restarts: Option<Restarts>,
    speed: Option<Speed>,
    violations: Vec<String>,
}

impl Verdict for StoreReport {
    fn to_json(&self) -> Value {
        json!({
            "suite": "store",
            "rules": self.rules,
            "seeds_agreed": self.seeds,
            "restarts": self.restarts.as_ref().map(Restarts::to_json),
            "speed": self.speed.map(Speed::to_json),
            "violations": self.violations,
        })
    }

    fn exit_code(&self) -> u8 {
        u8::from(!self.violations.is_empty())
    }
}

/// Starts PostgreSQL and tries everything.
///
/// # Errors
///
/// If the server cannot be started, stopped or asked.
pub async fn run(settings: StoreSuiteSettings) -> anyhow::Result<StoreReport> {
    let folder = settings.folder.path();
    progress(&format!(
        "store: starting PostgreSQL in {}",
        folder.display()
    ));
    let server = servers::Postgres::start(&folder.join("postgres"), settings.port)?;
    let postgres = Arc::new(Postgres::connect(&server.url(), CONNECTIONS_MAX)?);
    let store: Arc<dyn Store> = Arc::<Postgres>::clone(&postgres);

    let mut report = StoreReport {
        rules: 0,
        seeds: 0,
        restarts: None,
        speed: None,
        violations: Vec::new(),
    };
    schema::try_all(&postgres, &server.url(), &mut report.violations).await?;
    (report.rules, report.seeds) = rules::try_all(&store, &settings, &mut report.violations).await;
    limits::try_all(&store, &server.url(), &mut report.violations).await?;
    if settings.effects > 0 {
        let measured = speed::measure(&server.url(), settings.effects).await?;
        progress(&format!("store: {measured}"));
        report.speed = Some(measured);
    }
    if settings.kills > 0 {
        let survived = restarts::strike(&server, settings.kills, &mut report.violations).await?;
        progress(&format!("store: {survived}"));
        report.restarts = Some(survived);
    }
    postgres.close().await;
    for violation in &report.violations {
        progress(&format!("store: VIOLATED {violation}"));
    }
    if report.violations.is_empty() {
        drop(server);
        settings.folder.remove()?;
    } else {
        let logs = folder.join("postgres/postgres.log");
        progress(&format!("store: the server's log is {}", logs.display()));
    }
    Ok(report)
}

/// Asks until the store answers, as a worker would.
async fn await_store(store: &dyn Store) -> anyhow::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match store.ping().await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                return Err(error).context("the store does not come back");
            }
            // The store itself waits for its server within a bound.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}
