//! The worker of docs/adding-a-worker.md, tested as the page says: on a model store, with its vendor over real HTTP.
#![cfg(test)]

mod office;
mod page;
mod stand_in;
mod vetting;

use std::sync::Arc;

use argosy_broker::{Delivery, TopicPartition};
use argosy_events::{
    Envelope, Payload,
    orders::v1::{Line, Money, OrderApproved, OrderPlaced, OrderRefused},
};
use argosy_kernel::{Death, Waiting};
use argosy_outbound::{Dependency, DependencySettings, Profile, Stack};
use argosy_runtime::{Trial, trial};
use argosy_store::Store;
use argosy_testkit::store::SharedModelStore;
use tokio_util::task::TaskTracker;

use office::Office;
use stand_in::StandIn;

/// The worker, its store, and the way to its office.
struct Bench {
    stack: Arc<Stack>,
    store: Arc<dyn Store>,
}

impl Bench {
    fn new(office: &StandIn) -> Self {
        let settings = DependencySettings::new(Dependency("office".into()), &*office.base_url);
        let stack = Stack::new(vec![settings], &Profile::Dev, &TaskTracker::new());
        Self {
            stack: Arc::new(stack.unwrap()),
            store: Arc::new(SharedModelStore::new()),
        }
    }

    async fn run(&self, order: &OrderPlaced) -> Trial {
        let worker = vetting::worker(Office {
            dependency: Dependency("office".into()),
        });
        let (stack, store) = (Arc::clone(&self.stack), Arc::clone(&self.store));
        trial(&worker, delivered(order), stack, store)
            .await
            .unwrap()
    }
}

fn order() -> OrderPlaced {
    OrderPlaced {
        order_id: "1001".into(),
        version: 7,
        shop: "lantern.example".into(),
        currency: "EUR".into(),
        lines: vec![Line {
            line_id: "1".into(),
            quantity: 2,
            ..Line::default()
        }],
        total: Some(Money {
            minor: 9980,
            currency: "EUR".into(),
        }),
        ..OrderPlaced::default()
    }
}

/// The order as the broker hands it over.
fn delivered(order: &OrderPlaced) -> Delivery {
    let mut envelope = Envelope::new_flow("shopify://lantern", OrderPlaced::TYPE, "1001", 0);
    envelope.id = "e-1".into();
    Delivery {
        from: TopicPartition {
            topic: OrderPlaced::TOPIC.into(),
            partition: 0,
        },
        offset: 0,
        timestamp_ms: None,
        key: Some(order.key().into()),
        value: Some(order.encode()),
        headers: envelope.headers(),
        bytes: 0,
    }
}

#[track_caller]
fn emitted<P: Payload>(trial: Trial) -> P {
    let Trial::Done(messages) = trial else {
        panic!("{trial:?}");
    };
    let value = messages[0].value.as_ref().unwrap();
    P::decode(None, value).unwrap()
}

#[tokio::test]
async fn an_order_is_filed_once_however_often_it_runs() {
    let office = StandIn::start(201, r#"{"case_id":"c-1","is_risky":false}"#);
    let bench = Bench::new(&office);
    let first: OrderApproved = emitted(bench.run(&order()).await);
    let second: OrderApproved = emitted(bench.run(&order()).await);
    assert_eq!((&*first.order_id, &first), ("1001", &second));
    assert_eq!(office.asked(), 1);
}

#[tokio::test]
async fn a_risky_order_is_refused_with_its_case() {
    let office = StandIn::start(201, r#"{"case_id":"c-1","is_risky":true}"#);
    let refused: OrderRefused = emitted(Bench::new(&office).run(&order()).await);
    assert_eq!(refused.reason, "the office finds it risky, case c-1");
}

#[tokio::test]
async fn an_office_that_is_away_spends_no_attempt() {
    let office = StandIn::start(503, "");
    let waiting = Bench::new(&office).run(&order()).await;
    assert!(
        matches!(&waiting, Trial::Deferred(Waiting::Dependency(name)) if &**name == "office"),
        "{waiting:?}"
    );
}

#[tokio::test]
async fn an_order_that_cannot_be_vetted_is_dead_or_skipped_and_nobody_is_called() {
    let office = StandIn::start(201, r#"{"case_id":"c-1","is_risky":false}"#);
    let bench = Bench::new(&office);
    let mut without_total = order();
    without_total.total = None;
    let dead = bench.run(&without_total).await;
    assert!(matches!(dead, Trial::Dead(Death::Invalid, _)), "{dead:?}");
    let mut without_lines = order();
    without_lines.lines.clear();
    let skipped = bench.run(&without_lines).await;
    assert!(
        matches!(skipped, Trial::Skipped("the order has no lines")),
        "{skipped:?}"
    );
    assert_eq!(office.asked(), 0);
}
