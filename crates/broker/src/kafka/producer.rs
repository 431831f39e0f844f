//! Writes batches: enqueued in order, resolved by delivery reports with one result per message.
//!
//! Invariants: every message of a batch gets exactly one result. A message that finds the queue full is tried again
//! before any later one, of its batch or another, is enqueued, so that waiting never reorders. A client with a fatal
//! error is replaced before the next batch.

mod batch;

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use futures_util::future::{BoxFuture, FutureExt};
use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    config::RDKafkaLogLevel,
    error::KafkaError,
    message::{DeliveryResult, Header as NativeHeader, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
    types::RDKafkaErrorCode,
};
use tokio::{sync::Mutex as Turnstile, time::Instant};

use self::batch::{Feed, Outcome, Ticket, Traffic, feed};
use super::{context, errors, native, stranded::Stranded};
use crate::port::{BrokerError, Message, Producer};

/// Handles to one producer.
pub(super) struct KafkaProducer {
    shared: Arc<Shared>,
}

struct Shared {
    config: ClientConfig,
    /// How long a batch waits for room in the queue: by then librdkafka has given up on what filled it.
    room_timeout: Duration,
    client: RwLock<Arc<Client>>,
    /// Held while a batch is enqueued, also while it waits for room.
    turnstile: Arc<Turnstile<()>>,
    traffic: Arc<Traffic>,
}

type Client = ThreadedProducer<Context>;

#[derive(Default)]
struct Context {
    is_broken: AtomicBool,
    stranded: Stranded,
}

/// Opens a producer; nothing is connected yet.
pub(super) fn open(
    config: ClientConfig,
    message_timeout: Duration,
) -> Result<KafkaProducer, BrokerError> {
    let client = RwLock::new(Arc::new(client(&config)?));
    Ok(KafkaProducer {
        shared: Arc::new(Shared {
            config,
            room_timeout: message_timeout,
            client,
            turnstile: Arc::default(),
            traffic: Arc::default(),
        }),
    })
}

fn client(config: &ClientConfig) -> Result<Client, BrokerError> {
    config
        .create_with_context(Context::default())
        .map_err(|error| errors::of_configuration(&error))
}

impl Producer for KafkaProducer {
    fn send(&self, messages: Vec<Message>) -> BoxFuture<'static, Vec<Outcome>> {
        if messages.is_empty() {
            return futures_util::future::ready(Vec::new()).boxed();
        }
        let (mut feed, results) = feed(messages, &self.shared.traffic);
        let shared = Arc::clone(&self.shared);
        // At once if nobody waits for room, so that the order of calls is the order of records. The turn is kept only
        // while the batch itself waits for room: others must not wait for its acknowledgement.
        let waiting = match Arc::clone(&shared.turnstile).try_lock_owned() {
            Ok(turn) => (!shared.enqueue(&mut feed)).then_some(Some(turn)),
            Err(_) => Some(None),
        };
        async move {
            if let Some(turn) = waiting {
                let _turn = match turn {
                    Some(turn) => turn,
                    None => Arc::clone(&shared.turnstile).lock_owned().await,
                };
                shared.enqueue_with_patience(&mut feed).await;
            }
            // Its tickets must not wait for results that this task would drop.
            drop(feed);
            results.await.expect("the last ticket sends the results")
        }
        .boxed()
    }

    fn flush(&self, at_most: Duration) -> BoxFuture<'_, Result<(), BrokerError>> {
        async move {
            let deadline = Instant::now() + at_most;
            let traffic = &self.shared.traffic;
            while traffic.count() > 0 {
                if !traffic.ends_before(deadline).await && traffic.count() > 0 {
                    let left = traffic.count();
                    return Err(BrokerError::Unavailable(format!(
                        "{left} messages are unacknowledged after {at_most:?}"
                    )));
                }
            }
            Ok(())
        }
        .boxed()
    }
}

impl Shared {
    /// False if the queue is full; the feed keeps its place.
    fn enqueue(&self, feed: &mut Feed) -> bool {
        let client = match self.client() {
            Ok(client) => client,
            Err(error) => {
                while let Some((_, mut ticket)) = feed.next() {
                    ticket.done(Err(error.clone()));
                }
                return true;
            }
        };
        while let Some((message, ticket)) = feed.next() {
            if let Some(ticket) = enqueue(&client, &message, ticket) {
                feed.next = Some((message, ticket));
                return false;
            }
        }
        true
    }

