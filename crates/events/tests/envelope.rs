//! Envelopes meet what a broker may hold: missing, hostile, oversized and repeated headers.

use argosy_events::{Envelope, EnvelopeError, Header, event_type_of};
use bytes::Bytes;
use proptest::prelude::*;

fn header(name: &str, value: impl AsRef<[u8]>) -> Header {
    (name.to_owned(), Bytes::copy_from_slice(value.as_ref()))
}

fn with(more: &[(&str, &[u8])]) -> Vec<Header> {
    let mut headers = vec![header("ce_type", "argosy.orders.v1.OrderPlaced")];
    headers.extend(more.iter().map(|(name, value)| header(name, value)));
    headers
}

fn read(more: &[(&str, &[u8])]) -> Result<Envelope, EnvelopeError> {
    Envelope::read(&with(more), "argosy.order-events.v1", 3, 42)
}

#[test]
fn what_was_written_is_read_back() {
    let envelope = Envelope {
        subject: Some("1001".into()),
        causation_id: Some("cause".into()),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        tracestate: Some("vendor=1".into()),
        ..Envelope::new_flow(
            "shopify://ünï.example",
            "argosy.orders.v1.OrderPlaced",
            "1001",
            1_790_000_000_123,
        )
    };
    let read = Envelope::read(&envelope.headers(), "elsewhere", 0, 0).unwrap();
    assert_eq!(read, envelope);
}

#[test]
fn a_record_without_id_is_named_by_its_place() {
    let envelope = read(&[("ce_source", b"upstream")]).unwrap();
    assert_eq!(&*envelope.source, "kafka://argosy.order-events.v1");
    assert_eq!(&*envelope.id, "3-42");
    assert_eq!(&*envelope.correlation_id, "3-42");
    let again = Envelope::read(&envelope.headers(), "argosy.dead-letters.v1", 0, 7).unwrap();
    assert_eq!(again, envelope, "the identity is carried from then on");
}

#[test]
fn an_id_without_source_belongs_to_its_topic() {
    let envelope = read(&[("ce_id", b"a")]).unwrap();
    assert_eq!(
        (&*envelope.source, &*envelope.id),
        ("kafka://argosy.order-events.v1", "a")
    );
}

#[test]
fn a_missing_correlation_id_becomes_the_own_id() {
    assert_eq!(&*read(&[("ce_id", b"a")]).unwrap().correlation_id, "a");
    assert_eq!(
        &*read(&[("ce_id", b"a"), ("ce_correlationid", b"flow")])
            .unwrap()
            .correlation_id,
        "flow"
    );
}

#[test]
fn a_missing_type_is_named() {
    let error = Envelope::read(&[header("ce_id", "a")], "t", 0, 0).unwrap_err();
    assert_eq!(error, EnvelopeError::Missing("ce_type"));
    assert_eq!(error.to_string(), "attribute ce_type is missing");
}

#[test]
fn hostile_headers_are_refused_by_name_and_not_shown() {
    let long = "x".repeat(256);
    let longer = "x".repeat(1_025);
    let cases: &[(&str, &[u8])] = &[
        ("ce_id", b""),
        ("ce_id", b"a\0b"),
        ("ce_id", b"a\r\nX-Evil: 1"),
        ("ce_id", &[0xff, 0xfe]),
        ("ce_id", long.as_bytes()),
        ("ce_source", longer.as_bytes()),
        ("ce_source", "\u{85}".as_bytes()),
        ("ce_subject", longer.as_bytes()),
        ("ce_correlationid", long.as_bytes()),
        ("ce_causationid", &[0x80]),
        ("ce_time", b"yesterday"),
        ("ce_time", b"-99999999999-01-01T00:00:00Z"),
        ("ce_specversion", b"0.3"),
        ("content-type", b"\x07"),
    ];
    for (name, value) in cases {
        let error = read(&[(name, value)]).unwrap_err();
        assert_eq!(error.attribute(), *name, "{error}");
        assert!(
            !error.to_string().contains("xxx") && !error.to_string().contains("Evil"),
            "{error}"
        );
    }
}

#[test]
fn the_longest_texts_are_taken_by_characters_not_bytes() {
    let id = "ü".repeat(255);
    let source = "ü".repeat(1_024);
    let envelope = read(&[("ce_id", id.as_bytes()), ("ce_source", source.as_bytes())]).unwrap();
    assert_eq!((&*envelope.id, &*envelope.source), (&*id, &*source));
}

#[test]
fn of_a_repeated_header_the_first_counts() {
    let envelope = read(&[
        ("ce_id", b"first"),
        ("ce_id", b"second"),
        ("ce_type", b"other"),
    ])
    .unwrap();
    assert_eq!(&*envelope.id, "first");
    assert_eq!(&*envelope.event_type, "argosy.orders.v1.OrderPlaced");
}

#[test]
fn a_broken_trace_context_is_as_if_it_were_not_there() {
    let broken: &[&[u8]] = &[
        b"",
        b"garbage",
        b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        &[0xff],
    ];
    for value in broken {
        let envelope = read(&[("traceparent", value), ("tracestate", b"vendor=1")]).unwrap();
        assert_eq!((envelope.traceparent, envelope.tracestate), (None, None));
    }
}

#[test]
fn the_type_is_found_without_reading_the_rest() {
    assert_eq!(
        event_type_of(&with(&[("ce_id", &[0xff])])),
        Some("argosy.orders.v1.OrderPlaced")
    );
    assert_eq!(event_type_of(&[header("ce_type", [0xff])]), None);
    assert_eq!(event_type_of(&[]), None);
}

proptest! {
    #[test]
    fn reading_never_panics_and_what_was_read_stays_the_same(
        values in prop::collection::vec((0_usize..12, prop::collection::vec(any::<u8>(), 0..40)), 0..14)
    ) {
        let names = ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_correlationid",
            "ce_causationid", "traceparent", "tracestate", "content-type", "other"];
        let headers: Vec<Header> = values.iter().map(|(name, value)| header(names[*name], value)).collect();
        if let Ok(envelope) = Envelope::read(&headers, "t", 0, 1) {
            prop_assert_eq!(Envelope::read(&envelope.headers(), "other", 9, 9).unwrap(), envelope);
        }
    }
}

#[test]
fn what_is_wrong_can_be_told_without_the_attributes_name() {
    let read = |headers: &[Header]| Envelope::read(headers, "t", 0, 0).unwrap_err();
    let error = read(&[]);
    assert_eq!(
        (error.attribute(), &*error.message()),
        ("ce_type", "is missing")
    );
    let error = read(&[("ce_type".to_owned(), "x".repeat(256).into())]);
    assert_eq!(error.message(), "is longer than 255 characters");
    let error = EnvelopeError::Document("has no data".to_owned());
    assert_eq!(error.message(), "the CloudEvents document has no data");
}
