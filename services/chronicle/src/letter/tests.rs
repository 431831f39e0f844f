//! What a letter must be read as, and what is none.

use argosy_events::{Payload, orders::v1::OrderApproved};

use super::*;

fn header(name: &str, value: &[u8]) -> (String, Bytes) {
    (name.to_owned(), Bytes::copy_from_slice(value))
}

/// The headers that a letter of ours has beside its record's.
fn said() -> Vec<(String, Bytes)> {
    [
        ("__dlq.errors.topic", "argosy.order-events.v1"),
        ("__dlq.errors.partition", "3"),
        ("__dlq.errors.offset", "42"),
        ("__dlq.errors.group", "orders"),
        ("__dlq.errors.delivery.count", "2"),
        ("__dlq.errors.message", "no such variant"),
        ("argosy.dlq.worker", "orders"),
        ("argosy.dlq.cause", "refused"),
        ("argosy.dlq.fingerprint", "1-abc"),
        ("argosy.dlq.attempts", "2"),
        ("argosy.dlq.first-failure-ms", "100"),
        ("argosy.dlq.last-failure-ms", "200"),
        ("argosy.dlq.build", "1.2.3"),
        ("argosy.dlq.epoch", "7"),
        ("argosy.dlq.dependency", "acme"),
        ("argosy.dlq.status", "422"),
        ("argosy.dlq.timestamp-ms", "50"),
    ]
    .map(|(name, value)| header(name, value.as_bytes()))
    .to_vec()
}

fn letter(headers: Vec<(String, Bytes)>) -> RawRecord {
    RawRecord {
        topic: "argosy.dead-letters.v1".into(),
        partition: 1,
        offset: 9,
        timestamp_ms: Some(300),
        key: Some(Bytes::from_static(b"k\0")),
        value: Some(Bytes::from_static(b"\0\xff")),
        headers,
    }
}

fn with(mut headers: Vec<(String, Bytes)>) -> RawRecord {
    headers.extend(said());
    letter(headers)
}

fn row(letter: RawRecord) -> LetterRow {
    read(letter).expect("it names its record")
}

#[test]
fn a_letter_is_its_record_and_its_death() {
    let mut own = Envelope::new_flow("shop", OrderApproved::TYPE, "1001", 0);
    own.id = "e-1".into();
    own.correlation_id = "flow".into();
    let mut headers = own.headers();
    headers.push(header("x", b""));
    headers.push(header("x", b"\xff"));
    let row = row(with(headers.clone()));
    assert_eq!(row.id.to_string(), "orders/argosy.order-events.v1/3/42");
    assert_eq!(row.headers, headers);
    let record = (row.key.as_deref(), row.value.as_deref());
    assert_eq!(record, (Some(&b"k\0"[..]), Some(&b"\0\xff"[..])));
    let expected = LetterRow {
        id: row.id.clone(),
        letter_partition: 1,
        letter_offset: 9,
        source: Some("shop".into()),
        event: Some("e-1".into()),
        event_type: Some(OrderApproved::TYPE.into()),
        correlation: Some("flow".into()),
        timestamp_ms: Some(50),
        key: row.key.clone(),
        value: row.value.clone(),
        headers,
        is_reference: false,
        cause: "refused".into(),
        fingerprint: "1-abc".into(),
        message: "no such variant".into(),
        dependency: Some("acme".into()),
        status: Some(422),
        attempts: 2,
        first_failure_ms: 100,
        last_failure_ms: 200,
        epoch: 7,
        build: "1.2.3".into(),
    };
    assert!(row == expected);
}

#[test]
fn a_record_without_key_value_and_headers_is_read_as_such() {
    let row = row(RawRecord {
        key: None,
        value: None,
        ..with(Vec::new())
    });
    assert_eq!((&row.key, &row.value, row.headers.len()), (&None, &None, 0));
    assert_eq!((&row.source, &row.correlation), (&None, &None));
}

