//! `POST /webhooks/shopify`: signatures, deliveries, payloads, and the events they become.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use argosy_events::{
    Payload,
    orders::v1::{OrderApproved, OrderPlaced},
};
use argosy_shell::config::{Gateway, Shopify};
use axum::{
    body::Body,
    http::{Request, request::Builder},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    broker::Mood,
    edge::{Answer, Edge, WEBHOOK_SECRET, WEBHOOK_SECRET_OLD, settings},
};

fn order() -> Value {
    json!({
        "id": 9_007_199_254_740_993_u64,
        "name": "#1001",
        "updated_at": "2026-03-01T12:00:00+01:00",
        "currency": "EUR",
        "total_price": "25.98",
        "customer": null,
        "shipping_address": { "name": "Jane Doe", "address1": "Main Street 1", "city": "Köln", "zip": "50667", "country_code": "DE" },
        "line_items": [{ "id": 1, "sku": "NORTH-1", "title": "Tasse 🫖", "quantity": 2, "price": "12.99" }],
    })
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    STANDARD.encode(mac.chain_update(body).finalize().into_bytes())
}

fn delivery(webhook_id: &str) -> Builder {
    Request::post("/webhooks/shopify")
        .header("Content-Type", "application/json")
        .header("X-Shopify-Topic", "orders/create")
        .header("X-Shopify-Webhook-Id", webhook_id)
        .header("X-Shopify-Shop-Domain", "One.Example")
        .header("X-Shopify-Api-Version", "2026-07")
        .header("X-Shopify-Triggered-At", "2026-03-01T11:00:00.123Z")
}

async fn post(edge: &Edge, request: Builder, body: &[u8]) -> Answer {
    let request = request.header("X-Shopify-Hmac-Sha256", signature(WEBHOOK_SECRET, body));
    edge.ask(request.body(Body::from(body.to_vec())).expect("a request"))
        .await
}

