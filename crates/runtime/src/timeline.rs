//! What happened to each event, written to the timelines topic in batches of many events.
//!
//! Invariant: a settlement is reported as acknowledged only after the batch that carries its step, and every batch
//! before it, was acknowledged by the broker. Nothing that is told here waits unsent for longer than [`LINGER`]. While [`WAITING_BYTES_MAX`]
//! wait for the broker, the owner takes no more records in, so that a topic which cannot be written bounds itself.

mod steps;
mod telling;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use argosy_broker::{Message, Producer};
use argosy_events::fleet::v1::{Entry, TimelineBatch};
use argosy_kernel::{Input, StepNumber};
use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesOrdered};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(crate) use steps::{RunSteps, Steps, entry};
pub(crate) use telling::Telling;

use crate::{owner::Inbox, telemetry};

/// Where timelines go.
pub const TIMELINES_TOPIC: &str = "argosy.timelines.v1";

/// How long the first entry of a batch waits for others.
const LINGER: Duration = Duration::from_millis(200);

/// A batch is sent when it has this many bytes.
const BATCH_BYTES: usize = 64 << 10;

/// Batches on the way to the broker at once.
const BATCHES_IN_FLIGHT_MAX: usize = 16;

/// Entries that wait for the broker's acknowledgement, in bytes, at which the owner takes no more records in. What is
/// running by then still adds its own: no more than the pump's budget of records.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// An item's share beside its entry.
const ITEM_BYTES: usize = size_of::<Item>();

/// Wait before an unacknowledged batch is sent again.
const RESEND_AFTER: Duration = Duration::from_millis(500);

/// The sending side: entries of runs, and settlements in the pump's order.
///
/// The queue has no limit of its own, since nobody could wait for room in it: see [`WAITING_BYTES_MAX`].
#[derive(Clone, Debug)]
pub(crate) struct Timelines {
    queue: Option<mpsc::UnboundedSender<Item>>,
    /// Bytes that no broker has acknowledged yet.
    waiting: Arc<AtomicUsize>,
    inbox: Inbox,
}

#[derive(Debug)]
struct Item {
    entry: Option<Entry>,
    settled: Option<StepNumber>,
    bytes: usize,
}

impl Timelines {
    /// Starts the writer; it ends when the last handle is gone and everything is acknowledged.
    pub(crate) fn start(
        instance: Uuid,
        producer: Arc<dyn Producer>,
        inbox: Inbox,
        tracker: &TaskTracker,
    ) -> Self {
        let (queue, items) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            instance,
            producer,
            waiting: Arc::clone(&waiting),
            inbox: inbox.clone(),
            items,
            number: 0,
        };
        tracker.spawn(writer.write());
        Self {
            queue: Some(queue),
            waiting,
            inbox,
        }
    }

    /// Writes nothing, and acknowledges every settlement at once: for workers of the fleet's own topics.
    pub(crate) fn none(inbox: Inbox) -> Self {
        Self {
            queue: None,
            waiting: Arc::default(),
            inbox,
        }
    }

    pub(crate) fn enabled(&self) -> bool {
        self.queue.is_some()
    }

    /// Must the owner take no more records in?
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= WAITING_BYTES_MAX
    }

    /// Adds an entry of a run, or a wait.
    pub(crate) fn tell(&self, entry: Entry) {
        if let Some(queue) = &self.queue {
            self.add(queue, Some(entry), None);
        }
    }

    /// Adds a settlement; `entry` is `None` where nobody will ask (foreign types).
    pub(crate) fn settled(&self, step: StepNumber, entry: Option<Entry>) {
        match &self.queue {
            Some(queue) => self.add(queue, entry, Some(step)),
            None => self.inbox.tell(Input::StepsAcknowledged(step)),
        }
    }

    fn add(
        &self,
        queue: &mpsc::UnboundedSender<Item>,
        entry: Option<Entry>,
        settled: Option<StepNumber>,
    ) {
        let bytes = ITEM_BYTES + entry.as_ref().map_or(0, Entry::encoded_len);
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        // The writer outlives all senders; only at the process's end may it be gone.
        drop(queue.send(Item {
            entry,
            settled,
            bytes,
        }));
    }
}

struct Writer {
    instance: Uuid,
    producer: Arc<dyn Producer>,
    waiting: Arc<AtomicUsize>,
    inbox: Inbox,
    items: mpsc::UnboundedReceiver<Item>,
    number: i64,
}

/// A batch being collected.
#[derive(Default)]
struct Collected {
    entries: Vec<Entry>,
    bytes: usize,
    settled: Option<StepNumber>,
}