#[test]
fn a_header_of_the_record_under_a_name_of_ours_comes_back_under_it_and_says_nothing() {
    let forged = vec![
        header("argosy.earlier.argosy.dlq.cause", b"forged"),
        header("argosy.earlier.__dlq.errors.offset", b"1"),
        header("argosy.earlier.x", b"its own"),
    ];
    let row = row(with(forged));
    let expected = vec![
        header("argosy.dlq.cause", b"forged"),
        header("__dlq.errors.offset", b"1"),
        header("argosy.earlier.x", b"its own"),
    ];
    assert_eq!(row.headers, expected);
    assert_eq!((&*row.cause, row.id.offset), ("refused", 42));
}

#[test]
fn of_a_name_that_stands_twice_the_last_counts() {
    let row = row(with(vec![
        header("argosy.dlq.cause", b"forged"),
        header("__dlq.errors.topic", b"forged"),
    ]));
    assert_eq!(
        (&*row.cause, &*row.id.topic),
        ("refused", "argosy.order-events.v1")
    );
    assert!(row.headers.is_empty());
}

#[test]
fn what_does_not_name_its_record_is_no_letter() {
    assert!(read(letter(Vec::new())).is_none());
    for name in [
        "__dlq.errors.topic",
        "__dlq.errors.partition",
        "__dlq.errors.offset",
    ] {
        let without = said().into_iter().filter(|(found, _)| found != name);
        assert!(read(letter(without.collect())).is_none(), "{name}");
        for wrong in [&b""[..], b"\xff", b"-1", b"x/"] {
            let mut headers = said();
            headers.push(header(name, wrong));
            let read = read(letter(headers));
            let is_name = name == "__dlq.errors.topic" && wrong == b"-1";
            assert_eq!(read.is_some(), is_name, "{name} {wrong:?}");
        }
    }
    let nobody = said()
        .into_iter()
        .filter(|(name, _)| name != "argosy.dlq.worker" && name != "__dlq.errors.group");
    assert!(read(letter(nobody.collect())).is_none());
}

#[test]
fn a_foreign_letter_is_kept_with_what_it_says() {
    let foreign = said()
        .into_iter()
        .filter(|(name, _)| name.starts_with("__dlq."));
    let row = row(letter(foreign.collect()));
    assert_eq!(row.id.to_string(), "orders/argosy.order-events.v1/3/42");
    assert_eq!((&*row.cause, &*row.fingerprint, row.attempts), ("", "", 2));
    assert_eq!((row.first_failure_ms, row.last_failure_ms), (300, 300));
    assert_eq!(row.timestamp_ms, None);
}

#[test]
fn what_is_not_as_it_should_be_is_left_out_or_cut() {
    let mut headers = said();
    headers.extend([
        header("argosy.dlq.status", b"teapot"),
        header("argosy.dlq.epoch", b"99999999999999999999"),
        header("argosy.dlq.last-failure-ms", b""),
        header("argosy.dlq.cause", b"\xff\0"),
        header(
            "__dlq.errors.message",
            "é".repeat(TEXT_BYTES_MAX).as_bytes(),
        ),
    ]);
    let row = row(letter(headers));
    assert_eq!((row.status, row.epoch, row.last_failure_ms), (None, 0, 300));
    assert_eq!(&*row.cause, "\u{fffd}\0");
    assert_eq!(row.message.len(), TEXT_BYTES_MAX);
    assert!(row.check().is_ok());
}

#[test]
fn a_letter_without_the_whole_record_says_so() {
    for (name, value) in [
        ("argosy.dlq.value", "reference"),
        ("argosy.dlq.headers", "left out"),
    ] {
        let mut headers = said();
        headers.push(header(name, value.as_bytes()));
        assert!(row(letter(headers)).is_reference, "{name}");
    }
}

#[test]
fn a_structured_document_tells_its_flow() {
    let document = br#"{"specversion":"1.0","id":"e-1","source":"shop","type":"t","correlationid":"flow","data":{}}"#;
    let mut structured = with(vec![header(
        "content-type",
        b"application/cloudevents+json",
    )]);
    structured.value = Some(Bytes::from_static(document));
    let read = row(structured.clone());
    assert_eq!(read.correlation.as_deref(), Some("flow"));
    structured.value = Some(Bytes::from_static(b"{"));
    assert_eq!(row(structured).correlation, None);
}
