//! The examples under docs/ are events that the gateway takes, whole: what a reader copies works.

use argosy_events::{Payload, orders::v1::OrderApproved, validate_any};

const ORDER: &[u8] = include_bytes!("../../../docs/examples/order.json");
const JSON: Option<&str> = Some("application/json");

#[test]
fn the_example_of_an_order_is_one_and_shows_every_field() {
    let taken = validate_any(OrderApproved::TYPE, JSON, ORDER).unwrap();
    let order = OrderApproved::decode(JSON, ORDER).unwrap();
    assert_eq!(
        (taken.topic, &*taken.key),
        (OrderApproved::TOPIC, &*order.order_id)
    );
    assert_eq!(taken.body, order.encode());
    assert!(order.version > 0 && !order.name.is_empty() && !order.lines.is_empty());
    let is_whole =
        order.total.is_some() && order.customer.is_some() && order.shipping_address.is_some();
    assert!(is_whole, "{order:?}");
    // The SKU is one that config.example.toml routes.
    assert!(order.lines.iter().all(|line| line.sku.starts_with("ACME-")));
}
