//! `orders/create`: our own payloads, the documented example where it is present, and every kind of bad one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{env, fs, path::PathBuf};

use argosy_events::{Payload, orders::v1::OrderPlaced};
use argosy_vendors::shopify::{Order, order_placed};
use serde_json::{Value, json};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn payload(name: &str) -> Vec<u8> {
    fs::read(root().join("contracts/shopify").join(name)).unwrap()
}

fn full() -> Value {
    serde_json::from_slice(&payload("orders.create.json")).unwrap()
}

#[test]
fn a_full_order_becomes_an_event_with_every_digit_of_its_ids() {
    let order = Order::parse(&payload("orders.create.json")).unwrap();
    assert!(
        !format!(
            "{order:?} {:?} {:?}",
            order.customer, order.shipping_address
        )
        .contains("Zo")
    );
    let placed = order_placed(order, "shop.myshopify.com").unwrap();
    assert_eq!(placed.order_id, "9223372036854775807");
    assert_eq!(placed.version, 1_795_262_401_000);
    assert_eq!(placed.lines[0].line_id, "9007199254740993");
    assert_eq!(placed.lines[0].title, "Tee ☀");
    assert_eq!(placed.lines[1].unit_price.as_ref().unwrap().minor, 1050);
    assert_eq!(placed.total.as_ref().unwrap().minor, 3160);
    assert_eq!(
        placed.customer.as_ref().unwrap().customer_id,
        "9007199254740995"
    );
    assert_eq!(
        placed.shipping_address.as_ref().unwrap().postal_code,
        "28195"
    );
    assert_eq!(OrderPlaced::decode(None, &placed.encode()).unwrap(), placed);
}

#[test]
fn a_guest_order_in_yen_has_no_customer_and_no_fractions() {
    let order = Order::parse(&payload("orders.create.guest.json")).unwrap();
    let placed = order_placed(order, "shop.myshopify.com").unwrap();
    assert_eq!((placed.customer, placed.shipping_address), (None, None));
    assert_eq!(placed.total.unwrap().minor, 1200);
    assert_eq!(
        (
            placed.lines[0].sku.as_str(),
            placed.lines[0].unit_price.as_ref().unwrap().minor
        ),
        ("", 1200)
    );
}

#[test]
fn a_customer_without_id_is_nobody_and_an_empty_line_is_left_out() {
    let mut body = full();
    body["customer"]["id"] = Value::Null;
    body["line_items"][0]["quantity"] = json!(0);
    let placed = order_placed(Order::parse(&body.to_string().into_bytes()).unwrap(), "s").unwrap();
    assert!(placed.customer.is_none());
    assert_eq!(placed.lines.len(), 1);
}

