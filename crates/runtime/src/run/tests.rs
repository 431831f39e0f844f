//! What the timeline is told of a record's runs.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use argosy_broker::{BrokerError, Delivery, Message, Producer, TopicPartition};
use argosy_events::{
    Payload,
    fleet::v1::{Entry, State, TimelineBatch, step::Kind},
    orders::v1::OrderApproved,
};
use argosy_kernel::{Assignment, At, Offset, Partition, TopicIndex};
use argosy_outbound::{
    Call, Dependency, DependencySettings, Method, Profile, Read, Repeat, Request,
};
use argosy_store::Store;
use argosy_testkit::store::SharedModelStore;
use futures_util::future::{BoxFuture, ready};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::task::TaskTracker;

use super::*;
use crate::{Event, Handler, Worker, delivered::Delivered};

/// A broker that keeps what is told.
#[derive(Default)]
struct Kept(Mutex<Vec<Entry>>);

impl Kept {
    fn entries(&self) -> Vec<Entry> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.clone()
    }

    fn kinds(&self) -> Vec<Kind> {
        let steps = self.entries().into_iter().flat_map(|entry| entry.steps);
        steps.filter_map(|step| step.kind).collect()
    }

    /// Attempt, outcome and detail of each run that was told.
    fn runs(&self) -> Vec<(Told, String)> {
        let kinds = self.kinds().into_iter();
        let runs = kinds.filter_map(|kind| match kind {
            Kind::Run(run) => Some((run.outcome(), run.detail)),
            _ => None,
        });
        runs.collect()
    }

    fn receipts(&self) -> usize {
        let is_receipt = |kind: &Kind| matches!(kind, Kind::Received(_));
        self.kinds().iter().filter(|kind| is_receipt(kind)).count()
    }
}

impl Producer for Kept {
    fn send(
        &self,
        messages: Vec<Message>,
    ) -> BoxFuture<'static, Vec<Result<(i32, i64), BrokerError>>> {
        let mut answers = Vec::new();
        for message in messages {
            let batch =
                <TimelineBatch as Payload>::decode(None, &message.value.unwrap_or_default())
                    .unwrap();
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(batch.entries);
            answers.push(Ok((0, 0)));
        }
        Box::pin(ready(answers))
    }

    fn flush(&self, _: Duration) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(ready(Ok(())))
    }
}

/// One record in a shop whose runs are told to a broker that keeps it.
struct Bench {
    shop: Arc<Shop>,
    body: Body,
    kept: Arc<Kept>,
    tracker: TaskTracker,
}

impl Bench {
    fn new(handler: impl Handler<Body = OrderApproved>, acme: &str) -> Self {
        let worker = Worker::new("orders").on(handler);
        let tracker = TaskTracker::new();
        let (inbox, told) = Inbox::new();
        // Nobody asks what the pump is told.
        drop(told);
        let kept = Arc::new(Kept::default());
        let acme = DependencySettings::new(Dependency("acme".into()), acme);
        let store: Arc<dyn Store> = Arc::new(SharedModelStore::new());
        let producer: Arc<dyn Producer> = Arc::<Kept>::clone(&kept);
        let shop = Shop {
            worker: worker.name(),
            handled: worker.handlers.types().collect(),
            stack: Arc::new(Stack::new(vec![acme], &Profile::Dev, &tracker).unwrap()),
            store: Grouped::start(store, &tracker),
            timelines: Timelines::start(Uuid::nil(), producer, inbox.clone(), &tracker),
            inbox,
            slots: Slots::none(),
            alone: AloneTurn::default(),
        };
        let order = OrderApproved {
            order_id: "1001".into(),
            version: 1,
            shop: "lantern.example".into(),
            currency: "EUR".into(),
            lines: vec![argosy_events::orders::v1::Line {
                line_id: "1".into(),
                sku: "ACME-1".into(),
                quantity: 1,
                ..Default::default()
            }],
            shipping_address: Some(argosy_events::orders::v1::Address {
                name: "Zoë".into(),
                ..Default::default()
            }),
            ..OrderApproved::default()
        };
        let envelope = Envelope::new_flow("shop", OrderApproved::TYPE, "1001", 0);
        let delivery = Delivery {
            from: TopicPartition {
                topic: OrderApproved::TOPIC.into(),
                partition: 0,
            },
            offset: 0,
            timestamp_ms: None,
            key: Some("1001".into()),
            value: Some(Payload::encode(&order)),
            headers: envelope.headers(),
            bytes: 0,
        };
        Self {
            shop: Arc::new(shop),
            body: Arc::new(Delivered::read(delivery, 7, &worker.handlers)),
            kept,
            tracker,
        }
    }

