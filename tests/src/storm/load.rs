//! The load: order events posted to the gateway, in sequence per key, until each of them is accepted.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use argosy_broker::Producer;
use argosy_testkit::random::Random;
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use super::{judge::Accepted, poison};
use crate::poisoned_orders::Way;

/// Posts on the way at once.
const POSTS_MAX: usize = 256;

/// Wait before an event that was not accepted is posted again, with the same id.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Whose orders they are.
const SHOP: &str = "storm.example";

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
    /// Which events are poison, by their number.
    pub poison: BTreeMap<usize, Way>,
    /// The broker's address: what fails validation is refused by the gateway, and comes past it.
    pub bootstrap: String,
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
    let past_gateway = poison::producer(&settings)?;
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
        let way = settings.poison.get(&number).copied();
        let past_gateway = past_gateway.clone();
        posts.spawn(async move {
            let event = Posted {
                order: format!("{}-{key}", settings.seed),
                sequence,
                way,
            };
            let result = match (way, past_gateway) {
                (Some(Way::Invalid), Some(producer)) => {
                    publish(&*producer, &settings, &event, &book, deadline).await
                }
                _ => post(&client, &settings, &event, &book, deadline).await,
            };
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

/// One event on its way.
struct Posted {
    order: String,
    sequence: i64,
    way: Option<Way>,
}

impl Posted {
    fn accepted(&self, settings: &LoadSettings) -> Accepted {
        let suppliers = settings.suppliers.iter();
        Accepted {
            key: self.order.clone(),
            sequence: self.sequence,
            suppliers: suppliers.map(|(_, supplier)| supplier.clone()).collect(),
            at: wall_ns(),
            poison: self.way,
        }
    }

    fn in_time(&self, deadline: Instant) -> anyhow::Result<()> {
        let Self {
            order, sequence, ..
        } = self;
        anyhow::ensure!(
            Instant::now() < deadline,
            "event {sequence} of {order} was not accepted in time"
        );
        Ok(())
    }
}

async fn post(
    client: &reqwest::Client,
    settings: &LoadSettings,
    event: &Posted,
    book: &Book,
    deadline: Instant,
) -> anyhow::Result<()> {
    let Posted {
        order, sequence, ..
    } = event;
    let body = body(settings, event).to_string();
    loop {
        let request = client
            .post(format!("{}/v1/events", settings.gateway))
            .header("content-type", "application/json")
            .header("ce-specversion", "1.0")
            .header("ce-id", event_id(order, *sequence))
            .header("ce-source", source(settings.seed))
            .header("ce-type", "argosy.orders.v1.OrderApproved")
            .header("ce-correlationid", order.clone())
            .body(body.clone());
        match super::send(request).await {
            Ok(answer) if answer.status().as_u16() == 202 => {
                book.note(event.accepted(settings));
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
        event.in_time(deadline)?;
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// Past the gateway, until the broker acknowledges it.
async fn publish(
    producer: &dyn Producer,
    settings: &LoadSettings,
    event: &Posted,
    book: &Book,
    deadline: Instant,
) -> anyhow::Result<()> {
    let body = body(settings, event).to_string();
    let id = event_id(&event.order, event.sequence);
    loop {
        let message = poison::message(&source(settings.seed), &id, &event.order, &body);
        let answers = producer.send(vec![message]).await;
        if answers.iter().all(Result::is_ok) {
            book.note(event.accepted(settings));
            return Ok(());
        }
        event.in_time(deadline)?;
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// An approved order with one line per supplier. Later events of the same order add lines.
fn body(settings: &LoadSettings, event: &Posted) -> serde_json::Value {
    let sequence = event.sequence;
    let quantity = match event.way {
        Some(Way::Invalid) => 0,
        _ => 1 + sequence % 3,
    };
    let shop = match event.way {
        Some(way) => way.shop(),
        None => SHOP.to_owned(),
    };
    let lines: Vec<_> = settings
        .suppliers
        .iter()
        .enumerate()
        .map(|(index, (prefix, _))| {
            json!({
                "lineId": format!("{sequence}-{index}"),
                "sku": format!("{prefix}{sequence}"),
                "quantity": quantity,
                "title": "Lantern",
                "unitPrice": { "minor": "1999", "currency": "EUR" },
            })
        })
        .collect();
    json!({
        "orderId": event.order,
        "version": sequence.to_string(),
        "currency": "EUR",
        "shop": shop,
        "lines": lines,
    })
}
