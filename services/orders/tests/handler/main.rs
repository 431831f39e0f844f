//! The handler on a model store, with suppliers over real HTTP: what is called, what is published, what is repeated.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod suppliers;

use std::{collections::BTreeSet, sync::Arc};

use argosy_broker::{Delivery, Message, TopicPartition};
use argosy_events::{
    Envelope, Payload,
    orders::v1::{Address, Line, OrderApproved, OrderRefused, OrderRouted},
};
use argosy_kernel::{Death, Waiting};
use argosy_orders::{Route, Routing, worker};
use argosy_outbound::{Dependency, DependencySettings, Profile, Repeat, Stack};
use argosy_runtime::{Trial, trial};
use argosy_store::Store;
use argosy_testkit::store::SharedModelStore;
use argosy_vendors::supplier::Supplier;
use serde_json::json;
use tokio_util::task::TaskTracker;

use suppliers::{Seen, Suppliers};

/// Two suppliers, acme and globex, and a worker that knows them.
struct Shop {
    suppliers: Suppliers,
    stack: Arc<Stack>,
    store: Arc<dyn Store>,
}

impl Shop {
    async fn open() -> Self {
        let suppliers = Suppliers::start().await;
        let dependencies = ["acme", "globex"].map(|name| {
            let base_url = format!("http://{}/{name}", suppliers.address);
            DependencySettings::new(Dependency(name.into()), base_url)
        });
        let tracker = TaskTracker::new();
        let stack = Stack::new(dependencies.into(), &Profile::Dev, &tracker).unwrap();
        Self {
            suppliers,
            stack: Arc::new(stack),
            store: Arc::new(SharedModelStore::new()),
        }
    }

    async fn run(&self, event: &Delivery) -> Trial {
        let routes = [("acme", "ACME-*"), ("globex", "GLOBEX-*")].map(|(name, sku)| Route {
            skus: vec![sku.into()],
            supplier: Supplier {
                name: name.into(),
                dependency: Dependency(name.into()),
                repeat: Repeat::Natural,
                has_lookup: true,
            },
        });
        let worker = worker(Routing::new(routes).unwrap());
        let (stack, store) = (Arc::clone(&self.stack), Arc::clone(&self.store));
        trial(&worker, event.clone(), stack, store).await.unwrap()
    }

    async fn done(&self, event: &Delivery) -> Vec<Message> {
        match self.run(event).await {
            Trial::Done(messages) => messages,
            other => panic!("{other:?}"),
        }
    }
}

fn order(skus: &[&str]) -> OrderApproved {
    let lines = skus.iter().enumerate().map(|(n, sku)| Line {
        line_id: format!("line-{n}"),
        sku: (*sku).to_owned(),
        quantity: 2,
        title: "Lantern".into(),
        unit_price: None,
    });
    OrderApproved {
        order_id: "1001".into(),
        version: 7,
        shop: "lantern.example".into(),
        name: "#1001".into(),
        currency: "KWD".into(),
        lines: lines.collect(),
        shipping_address: Some(Address {
            name: "Zoë 李".into(),
            city: "Kraków".into(),
            ..Address::default()
        }),
        ..OrderApproved::default()
    }
}

fn event(body: &OrderApproved, id: &str) -> Delivery {
    let mut envelope = Envelope::new_flow("shopify://lantern", OrderApproved::TYPE, "1001", 0);
    envelope.id = id.into();
    Delivery {
        from: TopicPartition {
            topic: OrderApproved::TOPIC.into(),
            partition: 0,
        },
        offset: 0,
        timestamp_ms: None,
        key: Some("1001".into()),
        value: Some(body.encode()),
        headers: envelope.headers(),
        bytes: 0,
    }
}

fn routed(messages: &[Message]) -> Vec<OrderRouted> {
    let values = messages
        .iter()
        .map(|message| message.value.as_ref().unwrap());
    values
        .map(|value| OrderRouted::decode(None, value).unwrap())
        .collect()
}

fn calls(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.call.as_str()).collect()
}

