//! Bodies: both encodings, their checks, and what they meet from outside.

use argosy_events::{
    Payload, PayloadError,
    fleet::v1::TimelineBatch,
    orders::v1::{Address, Customer, Line, Money, OrderApproved, OrderPlaced},
    validate_any,
};
use proptest::prelude::*;

const JSON: Option<&str> = Some("application/json; charset=utf-8");

/// Breaks one field.
type Change<T> = fn(&mut T);

fn money(minor: i64) -> Money {
    Money {
        minor,
        currency: "EUR".to_owned(),
    }
}

fn line(id: &str) -> Line {
    Line {
        line_id: id.to_owned(),
        sku: "NORTH-1".to_owned(),
        quantity: 2,
        title: "Tasse „Grün“ 🫖".to_owned(),
        unit_price: Some(money(1_299)),
    }
}

fn order() -> OrderApproved {
    OrderApproved {
        order_id: "9007199254740993".to_owned(),
        version: 9_007_199_254_740_993,
        shop: "one.example".to_owned(),
        name: "#1001".to_owned(),
        currency: "EUR".to_owned(),
        lines: vec![line("1"), line("2")],
        total: Some(money(5_196)),
        customer: Some(Customer {
            email: "jane@example.org".to_owned(),
            ..Customer::default()
        }),
        shipping_address: Some(Address {
            name: "Jane Doe".to_owned(),
            ..Address::default()
        }),
    }
}

fn invalid_path(order: &OrderApproved) -> String {
    match OrderApproved::decode(None, &order.encode()) {
        Err(PayloadError::Invalid { path, .. }) => path,
        other => panic!("expected an invalid field, got {other:?}"),
    }
}

#[test]
fn protobuf_is_read_with_and_without_a_content_type() {
    for content_type in [
        None,
        Some("application/protobuf"),
        Some("Application/Protobuf; proto=x"),
        Some("application/x-protobuf"),
    ] {
        assert_eq!(
            OrderApproved::decode(content_type, &order().encode()).unwrap(),
            order()
        );
    }
}

#[test]
fn a_json_and_a_protobuf_copy_have_one_hash() {
    let json = serde_json::to_vec(&order()).unwrap();
    let from_json = OrderApproved::decode(JSON, &json).unwrap();
    assert_eq!(from_json, order());
    assert_eq!(from_json.body_hash(), order().body_hash());
}

#[test]
fn integers_of_64_bits_are_strings_or_numbers_and_exact() {
    let as_json = serde_json::to_value(order()).unwrap();
    assert_eq!(as_json["version"], "9007199254740993");
    let text = br#"{"orderId":"1","version":9007199254740993,"shop":"s","currency":"EUR"}"#;
    assert_eq!(
        OrderApproved::decode(JSON, text).unwrap().version,
        9_007_199_254_740_993
    );
}

#[test]
fn names_may_be_in_either_style_and_a_records_unknown_fields_are_ignored() {
    let text = br#"{"order_id":"1","shop":"s","currency":"EUR","addedLater":{"deep":[1,2]}}"#;
    assert_eq!(OrderApproved::decode(JSON, text).unwrap().order_id, "1");
    let either = br#"{"order_id":"1","shop":"s","currency":"EUR"}"#;
    validate_any(OrderApproved::TYPE, JSON, either).unwrap();
}