#[tokio::test]
async fn an_order_is_published_as_placed_and_as_approved_in_one_flow() {
    let edge = Edge::new();
    let answer = post(&edge, delivery("b54557e4"), order().to_string().as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(
        edge.broker.sent()[0].len(),
        3,
        "both events and their steps leave together"
    );
    let events = edge.events();
    let types: Vec<_> = events
        .iter()
        .map(|(envelope, ..)| &*envelope.event_type)
        .collect();
    assert_eq!(types, [OrderPlaced::TYPE, OrderApproved::TYPE]);
    for (envelope, key, body) in &events {
        assert_eq!(&*envelope.source, "shopify://one.example");
        assert_eq!(envelope.correlation_id, events[0].0.id);
        assert_eq!(key.as_deref(), Some("9007199254740993"));
        assert_eq!(body.lines[0].unit_price.as_ref().unwrap().minor, 1_299);
        assert_eq!(body.version, 1_772_362_800_000);
    }
    assert_ne!(events[0].0.id, events[1].0.id);
    assert_eq!(events[1].0.causation_id.as_ref(), Some(&events[0].0.id));
    let location = answer.headers["location"].to_str().unwrap();
    assert_eq!(
        location,
        format!(
            "/v1/events/{}?source=shopify%3A%2F%2Fone.example",
            events[0].0.id
        )
    );
    assert_eq!(answer.body["events"][1]["id"], *events[1].0.id);
    assert_eq!(edge.steps()[0].entries.len(), 2);
}

#[tokio::test]
async fn a_delivery_sent_again_is_the_same_events() {
    let edge = Edge::new();
    let body = order().to_string();
    edge.broker
        .mood(Mood::FailsLast(argosy_broker::BrokerError::Unavailable(
            "away".to_owned(),
        )));
    post(&edge, delivery("b54557e4"), body.as_bytes())
        .await
        .assert_problem(503, "unknown");
    edge.broker.mood(Mood::Acknowledges);
    let restarted = Edge::new();
    assert_eq!(
        post(&restarted, delivery("b54557e4"), body.as_bytes())
            .await
            .status,
        202
    );
    let ids = |edge: &Edge| {
        edge.events()
            .into_iter()
            .map(|(envelope, ..)| envelope.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&edge), ids(&restarted));
    let other = Edge::new();
    post(&other, delivery("another"), body.as_bytes()).await;
    assert_ne!(ids(&edge), ids(&other));
}

#[tokio::test]
async fn without_the_setting_an_order_is_placed_only() {
    let edge = Edge::with(Gateway {
        approve_placed_orders: false,
        ..settings()
    });
    post(&edge, delivery("b54557e4"), order().to_string().as_bytes()).await;
    let events = edge.events();
    assert_eq!(events.len(), 1);
    assert_eq!(&*events[0].0.event_type, OrderPlaced::TYPE);
}

#[tokio::test]
async fn a_wrong_or_missing_signature_is_refused() {
    let edge = Edge::new();
    let body = order().to_string();
    let ask = async |signature: &[u8]| {
        let request = delivery("b54557e4").header("X-Shopify-Hmac-Sha256", signature);
        edge.ask(request.body(Body::from(body.clone())).unwrap())
            .await
    };
    let other_body = signature(WEBHOOK_SECRET, b"{}");
    let other_secret = signature("another-secret-of-32-characters!", body.as_bytes());
    let flipped = signature(WEBHOOK_SECRET, body.as_bytes()).replace('=', "A");
    for wrong in ["", "%%%", "AAAA", &*other_body, &*other_secret, &*flipped] {
        ask(wrong.as_bytes()).await.assert_problem(401, "unsigned");
    }
    ask(&[0xff; 44]).await.assert_problem(401, "unsigned");
    let unsigned = delivery("b54557e4").body(Body::from(body.clone())).unwrap();
    edge.ask(unsigned).await.assert_problem(401, "unsigned");
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn the_signature_is_judged_before_anything_else_is_said() {
    let edge = Edge::new();
    let request = Request::post("/webhooks/shopify").header("X-Shopify-Hmac-Sha256", "AAAA");
    edge.ask(request.body(Body::from("{")).unwrap())
        .await
        .assert_problem(401, "unsigned");
}

#[tokio::test]
async fn the_secret_before_the_rotation_is_still_good() {
    let edge = Edge::new();
    let body = order().to_string();
    let old = signature(WEBHOOK_SECRET_OLD, body.as_bytes());
    let request = delivery("b54557e4").header("x-shopify-hmac-sha256", old);
    assert_eq!(
        edge.ask(request.body(Body::from(body)).unwrap())
            .await
            .status,
        202
    );
}

#[tokio::test]
async fn without_a_secret_webhooks_are_closed() {
    let edge = Edge::with(Gateway {
        shopify: Shopify::default(),
        ..settings()
    });
    post(&edge, delivery("b54557e4"), order().to_string().as_bytes())
        .await
        .assert_problem(403, "closed");
}

#[tokio::test]
async fn headers_that_are_missing_repeated_or_hostile_are_named() {
    let edge = Edge::new();
    let body = order().to_string();
    let without = |name: &str| {
        let mut request = delivery("b54557e4");
        request
            .headers_mut()
            .expect("the headers are valid")
            .remove(name);
        request
    };
    let with = |name: &str, value: &[u8]| without(name).header(name, value);
    for name in [
        "x-shopify-topic",
        "x-shopify-webhook-id",
        "x-shopify-shop-domain",
        "x-shopify-api-version",
    ] {
        post(&edge, without(name), body.as_bytes())
            .await
            .assert_invalid(name);
        post(&edge, with(name, b""), body.as_bytes())
            .await
            .assert_invalid(name);
        post(&edge, with(name, &[b'x'; 256]), body.as_bytes())
            .await
            .assert_invalid(name);
        post(&edge, with(name, &[0xff]), body.as_bytes())
            .await
            .assert_invalid(name);
        post(
            &edge,
            delivery("b54557e4").header(name, "twice"),
            body.as_bytes(),
        )
        .await
        .assert_invalid(name);
    }
    let hostile = with("x-shopify-shop-domain", b"evil/../host");
    let answer = post(&edge, hostile, body.as_bytes()).await;
    answer.assert_invalid("x-shopify-shop-domain");
    assert_eq!(answer.body["detail"], "must be a host name");
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn payloads_that_are_not_as_documented_are_named_by_the_field() {
    let edge = Edge::new();
    let with = |name: &str, value: Value| {
        let mut order = order();
        order[name] = value;
        order.to_string()
    };
    let cases = [
        (String::new(), "body"),
        ("{".to_owned(), "body"),
        ("[]".to_owned(), "body"),
        ("{}".to_owned(), "id"),
        (with("id", json!("Jane")), "id"),
        (with("id", json!(-1)), "id"),
        (with("id", json!(1.5)), "id"),
        (with("currency", json!("EURO")), "currency"),
        (
            with(
                "line_items",
                json!([{ "id": 1, "title": "t", "quantity": 1, "price": "a lot" }]),
            ),
            "line_items[0].price",
        ),
        (
            with(
                "line_items",
                json!([{ "id": 1, "title": "t", "quantity": -1, "price": "1.00" }]),
            ),
            "line_items[0].quantity",
        ),
        (with("line_items", json!({})), "line_items"),
        (
            with(
                "line_items",
                json!([
                    { "id": 1, "quantity": 0, "price": "1.00" },
                    { "id": 2, "quantity": 1, "price": "1.00", "sku": "x".repeat(5_000) },
                ]),
            ),
            "line_items[1].sku",
        ),
        (
            with(
                "line_items",
                json!([
                    { "id": 1, "quantity": 1, "price": "1.00" },
                    { "id": 2, "quantity": 0, "price": "1.00" },
                    { "id": 1, "quantity": 1, "price": "1.00" },
                ]),
            ),
            "line_items[2].id",
        ),
        (format!("{} {}", order(), order()), "body"),
        (
            r##"[1,"#1","2026-11-21T12:00:00Z","USD","1.00",[],null,null]"##.to_owned(),
            "body",
        ),
        ("[".repeat(60_000), "body"),
        (
            with("line_items", json!([[11, null, null, 1, "1.00"]])),
            "line_items[0]",
        ),
    ];
    for (body, path) in cases {
        let answer = post(&edge, delivery("b54557e4"), body.as_bytes()).await;
        answer.assert_invalid(path);
        answer.assert_speaks_of_no_internals();
    }
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn a_payload_above_the_limit_is_refused_before_its_signature_is_judged() {
    let edge = Edge::new();
    let long = vec![b' '; 64 * 1_024 + 1];
    let request = delivery("b54557e4").body(Body::from(long)).unwrap();
    edge.ask(request).await.assert_problem(413, "too-large");
}

#[tokio::test]
async fn an_order_that_its_topic_cannot_take_is_too_large_and_not_unknown() {
    let edge = Edge::with(Gateway {
        body_bytes_max: 4 << 20,
        ..settings()
    });
    let lines: Vec<Value> = (0..1_000)
        .map(|id| {
            let (sku, title) = ("s".repeat(255), "🫖".repeat(250));
            json!({ "id": id, "sku": sku, "title": title, "quantity": 1, "price": "1.00" })
        })
        .collect();
    let mut order = order();
    order["line_items"] = json!(lines);
    post(&edge, delivery("b54557e4"), order.to_string().as_bytes())
        .await
        .assert_problem(413, "too-large");
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn topics_that_nobody_handles_are_answered_well_and_dropped() {
    let edge = Edge::new();
    let mut request = delivery("b54557e4");
    request
        .headers_mut()
        .unwrap()
        .insert("x-shopify-topic", "products/update".parse().unwrap());
    let answer = post(&edge, request, b"{}").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["ignored"]),
        (200, &json!(true))
    );
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn another_method_is_refused() {
    Edge::new()
        .get("/webhooks/shopify")
        .await
        .assert_problem(405, "method-not-allowed");
}

#[tokio::test]
async fn documented_payloads_are_taken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let ours = ["orders.create.json", "orders.create.guest.json"]
        .map(|file| root.join("contracts/shopify").join(file));
    for file in ours {
        let document = fs::read(&file).expect("the contract is part of the repository");
        let edge = Edge::new();
        let answer = post(&edge, delivery("b54557e4"), &document).await;
        assert_eq!(answer.status, 202, "{}: {answer:?}", file.display());
        assert_eq!(edge.events().len(), 2);
    }
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the vendors' own documents lie where a machine has them"
)]
async fn the_vendors_own_example_is_taken_where_it_is_present() {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vendors");
    let folder = env::var_os("ARGOSY_VENDOR_CONTRACTS").map_or_else(default, PathBuf::from);
    let Ok(document) = fs::read(folder.join("shopify/examples/orders.create.json")) else {
        return;
    };
    let edge = Edge::new();
    let answer = post(&edge, delivery("b54557e4"), &document).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(edge.events().len(), 2);
}