#[tokio::test]
async fn an_order_is_drafted_and_confirmed_at_each_of_its_suppliers() {
    let shop = Shop::open().await;
    let messages = shop
        .done(&event(&order(&["GLOBEX-1", "ACME-1", "GLOBEX-2"]), "e-1"))
        .await;
    let seen = shop.suppliers.seen();
    let expected = [
        "POST /acme/v1/orders",
        "POST /acme/v1/orders/acme-1/confirm",
        "POST /globex/v1/orders",
        "POST /globex/v1/orders/globex-1/confirm",
    ];
    assert_eq!(calls(&seen), expected);
    let body = &seen[2].body;
    let items = json!([
        {"line_ref": "line-0", "supplier_sku": "GLOBEX-1", "quantity": 2},
        {"line_ref": "line-2", "supplier_sku": "GLOBEX-2", "quantity": 2},
    ]);
    assert_eq!(body["items"], items);
    assert_eq!(body["metadata"], json!({"order": "1001", "sequence": 7}));
    assert_eq!(body["ship_to"], json!({"name": "Zoë 李", "city": "Kraków"}));

    let routed = routed(&messages);
    let names: Vec<&str> = routed
        .iter()
        .map(|routed| routed.supplier.as_str())
        .collect();
    assert_eq!(names, ["acme", "globex"]);
    let globex = &routed[1];
    assert_eq!((globex.order_id.as_str(), globex.version), ("1001", 7));
    assert_eq!(globex.supplier_order_id, "globex-1");
    assert_eq!(body["external_order_id"], *globex.reference);
    assert_eq!(globex.line_ids, ["line-0", "line-2"]);
    assert!(
        messages
            .iter()
            .all(|message| message.key.as_deref() == Some(b"1001"))
    );
}

#[tokio::test]
async fn every_call_has_an_idempotency_key_of_its_own_and_every_event_a_reference() {
    let shop = Shop::open().await;
    let body = order(&["ACME-1", "GLOBEX-1"]);
    shop.done(&event(&body, "e-1")).await;
    shop.done(&event(&body, "e-2")).await;
    let seen = shop.suppliers.seen();
    let keys: BTreeSet<_> = seen
        .iter()
        .map(|seen| seen.idempotency_key.as_deref().unwrap())
        .collect();
    let references: BTreeSet<_> = seen
        .iter()
        .filter_map(|seen| seen.body["external_order_id"].as_str())
        .collect();
    assert_eq!((keys.len(), references.len()), (8, 4), "{seen:?}");
}

#[tokio::test]
async fn a_second_run_calls_nobody_and_publishes_the_same() {
    let shop = Shop::open().await;
    let event = event(&order(&["ACME-1", "GLOBEX-1"]), "e-1");
    let first = shop.done(&event).await;
    let calls = shop.suppliers.seen().len();
    let second = shop.done(&event).await;
    assert_eq!(shop.suppliers.seen().len(), calls);
    let identities = |messages: &[Message]| -> Vec<_> {
        let ids = messages.iter().map(|message| {
            let id = message.headers.iter().find(|(name, _)| name == "ce_id");
            (id.unwrap().1.clone(), message.value.clone())
        });
        ids.collect()
    };
    assert_eq!(identities(&first), identities(&second));
}

#[tokio::test]
async fn a_run_after_an_outage_makes_only_the_calls_that_were_not_made() {
    let shop = Shop::open().await;
    let event = event(&order(&["ACME-1", "GLOBEX-1"]), "e-1");
    shop.suppliers
        .answer("POST /globex/v1/orders", 503, json!({}));
    let waiting = shop.run(&event).await;
    assert!(
        matches!(&waiting, Trial::Deferred(Waiting::Dependency(name)) if &**name == "globex"),
        "{waiting:?}"
    );
    shop.suppliers.forget();
    shop.done(&event).await;
    assert_eq!(
        calls(&shop.suppliers.seen()),
        [
            "POST /globex/v1/orders",
            "POST /globex/v1/orders/globex-1/confirm"
        ]
    );
}

#[tokio::test]
async fn a_draft_that_the_supplier_already_holds_is_confirmed() {
    let shop = Shop::open().await;
    let problem = json!({"code": "duplicate_order", "existing_order_id": "acme-77"});
    shop.suppliers.answer("POST /acme/v1/orders", 409, problem);
    let messages = shop.done(&event(&order(&["ACME-1"]), "e-1")).await;
    assert_eq!(
        calls(&shop.suppliers.seen())[1],
        "POST /acme/v1/orders/acme-77/confirm"
    );
    assert_eq!(routed(&messages)[0].supplier_order_id, "acme-77");
}

