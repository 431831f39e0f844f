//! CloudEvents documents become the same envelope and body as binary mode.

use argosy_events::{Envelope, EnvelopeError, Payload, orders::v1::OrderPlaced, structured};
use proptest::prelude::*;

const DOCUMENT: &str = r#"{
    "specversion": "1.0", "id": "a", "source": "upstream", "type": "argosy.orders.v1.OrderPlaced",
    "time": "2026-03-01T12:00:00Z", "correlationid": "flow", "subject": null, "unknown": {"x": [1]},
    "data": {"orderId": "1", "version": 9007199254740993, "shop": "s", "currency": "EUR"}
}"#;

#[test]
fn a_document_is_an_envelope_and_a_body() {
    let (headers, body) = structured::open(DOCUMENT.as_bytes()).unwrap();
    let envelope = Envelope::read(&headers, "t", 0, 0).unwrap();
    assert_eq!(
        (&*envelope.source, &*envelope.id, &*envelope.correlation_id),
        ("upstream", "a", "flow")
    );
    assert_eq!(envelope.time_ms, Some(1_772_366_400_000));
    let order = OrderPlaced::decode(envelope.content_type.as_deref(), &body).unwrap();
    assert_eq!(order.version, 9_007_199_254_740_993);
}

#[test]
fn binary_data_is_base64() {
    let document =
        br#"{"type":"t","id":"a","datacontenttype":"application/protobuf","data_base64":"CgEx"}"#;
    let (headers, body) = structured::open(document).unwrap();
    assert_eq!(&*body, b"\x0a\x011");
    let envelope = Envelope::read(&headers, "t", 0, 0).unwrap();
    assert_eq!(
        envelope.content_type.as_deref(),
        Some("application/protobuf")
    );
}

#[test]
fn what_is_no_document_is_refused_without_showing_it() {
    let cases = [
        ("", "data"),
        ("{", "data"),
        ("[]", "data"),
        ("null", "data"),
        ("\"Jane\"", "data"),
        (r#"{"id":"Jane","id":"b","data":1}"#, "ce_id"),
        (r#"{"id":1,"data":1}"#, "ce_id"),
        (r#"{"source":["Jane"],"data":1}"#, "ce_source"),
        (r#"{"id":"a"}"#, "data"),
        (r#"{"data":1,"data_base64":"CgEx"}"#, "data"),
        (r#"{"data":1,"data":2}"#, "data"),
        (r#"{"Jane":1,"Jane":2,"data":2}"#, "data"),
        (r#"{"data_base64":"*"}"#, "data_base64"),
        (r#"{"data_base64":7}"#, "data_base64"),
    ];
    for (document, attribute) in cases {
        let error = structured::open(document.as_bytes()).unwrap_err();
        assert_eq!(error.attribute(), attribute, "{document}: {error}");
        assert!(!error.to_string().contains("Jane"), "{error}");
    }
}

#[test]
fn hostile_attributes_are_refused_like_headers() {
    let document = br#"{"type":"t","id":"a\u0000b","data":1}"#;
    let (headers, _) = structured::open(document).unwrap();
    assert_eq!(
        Envelope::read(&headers, "t", 0, 0).unwrap_err(),
        EnvelopeError::ControlCharacters("ce_id")
    );
}

#[test]
fn documents_are_told_by_their_media_type() {
    assert!(structured::is_structured(
        "Application/CloudEvents+JSON; charset=utf-8"
    ));
    assert!(!structured::is_structured(
        "application/cloudevents-batch+json"
    ));
    assert!(structured::is_structured_record(&[(
        "content-type".to_owned(),
        "application/cloudevents+json".into()
    )]));
    assert!(!structured::is_structured_record(&[]));
}

proptest! {
    #[test]
    fn opening_any_text_never_panics(text in "\\PC{0,80}", cut in 0_usize..300) {
        drop(structured::open(text.as_bytes()));
        drop(structured::open(&DOCUMENT.as_bytes()[..cut.min(DOCUMENT.len())]));
    }
}
