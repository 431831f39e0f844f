//! Speed: effects claimed and recorded through group commit, by as many runs at once as an instance has lanes.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::ensure;
use argosy_kernel::Epoch;
use argosy_store::{
    Claim, ClaimAnswer, EffectId, EventKey, Grouped, OutcomeRow, OwnerKey, Postgres,
    RecordedOutcome, Store,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Runs at once, as an instance has lanes by default.
const RUNS_AT_ONCE: usize = 256;

/// As many connections as a process has by default.
const CONNECTIONS_MAX: u32 = 10;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    effects: usize,
    took: Duration,
    transactions: i64,
}

impl Speed {
    fn effects_per_second(&self) -> f64 {
        self.count() / self.took.as_secs_f64()
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn count(&self) -> f64 {
        self.effects as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn transactions_per_effect(&self) -> f64 {
        self.transactions as f64 / self.count()
    }

    pub(super) fn to_json(self) -> Value {
        json!({
            "effects": self.effects,
            "effects_per_second": self.effects_per_second().round(),
            "rows_per_second": (2.0 * self.effects_per_second()).round(),
            "transactions_per_effect": self.transactions_per_effect(),
        })
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} effects claimed and recorded in {:.1} s: {:.0} effects/s, {:.0} rows/s, {:.3} transactions per effect",
            self.effects,
            self.took.as_secs_f64(),
            self.effects_per_second(),
            2.0 * self.effects_per_second(),
            self.transactions_per_effect()
        )
    }
}

/// Claims and records so many effects.
pub(super) async fn measure(url: &str, effects: usize) -> anyhow::Result<Speed> {
    let salt = Uuid::new_v4();
    let postgres = Arc::new(Postgres::connect(url, CONNECTIONS_MAX)?);
    let owner = OwnerKey {
        worker: Arc::from(format!("speed-{salt}")),
        topic: Arc::from("orders.v1"),
        partition: 0,
    };
    postgres.take_owners(salt, vec![owner.clone()]).await?;
    let before = transactions(url).await?;
    let tracker = TaskTracker::new();
    let store: Arc<dyn Store> = Arc::<Postgres>::clone(&postgres);
    let grouped = Grouped::start(store, &tracker);
    let started = Instant::now();
    let mut runs = stream::iter(0..effects)
        .map(|number| one_effect(&grouped, &owner, number))
        .buffer_unordered(RUNS_AT_ONCE);
    while let Some(ran) = runs.next().await {
        ran?;
    }
    drop(runs);
    let took = started.elapsed();
    drop(grouped);
    tracker.close();
    tracker.wait().await;
    // A server process counts its transactions when it ends, at the latest.
    postgres.close().await;
    Ok(Speed {
        effects,
        took,
        transactions: transactions(url).await? - before,
    })
}

async fn one_effect(grouped: &Grouped, owner: &OwnerKey, number: usize) -> anyhow::Result<()> {
    let id = EffectId {
        of: EventKey {
            worker: Arc::clone(&owner.worker),
            source: Arc::from("https://shop.example/webhooks"),
            event: Arc::from(format!("{}-{number}", owner.worker)),
        },
        name: Arc::from("draft-order"),
        key: Arc::from("acme"),
    };
    let claim = Claim {
        id: id.clone(),
        owner: owner.clone(),
        epoch: Epoch(1),
        run: Uuid::from_u128(number as u128),
        body_hash: [1; 32],
        operation: Arc::from("acme.draft-order"),
        // About what a supplier's order of a few lines weighs.
        request: Bytes::from(vec![b'x'; 600]),
        hold: Duration::from_secs(20),
        over: None,
    };
    let answer = grouped.claim(claim).await?;
    let ClaimAnswer::Granted { number, .. } = answer else {
        anyhow::bail!("a fresh claim was answered {answer:?}");
    };
    let answer = Bytes::from_static(b"{\"id\":\"acme-0000000000000001\",\"status\":\"draft\"}");
    let outcome = RecordedOutcome::Succeeded(answer);
    grouped
        .record(OutcomeRow {
            id,
            number,
            outcome,
        })
        .await?;
    Ok(())
}

/// Transactions of the database so far, by its own count.
async fn transactions(url: &str) -> anyhow::Result<i64> {
    let mut direct = PgConnection::connect(url).await?;
    let count: (i64,) = sqlx::query_as(
        "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()",
    )
    .fetch_one(&mut direct)
    .await?;
    direct.close().await?;
    ensure!(count.0 > 0, "the server does not count its transactions");
    Ok(count.0)
}