#[tokio::test]
async fn an_order_with_a_line_that_nobody_serves_is_refused_without_a_call() {
    let shop = Shop::open().await;
    let messages = shop
        .done(&event(&order(&["ACME-1", "INITECH-1", ""]), "e-1"))
        .await;
    assert!(shop.suppliers.seen().is_empty());
    let [message] = &messages[..] else {
        panic!("{messages:?}");
    };
    let refused = OrderRefused::decode(None, message.value.as_ref().unwrap()).unwrap();
    assert_eq!((refused.order_id.as_str(), refused.version), ("1001", 7));
    let lines: Vec<_> = refused
        .lines
        .iter()
        .map(|line| (&*line.line_id, &*line.sku, &*line.reason))
        .collect();
    let expected = [
        ("line-1", "INITECH-1", "no supplier serves this SKU"),
        ("line-2", "", "the line has no SKU"),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn an_order_without_lines_is_refused() {
    let shop = Shop::open().await;
    let messages = shop.done(&event(&order(&[]), "e-1")).await;
    let refused = OrderRefused::decode(None, messages[0].value.as_ref().unwrap()).unwrap();
    assert_eq!(
        (refused.reason.as_str(), refused.lines.len()),
        ("the order has no lines", 0)
    );
}

#[tokio::test]
async fn what_a_supplier_refuses_for_good_is_told_by_line_and_others_get_theirs() {
    let shop = Shop::open().await;
    let problem =
        json!({"code": "out_of_stock", "errors": [{"line_ref": "line-0", "code": "out_of_stock"}]});
    shop.suppliers.answer("POST /acme/v1/orders", 422, problem);
    let messages = shop
        .done(&event(&order(&["ACME-1", "ACME-2", "GLOBEX-1"]), "e-1"))
        .await;
    let refused = OrderRefused::decode(None, messages[0].value.as_ref().unwrap()).unwrap();
    assert_eq!(
        refused.reason,
        "acme refuses: out of stock (line-0: out_of_stock)"
    );
    let lines: Vec<_> = refused
        .lines
        .iter()
        .map(|line| (line.line_id.as_str(), line.reason.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            ("line-0", "out of stock"),
            ("line-1", "the supplier refuses another line of the order")
        ]
    );
    let routed = routed(&messages[1..]);
    assert_eq!(routed.len(), 1);
    assert_eq!(routed[0].supplier, "globex");
    assert_eq!(shop.suppliers.seen().len(), 3, "it is not asked again");
}

#[tokio::test]
async fn a_refusal_stands_when_the_event_comes_again_though_the_supplier_would_take_it_now() {
    let shop = Shop::open().await;
    let event = event(&order(&["ACME-1", "GLOBEX-1"]), "e-1");
    let refusals = [
        ("POST /acme/v1/orders", json!({"code": "out_of_stock"})),
        (
            "POST /globex/v1/orders/globex-1/confirm",
            json!({"code": "price_changed"}),
        ),
    ];
    for (path, problem) in refusals {
        shop.suppliers.answer(path, 422, problem);
    }
    let told = |messages: &[Message]| -> Vec<_> {
        let refusals = messages.iter().map(|message| {
            let refused = OrderRefused::decode(None, message.value.as_ref().unwrap()).unwrap();
            (refused.supplier, refused.reason)
        });
        refusals.collect()
    };
    let first = shop.done(&event).await;
    let expected = [
        ("acme", "acme refuses: out of stock"),
        (
            "globex",
            "globex refuses: the price is above what was allowed",
        ),
    ];
    assert_eq!(told(&first), expected.map(|(a, b)| (a.into(), b.into())));
    let calls = shop.suppliers.seen().len();
    shop.suppliers.forget();
    let again = shop.done(&event).await;
    assert_eq!(told(&again), told(&first));
    assert_eq!((shop.suppliers.seen().len(), calls), (0, 3));
}

#[tokio::test]
async fn a_request_that_a_supplier_calls_wrong_is_dead() {
    let shop = Shop::open().await;
    let problem = json!({"code": "idempotency_mismatch"});
    shop.suppliers.answer("POST /acme/v1/orders", 422, problem);
    let refused = shop.run(&event(&order(&["ACME-1"]), "e-1")).await;
    assert!(
        matches!(refused, Trial::Dead(Death::Refused, _)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_order_that_is_none_is_dead_before_anything_is_called() {
    let shop = Shop::open().await;
    let mut wrong = event(&order(&["ACME-1"]), "e-1");
    wrong.value = Some(vec![0xff, 0xff].into());
    let dead = shop.run(&wrong).await;
    assert!(
        matches!(dead, Trial::Dead(Death::Undecodable, _)),
        "{dead:?}"
    );
    let mut keyless = order(&["ACME-1"]);
    keyless.order_id = String::new();
    let dead = shop.run(&event(&keyless, "e-2")).await;
    assert!(matches!(dead, Trial::Dead(Death::Invalid, _)), "{dead:?}");
    assert!(shop.suppliers.seen().is_empty());
}
