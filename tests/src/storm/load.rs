//! The load: order events posted to the gateway, in sequence per key, until each of them is accepted.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use argosy_testkit::random::Random;
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use super::judge::Accepted;

/// Posts on the way at once.
const POSTS_MAX: usize = 256;

/// Wait before an event that was not accepted is posted again, with the same id.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// What the load is made of.
#[derive(Clone, Debug)]
pub struct LoadSettings {
    /// The gateway's address, `http://…`.
    pub gateway: String,
    /// Part of every key and id.
    pub seed: u64,
    /// Events in all.
    pub events: usize,
    /// Distinct keys.
    pub keys: usize,
    /// Events per second asked for.
    pub rate: f64,
    /// SKU prefix and supplier, one line each per event.
    pub suppliers: Vec<(String, String)>,
}

/// What was accepted so far.
#[derive(Clone, Debug, Default)]
pub struct Book(Arc<Mutex<Vec<Accepted>>>);

impl Book {
    /// A copy.
    pub fn entries(&self) -> Vec<Accepted> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// None yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn note(&self, accepted: Accepted) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(accepted);
    }
}

/// The source of all events of this storm.
pub fn source(seed: u64) -> String {
    format!("storm://{seed}")
}

/// The id of an event.
pub fn event_id(key: &str, sequence: i64) -> String {
    format!("{key}-{sequence}")
}

/// Nanoseconds since 1970.
pub fn wall_ns() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Posts all events at the asked rate; returns when the last of them is accepted. An event is drawn only for a key
/// whose former event is accepted, so that the sequence at the broker is the sequence asked for.
///
/// # Errors
///
/// If the gateway answers what it never may (4xx), or an event is not accepted by `patience` after the last was due.
pub async fn post_all(
    settings: LoadSettings,
    book: Book,
    patience: Duration,
) -> anyhow::Result<()> {
    let client = super::http_client()?;
    let places = Arc::new(Semaphore::new(POSTS_MAX));
    let mut random = Random::new(settings.seed ^ 0x10ad);
    let mut sequences: HashMap<usize, i64> = HashMap::new();
    let busy = Arc::new(Mutex::new(std::collections::HashSet::<usize>::new()));
    let begun = Instant::now();
    let last_due = begun + Duration::from_secs_f64(settings.events as f64 / settings.rate);
    let deadline = last_due + patience;
    let settings = Arc::new(settings);
    let mut posts = JoinSet::new();
    for number in 0..settings.events {
        tokio::time::sleep_until(begun + Duration::from_secs_f64(number as f64 / settings.rate))
            .await;
        let place = Arc::clone(&places).acquire_owned().await?;
        let key = loop {
            let key = random.index(settings.keys);
            if busy
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(key)
            {
                break key;
            }
        };
        let sequence = sequences.entry(key).or_default();
        *sequence += 1;
        let (sequence, client, busy) = (*sequence, client.clone(), Arc::clone(&busy));
        let (settings, book) = (Arc::clone(&settings), book.clone());
        posts.spawn(async move {
            let result = post(&client, &settings, key, sequence, &book, deadline).await;
            busy.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&key);
            drop(place);
            result
        });
        while let Some(posted) = posts.try_join_next() {
            posted??;
        }
    }
    while let Some(posted) = posts.join_next().await {
        posted??;
    }
    Ok(())
}

async fn post(
    client: &reqwest::Client,
    settings: &LoadSettings,
    key: usize,
    sequence: i64,
    book: &Book,
    deadline: Instant,
) -> anyhow::Result<()> {
    let order = format!("{}-{key}", settings.seed);
    let body = body(settings, &order, sequence).to_string();
    loop {
        let request = client
            .post(format!("{}/v1/events", settings.gateway))
            .header("content-type", "application/json")
            .header("ce-specversion", "1.0")
            .header("ce-id", event_id(&order, sequence))
            .header("ce-source", source(settings.seed))
            .header("ce-type", "argosy.orders.v1.OrderApproved")
            .header("ce-correlationid", order.clone())
            .body(body.clone());
        match super::send(request).await {
            Ok(answer) if answer.status().as_u16() == 202 => {
                let suppliers = settings
                    .suppliers
                    .iter()
                    .map(|(_, supplier)| supplier.clone())
                    .collect();
                book.note(Accepted {
                    key: order,
                    sequence,
                    suppliers,
                    at: wall_ns(),
                });
                return Ok(());
            }
            Ok(answer) if answer.status().is_client_error() && answer.status().as_u16() != 429 => {
                let status = answer.status();
                anyhow::bail!(
                    "the gateway refused event {sequence} of {order}: {status} {}",
                    answer.text().await?
                );
            }
            Ok(_) | Err(_) => {}
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "event {sequence} of {order} was not accepted in time"
        );
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// An approved order with one line per supplier. Later events of the same order add lines.
fn body(settings: &LoadSettings, order: &str, sequence: i64) -> serde_json::Value {
    let lines: Vec<_> = settings
        .suppliers
        .iter()
        .enumerate()
        .map(|(index, (prefix, _))| {
            json!({
                "lineId": format!("{sequence}-{index}"),
                "sku": format!("{prefix}{sequence}"),
                "quantity": 1 + sequence % 3,
                "title": "Lantern",
                "unitPrice": { "minor": "1999", "currency": "EUR" },
            })
        })
        .collect();
    json!({
        "orderId": order,
        "version": sequence.to_string(),
        "currency": "EUR",
        "shop": "storm.example",
        "lines": lines,
    })
}