#[test]
fn every_bad_field_is_named_by_its_path_and_never_repeated() {
    for (pointer, value, path) in [
        ("/id", json!(9_223_372_036_854_775_808.0_f64), "id"),
        ("/id", json!("9223372036854775807"), "id"),
        ("/id", json!(-1), "id"),
        ("/id", json!(null), "id"),
        ("/updated_at", json!("yesterday"), "updated_at"),
        ("/updated_at", json!(1_795_262_401), "updated_at"),
        ("/currency", json!("usd"), "currency"),
        ("/currency", json!(null), "currency"),
        ("/total_price", json!(31.6), "total_price"),
        ("/total_price", json!("31,60"), "total_price"),
        ("/total_price", json!("31.605"), "total_price"),
        ("/total_price", json!("99999999999999999999"), "total_price"),
        ("/line_items", json!({}), "line_items"),
        (
            "/line_items/1",
            json!("secret@example.com"),
            "line_items[1]",
        ),
        ("/line_items/1/id", json!(1.5), "line_items[1].id"),
        ("/line_items/1/price", json!("1e3"), "line_items[1].price"),
        ("/line_items/1/price", json!("."), "line_items[1].price"),
        (
            "/line_items/1/quantity",
            json!(-2),
            "line_items[1].quantity",
        ),
        (
            "/line_items/1/quantity",
            json!(4_294_967_296_u64),
            "line_items[1].quantity",
        ),
        (
            "/line_items/1/sku",
            json!(["secret@example.com"]),
            "line_items[1].sku",
        ),
        ("/customer", json!("secret@example.com"), "customer"),
        (
            "/customer/email",
            json!({"secret@example.com": 1}),
            "customer.email",
        ),
        (
            "/shipping_address/zip",
            json!(28195),
            "shipping_address.zip",
        ),
    ] {
        let mut body = full();
        *body.pointer_mut(pointer).unwrap() = value.clone();
        let error = Order::parse(&body.to_string().into_bytes()).unwrap_err();
        assert_eq!(error.path, path, "{value}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn missing_and_duplicate_fields_are_named() {
    for field in ["id", "updated_at", "currency", "total_price", "line_items"] {
        let mut body = full();
        body.as_object_mut().unwrap().remove(field);
        let error = Order::parse(&body.to_string().into_bytes()).unwrap_err();
        assert_eq!(
            (error.path.as_str(), error.message.as_str()),
            (field, "is missing")
        );
    }
    let mut body = full();
    body["line_items"][1]
        .as_object_mut()
        .unwrap()
        .remove("price");
    let error = Order::parse(&body.to_string().into_bytes()).unwrap_err();
    assert_eq!(
        (error.path.as_str(), error.message.as_str()),
        ("line_items[1].price", "is missing")
    );
    let twice = full().to_string().replacen('{', r#"{"id": 1,"#, 1);
    let error = Order::parse(twice.as_bytes()).unwrap_err();
    assert_eq!(
        (error.path.as_str(), error.message.as_str()),
        ("id", "is repeated")
    );
}

#[test]
fn what_is_no_json_document_is_refused_as_a_body() {
    let good = payload("orders.create.json");
    let (torn, doubled) = (&good[..good.len() / 2], [&good[..], b"{}"].concat());
    let deep = "[".repeat(100_000);
    let hostile: [&[u8]; 7] = [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe{}",
        b"\0",
        deep.as_bytes(),
        br#"{"id": 1e400}"#,
    ];
    for body in hostile.into_iter().chain([torn, &doubled]) {
        Order::parse(body).unwrap_err();
    }
    for body in [torn, &doubled[..], b""] {
        assert_eq!(Order::parse(body).unwrap_err().path, "body");
    }
}

#[test]
fn a_list_is_never_taken_for_an_object() {
    let must_be = |body: &str, path: &str| {
        let error = Order::parse(body.as_bytes()).unwrap_err();
        assert_eq!(
            (error.path.as_str(), error.message.as_str()),
            (path, "must be an object")
        );
    };
    let in_places = r##"[1,"#1","2026-11-21T12:00:00Z","USD","1.00",[],null,null]"##;
    must_be(in_places, "body");
    must_be("[]", "body");
    must_be(&"[".repeat(100_000), "body");
    for (pointer, value, path) in [
        (
            "/line_items/1",
            json!([11, null, null, 1, "1.00"]),
            "line_items[1]",
        ),
        ("/customer", json!([1, null, null, null, null]), "customer"),
        (
            "/shipping_address",
            json!(vec![json!(null); 9]),
            "shipping_address",
        ),
    ] {
        let mut body = full();
        *body.pointer_mut(pointer).unwrap() = value;
        must_be(&body.to_string(), path);
    }
}

#[test]
fn what_the_event_refuses_is_refused_before_it_is_published() {
    let mut body = full();
    body["line_items"][1]["id"] = body["line_items"][0]["id"].clone();
    let order = Order::parse(&body.to_string().into_bytes()).unwrap();
    assert_eq!(
        order_placed(order, "s").unwrap_err().path,
        "line_items[1].id"
    );
}

#[test]
fn what_the_event_refuses_is_named_as_the_shop_sent_it() {
    let long = json!("x".repeat(5_000));
    for (pointer, value, path) in [
        ("/updated_at", json!("1969-01-01T00:00:00Z"), "updated_at"),
        ("/line_items/1/sku", long.clone(), "line_items[1].sku"),
        (
            "/line_items/1/quantity",
            json!(1_000_001),
            "line_items[1].quantity",
        ),
        ("/customer/email", long.clone(), "customer.email"),
        (
            "/shipping_address/zip",
            long.clone(),
            "shipping_address.zip",
        ),
        ("/shipping_address/city", long, "shipping_address.city"),
    ] {
        let mut body = full();
        *body.pointer_mut(pointer).unwrap() = value;
        // A line of which nothing is left is no line of the event, and still one of the payload.
        body["line_items"][0]["quantity"] = json!(0);
        let order = Order::parse(&body.to_string().into_bytes()).unwrap();
        let error = order_placed(order, "s").unwrap_err();
        assert_eq!(error.path, path, "{error}");
    }
    let order = Order::parse(&full().to_string().into_bytes()).unwrap();
    let error = order_placed(order, &"x".repeat(256)).unwrap_err();
    assert_eq!(error.path, "x-shopify-shop-domain");
}

#[test]
fn a_title_beyond_all_bounds_is_cut_and_the_order_taken() {
    let mut body = full();
    body["line_items"][0]["title"] = json!("☀".repeat(5_000));
    let order = Order::parse(&body.to_string().into_bytes()).unwrap();
    assert_eq!(
        order_placed(order, "s").unwrap().lines[0]
            .title
            .chars()
            .count(),
        250
    );
}

/// The vendor's own documents, where they are at hand.
#[test]
fn the_documented_example_is_read() {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by a variable where the vendors' documents are"
    )]
    let folder = env::var_os("ARGOSY_VENDOR_CONTRACTS").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| root().join("../shared/vendors"));
    for example in ["orders.create", "orders.cancelled"] {
        let Ok(body) = fs::read(
            folder
                .join("shopify/examples")
                .join(format!("{example}.json")),
        ) else {
            continue;
        };
        let order = Order::parse(&body).unwrap();
        assert_eq!(order.id, 820_982_911_946_154_500);
        assert!(!order.lines.is_empty());
        order_placed(order, "jsmith.myshopify.com").unwrap();
    }
}