impl Writer {
    /// Collects and sends until all senders are gone. Neither arm starves the other: a full pipeline stops the
    /// collecting, and collecting is bounded by bytes and time.
    async fn write(mut self) {
        let mut in_flight = FuturesOrdered::new();
        let mut open = true;
        while open || !in_flight.is_empty() {
            tokio::select! {
                biased;
                Some((bytes, settled)) = in_flight.next(), if !in_flight.is_empty() => {
                    self.waiting.fetch_sub(bytes, Ordering::Relaxed);
                    if let Some(step) = settled {
                        self.inbox.tell(Input::StepsAcknowledged(step));
                    }
                }
                first = self.items.recv(), if open && in_flight.len() < BATCHES_IN_FLIGHT_MAX => match first {
                    Some(first) => {
                        let collected = self.collect(first).await;
                        in_flight.push_back(self.send(collected));
                    }
                    None => open = false,
                },
            }
        }
    }

    async fn collect(&mut self, first: Item) -> Collected {
        let mut collected = Collected::default();
        self.add(&mut collected, first);
        let until = tokio::time::sleep(LINGER);
        tokio::pin!(until);
        while collected.bytes < BATCH_BYTES {
            tokio::select! {
                biased;
                item = self.items.recv() => match item {
                    Some(item) => self.add(&mut collected, item),
                    None => break,
                },
                () = &mut until => break,
            }
        }
        collected
    }

    fn add(&mut self, collected: &mut Collected, item: Item) {
        if let Some(mut entry) = item.entry {
            self.number += 1;
            entry.number = self.number;
            collected.entries.push(entry);
        }
        collected.bytes += item.bytes;
        collected.settled = item.settled.or(collected.settled);
    }

    /// Sends until acknowledged; resolves to the batch's bytes and the last settlement that it carries.
    fn send(
        &self,
        collected: Collected,
    ) -> impl Future<Output = (usize, Option<StepNumber>)> + Send + use<> {
        let Collected {
            entries,
            bytes,
            settled,
        } = collected;
        let message = (!entries.is_empty()).then(|| {
            batch_message(&TimelineBatch {
                instance: self.instance.to_string(),
                entries,
            })
        });
        // Enqueued now, so that batches leave in order.
        let mut sent = message
            .clone()
            .map(|message| self.producer.send(vec![message]));
        let producer = Arc::clone(&self.producer);
        async move {
            while let Some(sending) = sent.take() {
                let Some(Err(error)) = sending.await.pop() else {
                    break;
                };
                telemetry::timeline_write_failed(&error);
                tokio::time::sleep(RESEND_AFTER).await;
                sent = message.clone().map(|message| producer.send(vec![message]));
            }
            (bytes, settled)
        }
    }
}

/// A batch as a record: keyless, since its rows are told apart by (instance, number).
pub(crate) fn batch_message(batch: &TimelineBatch) -> Message {
    use argosy_events::{Envelope, Payload};
    let envelope = Envelope::new_flow(
        "argosy://timelines",
        TimelineBatch::TYPE,
        "",
        crate::clock::wall_ms(),
    );
    Message {
        topic: Arc::from(TIMELINES_TOPIC),
        partition: None,
        key: None,
        value: Some(Bytes::from(batch.encode_to_vec())),
        headers: envelope.headers(),
    }
}

#[cfg(test)]
mod tests {
    use argosy_broker::BrokerError;
    use futures_util::future::{BoxFuture, FutureExt, ready};
    use tokio::sync::watch;

    use super::*;

    /// Acknowledges what it was given as soon as the gate opens.
    struct Gated(watch::Receiver<bool>);

    impl Producer for Gated {
        fn send(
            &self,
            messages: Vec<Message>,
        ) -> BoxFuture<'static, Vec<Result<(i32, i64), BrokerError>>> {
            let mut gate = self.0.clone();
            async move {
                gate.wait_for(|open| *open).await.unwrap();
                messages.iter().map(|_| Ok((0, 0))).collect()
            }
            .boxed()
        }

        fn flush(&self, _: Duration) -> BoxFuture<'_, Result<(), BrokerError>> {
            ready(Ok(())).boxed()
        }
    }

    #[tokio::test]
    async fn what_waits_for_the_broker_closes_the_intake_and_its_acknowledgement_opens_it() {
        let (gate, closed) = watch::channel(false);
        let (inbox, mut told) = Inbox::new();
        let tracker = TaskTracker::new();
        let producer = Arc::new(Gated(closed));
        let timelines = Timelines::start(Uuid::nil(), producer, inbox, &tracker);
        let large = Entry {
            id: "x".repeat(1 << 20),
            ..Entry::default()
        };
        for step in 1..=16 {
            assert!(!timelines.is_full(), "after {} steps", step - 1);
            timelines.settled(StepNumber(step), Some(large.clone()));
        }
        assert!(timelines.is_full());
        gate.send(true).unwrap();
        let mut last = 0;
        while last < 16 {
            let Some(Input::StepsAcknowledged(step)) = told.recv().await else {
                panic!("the writer tells of steps alone");
            };
            assert!(step.0 > last, "acknowledged in order");
            last = step.0;
        }
        assert!(!timelines.is_full());
        assert_eq!(timelines.waiting.load(Ordering::Relaxed), 0);
    }
}
