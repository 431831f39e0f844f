//! The catalogue and the contracts agree.

use std::collections::HashSet;

use argosy_events::{
    Payload, catalogue,
    fleet::v1::TimelineBatch,
    orders::v1::{OrderApproved, OrderPlaced, OrderRefused, OrderRouted},
};
use prost::Name;

fn agrees<P: Payload + Name>() {
    assert_eq!(P::TYPE, P::full_name());
    let (topic, event) = catalogue::event(P::TYPE).expect("every body is in the catalogue");
    assert_eq!((topic.name, event.event_type), (P::TOPIC, P::TYPE));
}

#[test]
fn every_body_stands_in_the_catalogue_under_its_protobuf_name() {
    agrees::<OrderPlaced>();
    agrees::<OrderApproved>();
    agrees::<OrderRouted>();
    agrees::<OrderRefused>();
    agrees::<TimelineBatch>();
}

#[test]
fn names_are_unique_and_numbers_positive() {
    let topics: HashSet<_> = catalogue::TOPICS.iter().map(|topic| topic.name).collect();
    assert_eq!(topics.len(), catalogue::TOPICS.len());
    let events: Vec<_> = catalogue::TOPICS
        .iter()
        .flat_map(|topic| topic.events)
        .map(|event| event.event_type)
        .collect();
    assert_eq!(events.iter().collect::<HashSet<_>>().len(), events.len());
    for topic in catalogue::TOPICS {
        assert!(
            topic.partitions > 0 && !topic.retention.is_zero() && topic.message_bytes_max > 0,
            "{}",
            topic.name
        );
    }
}

#[test]
fn approved_orders_are_expected_by_their_worker() {
    assert_eq!(
        catalogue::event(OrderApproved::TYPE).unwrap().1.workers,
        ["orders"]
    );
    assert!(
        catalogue::event(OrderPlaced::TYPE)
            .unwrap()
            .1
            .workers
            .is_empty()
    );
    assert!(catalogue::event("argosy.orders.v1.Unknown").is_none());
    assert!(catalogue::topic("argosy.unknown.v1").is_none());
}

#[test]
fn a_topic_is_configured_by_the_brokers_own_names() {
    let topic = catalogue::topic(catalogue::TIMELINES).unwrap();
    let values = topic.values();
    assert!(
        values.contains(&("retention.ms".to_owned(), "604800000".to_owned())),
        "{values:?}"
    );
    assert!(
        values.contains(&("cleanup.policy".to_owned(), "delete".to_owned())),
        "{values:?}"
    );
}