    async fn enqueue_with_patience(&self, feed: &mut Feed) {
        let deadline = Instant::now() + self.room_timeout;
        while !self.enqueue(feed) {
            if !self.traffic.ends_before(deadline).await {
                while let Some((_, mut ticket)) = feed.next() {
                    ticket.done(Err(BrokerError::QueueFull));
                }
            }
        }
    }

    /// What waits in a stranded client is sent once it knows a broker again.
    fn rescue(&self, client: &Client) {
        if client.client().context().stranded.take()
            && let Some(bootstrap) = self.config.get("bootstrap.servers")
        {
            tracing::warn!("the producer knew no broker any more: told the bootstrap list anew");
            native::add_brokers(client.client(), bootstrap);
        }
    }

    /// The client, a new one if the last had a fatal error.
    fn client(&self) -> Result<Arc<Client>, BrokerError> {
        let present = Arc::clone(&self.client.read().unwrap_or_else(PoisonError::into_inner));
        if !present.is_broken() {
            self.rescue(&present);
            return Ok(present);
        }
        drop(present);
        let mut slot = self.client.write().unwrap_or_else(PoisonError::into_inner);
        if slot.is_broken() {
            tracing::warn!("the producer had a fatal error and is replaced");
            let broken = std::mem::replace(&mut *slot, Arc::new(client(&self.config)?));
            dispose(broken);
        }
        Ok(Arc::clone(&slot))
    }
}

/// Dropping a client waits for its thread; whoever sends must not.
fn dispose(client: Arc<Client>) {
    let disposing = thread::Builder::new()
        .name("kafka-dispose".into())
        .spawn(move || drop(client));
    if let Err(error) = disposing {
        tracing::warn!(%error, "a producer was disposed of on its sender's thread");
    }
}

/// Gives the ticket back if the queue is full.
fn enqueue(client: &Client, message: &Message, mut ticket: Box<Ticket>) -> Option<Box<Ticket>> {
    let Some(headers) = headers(message) else {
        let why = format!(
            "send to {}: a header's name holds a zero byte",
            message.topic
        );
        ticket.done(Err(BrokerError::Rejected(why)));
        return None;
    };
    let record: BaseRecord<'_, [u8], [u8], Box<Ticket>> = BaseRecord {
        topic: &message.topic,
        partition: message.partition,
        payload: message.value.as_deref(),
        key: message.key.as_deref(),
        timestamp: None,
        headers,
        delivery_opaque: ticket,
    };
    let (error, record) = client.send(record).err()?;
    let mut ticket = record.delivery_opaque;
    match refused(&error, &message.topic) {
        BrokerError::QueueFull => Some(ticket),
        refused => {
            ticket.done(Err(refused));
            None
        }
    }
}

fn refused(error: &KafkaError, topic: &str) -> BrokerError {
    errors::of(error, &format!("send to {topic}"))
}

/// `None` if a name cannot be written; rdkafka would panic.
fn headers(message: &Message) -> Option<Option<OwnedHeaders>> {
    if message.headers.is_empty() {
        return Some(None);
    }
    let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
    for (name, value) in &message.headers {
        if name.contains('\0') {
            return None;
        }
        headers = headers.insert(NativeHeader {
            key: name,
            value: Some(&value[..]),
        });
    }
    Some(Some(headers))
}

trait Breakable {
    fn is_broken(&self) -> bool;
}

impl Breakable for Client {
    fn is_broken(&self) -> bool {
        self.client().context().is_broken.load(Ordering::Acquire)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.stranded.look(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.is_broken.store(true, Ordering::Release);
            tracing::error!(reason, "the producer has a fatal error");
        } else {
            tracing::debug!(%error, reason, "the producer has a fault");
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, mut ticket: Box<Ticket>) {
        ticket.done(match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, message)) => {
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
                    self.is_broken.store(true, Ordering::Release);
                }
                Err(refused(error, message.topic()))
            }
        });
    }
}

#[cfg(test)]
mod tests;