#[test]
fn json_from_outside_with_a_field_that_its_type_has_not_is_undecodable_with_its_place() {
    for (field, path) in [
        (r#""shippingAdress":{"city":"Bremen"}"#, "shippingAdress"),
        (
            r#""shippingAddress":{"zip":"28195"}"#,
            "shippingAddress.zip",
        ),
        (
            r#""lines":[{"lineId":"1","quantity":1,"price":{"Jane":[1]}}]"#,
            "lines[0].price",
        ),
        (
            r#""lines":[{"lineId":"1","quantity":1,"unitPrice":{"currency":"EUR","cents":null}}]"#,
            "lines[0].unitPrice.cents",
        ),
    ] {
        let text = format!(r#"{{"orderId":"1","shop":"s","currency":"EUR",{field}}}"#);
        let error = validate_any(OrderApproved::TYPE, JSON, text.as_bytes()).unwrap_err();
        assert!(
            matches!(error, PayloadError::Undecodable { .. }),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            format!("body cannot be decoded: {path} is unknown here")
        );
        OrderApproved::decode(JSON, text.as_bytes()).unwrap();
    }
}

#[test]
fn protobuf_fields_of_a_newer_build_are_left_out() {
    let mut bytes = order().encode().to_vec();
    // Field 15, a varint.
    bytes.extend([0x78, 1]);
    let taken = validate_any(OrderApproved::TYPE, None, &bytes).unwrap();
    assert_eq!(taken.body, order().encode());
    assert_eq!(OrderApproved::decode(None, &bytes).unwrap(), order());
}

#[test]
fn json_that_is_not_the_message_is_undecodable_with_its_place() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "data ends too early (line 1, column 0)"),
        (b"{", "data ends too early (line 1, column 1)"),
        (b"null", "data must be an object"),
        (b"[]", "data must be an object"),
        (br#"{"orderId":1}"#, "orderId must be a text"),
        (
            br#"{"orderId":"1","lines":[{"quantity":-1}]}"#,
            "lines[0].quantity must be a whole number in range",
        ),
        (
            br#"{"orderId":"1","lines":[{"quantity":"Jane"}]}"#,
            "lines[0].quantity must be a whole number in range",
        ),
        (
            br#"{"orderId":"1","lines":[{"quantity":"99999999999"}]}"#,
            "lines[0].quantity is out of range",
        ),
        (br#"{"orderId":"1","lines":{}}"#, "lines must be a list"),
        (br#"{"orderId":"1","orderId":"2"}"#, "orderId is repeated"),
        (
            br#"{"version":9223372036854775808}"#,
            "version must be a whole number in range",
        ),
        (
            br#"{"version":1.5}"#,
            "version must be a whole number in range",
        ),
        (
            br#"{"orderId":"1"} trailing"#,
            "data must be one JSON document (line 1, column 17)",
        ),
        (b"\xff\xfe", "data is not JSON (line 1, column 1)"),
    ];
    for (bytes, wanted) in cases {
        let error = OrderApproved::decode(JSON, bytes).unwrap_err();
        assert!(
            matches!(error, PayloadError::Undecodable { .. }),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            format!("body cannot be decoded: {wanted}")
        );
    }
}

#[test]
fn a_check_names_the_field_as_its_sender_writes_it() {
    let mut order = order();
    order.lines[1].line_id = String::new();
    let json = serde_json::to_vec(&order).unwrap();
    let path = |error: PayloadError| match error {
        PayloadError::Invalid { path, .. } => path,
        other => panic!("expected an invalid field, got {other:?}"),
    };
    let told =
        |content_type, bytes: &[u8]| path(OrderApproved::decode(content_type, bytes).unwrap_err());
    assert_eq!(told(JSON, &json), "lines[1].lineId");
    assert_eq!(told(None, &order.encode()), "lines[1].line_id");
    assert_eq!(told(JSON, b"{}"), "orderId");
}

#[test]
fn nesting_without_end_is_refused() {
    let deep = format!("{{\"lines\":{}", "[".repeat(100_000));
    assert!(OrderApproved::decode(JSON, deep.as_bytes()).is_err());
    let unknown = format!("{{\"x\":{}", "[".repeat(100_000));
    assert!(OrderApproved::decode(JSON, unknown.as_bytes()).is_err());
}

#[test]
fn truncated_protobuf_is_undecodable() {
    let bytes = order().encode();
    let error = OrderApproved::decode(None, &bytes[..bytes.len() - 1]).unwrap_err();
    assert!(
        matches!(error, PayloadError::Undecodable { .. }),
        "{error:?}"
    );
}

#[test]
fn what_is_no_protobuf_is_told_by_its_field_in_our_own_words() {
    // A number where order_id is a text; a text in the first line's quantity; a tag that is none.
    let cases: &[(&[u8], &str)] = &[
        (b"\x08\x01", "order_id"),
        (b"\x32\x03\x1a\x01x", "lines.quantity"),
        (b"\xff\xff", "data"),
    ];
    for (bytes, path) in cases {
        let error = OrderApproved::decode(None, bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "body cannot be decoded: {path} is not the protobuf of its type, or is cut off"
            )
        );
    }
}

#[test]
fn an_unknown_content_type_is_undecodable() {
    for content_type in [
        "text/plain",
        "application/xml",
        "",
        ";",
        "application/json+x",
    ] {
        let error = OrderApproved::decode(Some(content_type), b"").unwrap_err();
        assert!(
            error.to_string().contains("has an unknown content type"),
            "{error}"
        );
    }
}

#[test]
fn an_empty_value_is_invalid_by_its_missing_key() {
    let error = OrderApproved::decode(None, b"").unwrap_err();
    assert_eq!(error.to_string(), "body is invalid: order_id is missing");
}

#[test]
fn checks_name_the_field_of_the_order() {
    let change: [(Change<OrderApproved>, &str); 6] = [
        (|order| order.order_id = "a\0".to_owned(), "order_id"),
        (|order| order.order_id = "x".repeat(256), "order_id"),
        (|order| order.version = -1, "version"),
        (|order| order.shop = String::new(), "shop"),
        (|order| order.currency = "eur".to_owned(), "currency"),
        (
            |order| order.lines = (0..1_001).map(|n| line(&n.to_string())).collect(),
            "lines",
        ),
    ];
    for (change, path) in change {
        let mut order = order();
        change(&mut order);
        assert_eq!(invalid_path(&order), path);
    }
}

#[test]
fn checks_name_the_field_within_a_line() {
    let change: [(Change<Line>, &str); 5] = [
        (|line| line.line_id = "1".to_owned(), "lines[1].line_id"),
        (|line| line.quantity = 0, "lines[1].quantity"),
        (|line| line.quantity = u32::MAX, "lines[1].quantity"),
        (
            |line| {
                line.unit_price = Some(Money {
                    minor: -1,
                    ..money(1)
                })
            },
            "lines[1].unit_price.minor",
        ),
        (
            |line| {
                line.unit_price = Some(Money {
                    currency: "EURO".to_owned(),
                    ..money(1)
                })
            },
            "lines[1].unit_price.currency",
        ),
    ];
    for (change, path) in change {
        let mut order = order();
        change(&mut order.lines[1]);
        assert_eq!(invalid_path(&order), path);
    }
}

#[test]
fn checks_name_the_field_of_personal_data() {
    let shipping_address = Some(Address {
        city: "x".repeat(1_025),
        ..Address::default()
    });
    assert_eq!(
        invalid_path(&OrderApproved {
            shipping_address,
            ..order()
        }),
        "shipping_address.city"
    );
    let customer = Some(Customer {
        email: "a\0b".to_owned(),
        ..Customer::default()
    });
    assert_eq!(
        invalid_path(&OrderApproved {
            customer,
            ..order()
        }),
        "customer.email"
    );
}

#[test]
fn personal_data_is_not_shown() {
    let shown = format!("{:?}", order());
    assert!(
        shown.contains("9007199254740993") && shown.contains("Customer(redacted)"),
        "{shown}"
    );
    assert!(
        !shown.contains("Jane") && !shown.contains("jane@"),
        "{shown}"
    );
}

#[test]
fn any_business_event_is_taken_in_by_the_name_of_its_type() {
    let json = serde_json::to_vec(&order()).unwrap();
    let taken = validate_any(OrderApproved::TYPE, JSON, &json).unwrap();
    assert_eq!(
        (taken.topic, &*taken.key),
        ("argosy.order-events.v1", "9007199254740993")
    );
    assert_eq!(taken.body, order().encode());
    assert!(!format!("{taken:?}").contains("Jane"));
}

#[test]
fn a_type_from_elsewhere_is_refused_with_the_known_ones() {
    for event_type in ["argosy.orders.v1.OrderLost", "", TimelineBatch::TYPE] {
        let error = validate_any(event_type, JSON, b"{}").unwrap_err();
        assert!(
            error.to_string().starts_with("type is not known"),
            "{error}"
        );
        assert!(error.to_string().contains(OrderPlaced::TYPE), "{error}");
    }
}

#[test]
fn a_body_that_its_topic_cannot_take_is_refused() {
    let long = Line {
        title: "x".repeat(1_024),
        ..line("1")
    };
    let lines = (0..1_000)
        .map(|n| Line {
            line_id: format!("{n}"),
            sku: "s".repeat(255),
            ..long.clone()
        })
        .collect();
    let error = validate_any(
        OrderApproved::TYPE,
        None,
        &OrderApproved { lines, ..order() }.encode(),
    )
    .unwrap_err();
    assert!(matches!(error, PayloadError::TooLarge { .. }), "{error:?}");
}

proptest! {
    #[test]
    fn decoding_any_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(OrderApproved::decode(None, &bytes));
        drop(OrderApproved::decode(JSON, &bytes));
        drop(TimelineBatch::decode(None, &bytes));
    }

    #[test]
    fn decoding_a_damaged_order_never_panics(at in 0_usize..400, byte in any::<u8>()) {
        let mut bytes = order().encode().to_vec();
        let length = bytes.len();
        bytes[at % length] = byte;
        drop(OrderApproved::decode(None, &bytes));
    }

    #[test]
    fn what_decodes_from_protobuf_has_a_json_copy_of_the_same_hash(
        order_id in "[a-z0-9]{1,20}", version in 0..=i64::MAX, title in "\\PC{0,40}", minor in 0..=i64::MAX
    ) {
        let lines = vec![Line { title, unit_price: Some(money(minor)), ..line("1") }];
        let order = OrderApproved { order_id, version, lines, ..order() };
        let copy = OrderApproved::decode(JSON, &serde_json::to_vec(&order).unwrap()).unwrap();
        prop_assert_eq!(copy.body_hash(), order.body_hash());
    }
}
