//! Identities are a contract with every record ever written: these constants never change.

use argosy_events::{
    Envelope,
    identity::{self, Emission},
    orders::v1::OrderRouted,
};

const EMISSION: Emission<'static> = Emission {
    worker: "orders",
    source: "shopify://one.example",
    id: "7",
    event_type: "argosy.orders.v1.OrderRouted",
    key: "1001",
    value: b"value",
    n: 0,
};

#[test]
fn emitted_ids_never_change() {
    assert_eq!(
        identity::emitted(&EMISSION).to_string(),
        "e5c48d00-9c60-52f5-9cff-2301f2c38c1c"
    );
    assert_eq!(
        identity::emitted(&Emission { n: 1, ..EMISSION }).to_string(),
        "0b63ff24-403d-5a11-a33c-01e2b9822c42"
    );
}

#[test]
fn webhook_ids_never_change() {
    assert_eq!(
        identity::delivered("shopify://one.example", "b54557e4").to_string(),
        "2fa9fc55-816d-5208-a06d-26b23f100d22"
    );
    assert_eq!(
        identity::delivered_as(
            "shopify://one.example",
            "b54557e4",
            "argosy.orders.v1.OrderApproved"
        )
        .to_string(),
        "e3c7c298-1fc5-52d2-9ac6-1db399e07c80"
    );
}

#[test]
fn every_part_of_an_emission_counts() {
    let others = [
        Emission {
            worker: "order",
            ..EMISSION
        },
        Emission {
            source: "shopify://two.example",
            ..EMISSION
        },
        Emission {
            id: "8",
            ..EMISSION
        },
        Emission {
            event_type: "argosy.orders.v1.OrderRefused",
            ..EMISSION
        },
        Emission {
            key: "1002",
            ..EMISSION
        },
        Emission {
            value: b"other",
            ..EMISSION
        },
        Emission { n: 1, ..EMISSION },
    ];
    for other in others {
        assert_ne!(
            identity::emitted(&other),
            identity::emitted(&EMISSION),
            "{other:?}"
        );
    }
}

#[test]
fn text_moved_from_one_part_to_the_next_makes_another_name() {
    let moved = Emission {
        worker: "ordersshopify",
        source: "://one.example",
        ..EMISSION
    };
    assert_ne!(identity::emitted(&moved), identity::emitted(&EMISSION));
    assert_ne!(
        identity::delivered("ab", "c"),
        identity::delivered("a", "bc")
    );
    assert_ne!(
        identity::delivered_as("a", "b", "c"),
        identity::delivered("a", "bc")
    );
}

#[test]
fn a_second_run_emits_the_same_id_in_the_same_flow() {
    let cause = Envelope::new_flow(
        "shopify://one.example",
        "argosy.orders.v1.OrderApproved",
        "1001",
        1_790_000_000_000,
    );
    let body = OrderRouted {
        order_id: "1001".to_owned(),
        ..OrderRouted::default()
    };
    let first = Envelope::emitted(&cause, "orders", &body, 0, 1_790_000_001_000);
    let second = Envelope::emitted(&cause, "orders", &body, 0, 1_790_000_999_000);
    assert_eq!(first.id, second.id);
    assert_eq!(first.correlation_id, cause.correlation_id);
    assert_eq!(first.causation_id.as_ref(), Some(&cause.id));
    assert_eq!(&*first.source, "argosy://orders");
    let changed = OrderRouted {
        supplier: "north".to_owned(),
        ..body
    };
    assert_ne!(
        Envelope::emitted(&cause, "orders", &changed, 0, 0).id,
        first.id
    );
}

#[test]
fn new_flows_are_ordered_by_time_and_differ() {
    let early = Envelope::new_flow("s", "t", "", 1_790_000_000_000);
    let late = Envelope::new_flow("s", "t", "", 1_790_000_000_001);
    assert!(early.id < late.id);
    assert_eq!(early.id, early.correlation_id);
    assert_eq!(early.subject, None);
}
