//! Bounds in time: a server that is away, mute or blocked is an error in time, and says nothing that it should not.

use std::{sync::Arc, time::Duration};

use argosy_kernel::Epoch;
use argosy_store::{Claim, EffectId, EventKey, OwnerKey, Postgres, Store, StoreError};
use bytes::Bytes;
use sqlx::{Connection, PgConnection};
use tokio::{net::TcpListener, time::Instant};
use uuid::Uuid;

/// Acquiring a connection is bounded by 5 s.
const AWAY_MAX: Duration = Duration::from_secs(7);

/// An operation is bounded by 15 s.
const BLOCKED_MAX: Duration = Duration::from_secs(17);

pub(super) async fn try_all(
    store: &Arc<dyn Store>,
    url: &str,
    violations: &mut Vec<String>,
) -> anyhow::Result<()> {
    let (away, mute, blocked, url) = tokio::join!(away(), mute(), blocked(store, url), bad_urls());
    violations.extend(away.into_iter().chain(mute?).chain(blocked?).chain(url));
    Ok(())
}

/// Nothing listens there.
async fn away() -> Vec<String> {
    let started = Instant::now();
    let url = "postgres://somebody:hunter2@127.0.0.1:1/argosy";
    match Postgres::connect(url, 2) {
        Ok(store) => verdict("away", started, AWAY_MAX, &store.ping().await, &store),
        Err(error) => vec![format!("limits: it connects before it is asked: {error}")],
    }
}

/// Something listens and never says a word.
async fn mute() -> anyhow::Result<Vec<String>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!(
        "postgres://somebody:hunter2@{}/argosy",
        listener.local_addr()?
    );
    let started = Instant::now();
    let store = Postgres::connect(&url, 2)?;
    Ok(verdict(
        "mute",
        started,
        AWAY_MAX,
        &store.ping().await,
        &store,
    ))
}

/// Somebody holds the owner's row and does not let go.
async fn blocked(store: &Arc<dyn Store>, url: &str) -> anyhow::Result<Vec<String>> {
    let salt = Uuid::new_v4();
    let owner = OwnerKey {
        worker: Arc::from(format!("orders-{salt}")),
        topic: Arc::from("orders.v1"),
        partition: 0,
    };
    store.take_owners(salt, vec![owner.clone()]).await?;
    let mut holder = PgConnection::connect(url).await?;
    let mut transaction = holder.begin().await?;
    sqlx::query("select 1 from owners where worker = $1 for update")
        .bind(&*owner.worker)
        .execute(&mut *transaction)
        .await?;
    let claim = Claim {
        id: EffectId {
            of: EventKey {
                worker: Arc::clone(&owner.worker),
                source: Arc::from("hunter2"),
                event: Arc::from("hunter2"),
            },
            name: Arc::from("hunter2"),
            key: Arc::from("hunter2"),
        },
        owner,
        epoch: Epoch(1),
        run: salt,
        body_hash: [0; 32],
        operation: Arc::from("hunter2"),
        request: Bytes::from_static(b"hunter2"),
        hold: Duration::from_secs(20),
        over: None,
    };
    let started = Instant::now();
    let claimed = store.claim(vec![claim.clone()]).await;
    let mut violations = verdict("blocked", started, BLOCKED_MAX, &claimed.map(drop), &());
    transaction.rollback().await?;
    if store.claim(vec![claim]).await.is_err() {
        violations.push("limits: a claim that was given up blocks the next one".to_owned());
    }
    Ok(violations)
}

async fn bad_urls() -> Vec<String> {
    let urls = [
        "",
        "hunter2",
        "mysql://hunter2@x/y",
        "postgres://a:hunter2@x:99999999/y",
        "postgres://a:hunter2@x/y?sslmode=hunter2",
        "postgres://a:hunter2@[::1/y",
    ];
    urls.into_iter()
        .filter_map(|url| match Postgres::connect(url, 2) {
            Ok(_) => Some(format!("limits: {url:?} is taken as an address")),
            Err(error) => tells(&format!("{error:?} {error}"), "a bad url"),
        })
        .collect()
}

fn verdict(
    server: &str,
    started: Instant,
    bound: Duration,
    answered: &Result<(), StoreError>,
    shown: &dyn std::fmt::Debug,
) -> Vec<String> {
    let took = started.elapsed();
    let mut violations = Vec::new();
    if took > bound {
        violations.push(format!("limits: {server}: it took {took:?}"));
    }
    if !matches!(answered, Err(StoreError::Unavailable(_))) {
        violations.push(format!("limits: {server}: it answered {answered:?}"));
    }
    violations.extend(tells(&format!("{answered:?} {shown:?}"), server));
    violations
}

fn tells(text: &str, server: &str) -> Option<String> {
    text.contains("hunter2")
        .then(|| format!("limits: {server}: a secret or a value is told: {text}"))
}
