//! The trial worker's deeds, run once each on a model store with the sandbox over real HTTP.

use std::{sync::Arc, time::Duration};

use argosy_broker::{Delivery, TopicPartition};
use argosy_events::{Envelope, Payload, orders::v1::OrderApproved};
use argosy_kernel::{Death, Waiting};
use argosy_outbound::{Profile, Stack};
use argosy_runtime::{Trial, Worker, trial};
use argosy_sandbox::{RepeatClass, Sandbox, Settings, SupplierSettings};
use argosy_store::{EffectId, EventKey, Resolution, Resolved, Store};
use argosy_testkit::store::SharedModelStore;
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{notes::Notes, perform::Perform, suppliers::accounts, *};

/// Each supplier cuts every draft of this order off, once it has accepted it.
const CUT: &str = "cut";

struct Bench {
    folder: tempfile::TempDir,
    stack: Arc<Stack>,
    store: Arc<SharedModelStore>,
    worker: Worker,
}

impl Bench {
    async fn new() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let faults = folder.path().join("faults.json");
        let cut = json!([{ "match": { "key": CUT }, "effect": { "cut": "after" } }]);
        std::fs::write(&faults, cut.to_string()).unwrap();
        let class = |class| match class {
            Class::Natural => RepeatClass::Natural,
            Class::Remembered => RepeatClass::Remembered(Duration::from_secs(24 * 3_600)),
            Class::Never => RepeatClass::Never { lookup: true },
            Class::Blind => RepeatClass::Never { lookup: false },
        };
        let supplier = |one: Class| {
            let settings = SupplierSettings {
                repeat: class(one),
                token: token(one),
            };
            (one.name().to_owned(), settings)
        };
        let sandbox = Sandbox::bind(Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            receipts: folder.path().join("receipts.jsonl"),
            faults: Some(faults),
            suppliers: CLASSES.into_iter().map(supplier).collect(),
        })
        .await
        .unwrap();
        let base = format!("http://{}/suppliers", sandbox.address());
        tokio::spawn(sandbox.run(CancellationToken::new()));
        let notes = Notes::open(folder.path(), "group").unwrap();
        let stack = Stack::new(accounts(&base), &Profile::Dev, &TaskTracker::new()).unwrap();
        Self {
            folder,
            stack: Arc::new(stack),
            store: Arc::new(SharedModelStore::new()),
            worker: Worker::new("group").on(Perform::new("group", notes)),
        }
    }

    async fn run(&self, deed: Deed, key: &str) -> Trial {
        let store: Arc<dyn Store> = Arc::<SharedModelStore>::clone(&self.store);
        let event = event(&deed.order("group", key));
        trial(&self.worker, event, Arc::clone(&self.stack), store)
            .await
            .unwrap()
    }

    fn receipts(&self) -> usize {
        let text = std::fs::read_to_string(self.folder.path().join("receipts.jsonl")).unwrap();
        text.lines().count()
    }
}

fn event(order: &OrderApproved) -> Delivery {
    let mut envelope = Envelope::new_flow("trial://", OrderApproved::TYPE, &order.order_id, 0);
    envelope.id = order.order_id.as_str().into();
    Delivery {
        from: TopicPartition {
            topic: OrderApproved::TOPIC.into(),
            partition: 0,
        },
        offset: 0,
        timestamp_ms: None,
        key: Some(order.order_id.clone().into()),
        value: Some(order.encode()),
        headers: envelope.headers(),
        bytes: 0,
    }
}

/// Lets a claim expire; the sockets stand still meanwhile.
async fn advance(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

fn effect(class: Class, key: &str) -> EffectId {
    EffectId {
        of: EventKey {
            worker: "group".into(),
            source: "trial://".into(),
            event: key.into(),
        },
        name: "draft-order".into(),
        key: class.name().into(),
    }
}

#[tokio::test]
async fn a_call_of_each_class_is_made_once_however_often_it_runs() {
    let bench = Bench::new().await;
    for class in CLASSES {
        let deed = Deed::Call(class, Patience::Brisk);
        for _ in 0..2 {
            let ran = bench.run(deed, class.name()).await;
            assert!(
                matches!(&ran, Trial::Done(emitted) if emitted.len() == 1),
                "{ran:?}"
            );
        }
    }
    assert_eq!(bench.receipts(), CLASSES.len());
}

#[tokio::test]
async fn what_an_operator_says_of_a_call_that_was_cut_off_ends_it_in_both_directions() {
    let happened = json!({ "taken": { "order_id": "blind-1" } }).to_string();
    for (resolution, more_receipts) in [
        (Resolution::Happened(happened.into()), 0),
        (Resolution::DidNotHappen, 1),
    ] {
        let bench = Bench::new().await;
        let deed = Deed::Call(Class::Blind, Patience::Brisk);
        let ran = bench.run(deed, CUT).await;
        assert!(matches!(ran, Trial::Deferred(Waiting::Claimed)), "{ran:?}");
        advance(Patience::Brisk.claim_holds()).await;
        let ran = bench.run(deed, CUT).await;
        assert!(matches!(ran, Trial::Dead(Death::Ambiguous, _)), "{ran:?}");
        assert_eq!(bench.receipts(), 1);
        let id = effect(Class::Blind, CUT);
        let resolved = bench
            .store
            .resolve(id, resolution, "suite".into())
            .await
            .unwrap();
        assert!(matches!(resolved, Resolved::Now(_)), "{resolved:?}");
        let ran = bench.run(deed, CUT).await;
        match more_receipts {
            0 => assert!(matches!(ran, Trial::Done(_)), "{ran:?}"),
            // It is cut off again.
            _ => assert!(matches!(ran, Trial::Deferred(Waiting::Claimed)), "{ran:?}"),
        }
        assert_eq!(bench.receipts(), 1 + more_receipts);
    }
}

#[tokio::test]
async fn other_deeds_end_as_they_are_told_and_what_is_for_others_is_left() {
    let bench = Bench::new().await;
    assert!(matches!(bench.run(Deed::Done, "1").await, Trial::Done(_)));
    assert!(matches!(
        bench.run(Deed::Last(1), "2").await,
        Trial::Done(_)
    ));
    let failed = Trial::Failed(Death::Attempts, "told to fail".into());
    let ran = bench.run(Deed::Fail(1), "3").await;
    assert_eq!(format!("{ran:?}"), format!("{failed:?}"));
    assert!(matches!(
        bench.run(Deed::Fail(1), "3").await,
        Trial::Done(_)
    ));
    let ran = bench.run(Deed::Panic, "4").await;
    assert!(matches!(ran, Trial::Failed(Death::Panicked, _)), "{ran:?}");
    let store: Arc<dyn Store> = Arc::<SharedModelStore>::clone(&bench.store);
    let foreign = event(&Deed::Abort.order("others", "5"));
    let ran = trial(&bench.worker, foreign, Arc::clone(&bench.stack), store)
        .await
        .unwrap();
    assert!(
        matches!(ran, Trial::Skipped("for another worker")),
        "{ran:?}"
    );
    let notes = read_all(bench.folder.path());
    // The folder holds other files too, and none of their lines is a note.
    assert_eq!(
        notes
            .unwrap()
            .iter()
            .filter(|note| note.seen == Seen::Done)
            .count(),
        3
    );
}