    async fn run(&self) {
        let record = RunRecord {
            at: At {
                partition: Partition {
                    topic: TopicIndex(0),
                    number: 0,
                },
                assignment: Assignment(1),
                offset: Offset(0),
            },
            attempts: 0,
            body: Arc::clone(&self.body),
        };
        let stop = Stop {
            abort: CancellationToken::new(),
            gate: CancellationToken::new(),
        };
        let once = Dispatch {
            epoch: Epoch(1),
            alone: false,
            records: vec![record],
        };
        dispatch(Arc::clone(&self.shop), once, stop).await;
    }

    /// Everything that was told.
    async fn end(self) -> Arc<Kept> {
        let Self {
            shop,
            kept,
            tracker,
            ..
        } = self;
        drop(shop);
        tracker.close();
        tracker.wait().await;
        kept
    }
}

/// Waits for what it is given, in turn; then it is done.
struct Waits(Mutex<Vec<&'static str>>);

impl Waits {
    fn for_each(mut names: Vec<&'static str>) -> Self {
        names.reverse();
        Self(Mutex::new(names))
    }
}

impl Handler for Waits {
    type Body = OrderApproved;

    async fn handle(&self, _: Event<OrderApproved>, _: &mut Context) -> Result<Outcome, Failure> {
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(name) = next else {
            return Ok(Outcome::Done);
        };
        let dependency = Dependency(name.into());
        let wait = Duration::from_secs(2);
        Err(Failure::dependency_down(
            &dependency,
            wait,
            format!("{name} is down"),
        ))
    }
}

/// Calls acme.
struct Calls;

impl Handler for Calls {
    type Body = OrderApproved;

    async fn handle(&self, _: Event<OrderApproved>, cx: &mut Context) -> Result<Outcome, Failure> {
        let call = Call {
            dependency: Dependency("acme".into()),
            operation: "ask",
            repeat: Repeat::Natural,
            cost: 1,
            request: Request {
                method: Method::Get,
                path: "/".into(),
                headers: Vec::new(),
                body: bytes::Bytes::new(),
            },
            read: Read::new(|_| Ok(())),
            lookup: None,
        };
        cx.read(call).await?;
        Ok(Outcome::Done)
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_waits_is_told_when_the_wait_begins_once_a_minute_and_when_it_ends() {
    let bench = Bench::new(Waits::for_each(vec!["acme"; 45]), "http://127.0.0.1:1");
    for _ in 0..46 {
        bench.run().await;
        tokio::time::advance(Duration::from_secs(2)).await;
    }
    let kept = bench.end().await;
    let untold = |runs| format!("after {runs} deferred runs that are not told one by one");
    let told = [
        (Told::Deferral, "acme is down".to_owned()),
        (Told::Deferral, format!("acme is down; {}", untold(29))),
        (Told::Done, untold(14)),
    ];
    assert_eq!(kept.runs(), told);
}

#[tokio::test(start_paused = true)]
async fn a_wait_whose_cause_changes_is_told_at_once() {
    let waits = vec!["acme", "acme", "globex", "globex", "acme"];
    let bench = Bench::new(Waits::for_each(waits), "http://127.0.0.1:1");
    for _ in 0..5 {
        bench.run().await;
    }
    let kept = bench.end().await;
    let causes: Vec<_> = kept
        .runs()
        .into_iter()
        .map(|(_, detail)| detail.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(causes, ["acme", "globex", "acme"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_deferred_again_and_again_was_received_once() {
    let waits = vec!["acme", "globex", "acme", "globex"];
    let bench = Bench::new(Waits::for_each(waits), "http://127.0.0.1:1");
    for _ in 0..5 {
        bench.run().await;
    }
    let kept = bench.end().await;
    assert_eq!((kept.runs().len(), kept.receipts()), (5, 1));
}

#[tokio::test(start_paused = true)]
async fn a_deferred_run_leaves_its_event_waiting() {
    let bench = Bench::new(Waits::for_each(vec!["acme"]), "http://127.0.0.1:1");
    bench.run().await;
    let kept = bench.end().await;
    let states: Vec<_> = kept.entries().iter().map(Entry::state).collect();
    assert_eq!(states, [State::Waiting]);
}

#[tokio::test]
async fn what_happened_before_a_call_is_told_while_the_call_is_under_way() {
    // It listens, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", silent.local_addr().unwrap());
    let bench = Bench::new(Calls, &base);
    let told = async {
        while bench.kept.receipts() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = bench.run() => panic!("the call was answered"),
        told = timeout(Duration::from_secs(5), told) => told.unwrap(),
    }
    assert!(bench.kept.runs().is_empty());
}
