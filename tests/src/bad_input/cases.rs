//! The records: each is a good order but for one thing, and has one fate.

use super::kcat::{Raw, Written};

/// A record, and what must come of it.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) record: Raw,
    pub(super) fate: Fate,
}

/// What comes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// A dead letter of this cause.
    Dead(&'static str),
    /// One event of this type under this key, and no dead letter.
    Emits {
        event_type: &'static str,
        order: &'static str,
    },
}

impl Case {
    /// How often its event is there; never, for a record that must die.
    pub(super) fn emitted(&self, orders: &[Written]) -> usize {
        let Fate::Emits { event_type, order } = self.fate else {
            return 0;
        };
        let is_its = |record: &&Written| {
            record.key.as_deref() == Some(order.as_bytes())
                && record.header("ce_type") == Some(event_type)
        };
        orders.iter().filter(is_its).count()
    }
}

const TYPE: (&str, &[u8]) = ("ce_type", b"argosy.orders.v1.OrderApproved");
const JSON: (&str, &[u8]) = ("content-type", b"application/json");
const ROUTED: &str = "argosy.orders.v1.OrderRouted";
const REFUSED: &str = "argosy.orders.v1.OrderRefused";

/// Bytes of a value that fits into the orders topic with its key, headers and batch.
const LARGEST: usize = 1_048_000;

/// One line that a supplier of the arena takes.
const LINE: &str = r#"{"lineId":"1","sku":"ACME-1","quantity":1,"title":"Lantern","unitPrice":{"minor":"1999","currency":"EUR"}}"#;

/// A good order: without a fault in it, a record of it is routed.
fn order(id: &str) -> String {
    format!(
        r#"{{"orderId":"{id}","version":"1","currency":"EUR","shop":"storm.example","lines":[{LINE}]}}"#
    )
}

/// All cases, in the order in which they are written.
pub(super) fn all() -> Vec<Case> {
    let mut cases = undecodable_bodies();
    cases.extend(undecodable_envelopes());
    cases.extend(invalid());
    cases.extend(handled());
    cases
}

fn undecodable_bodies() -> Vec<Case> {
    let cut = |id: &str| order(id).split_at(40).0.to_string();
    vec![
        dead(
            "bytes that are no protobuf",
            garbage("b1", Some(b"b1"), 4_096),
        ),
        dead(
            "as many of them as the topic takes",
            garbage("b2", Some(b"b2"), LARGEST),
        ),
        dead("some of them under a null key", garbage("b20", None, 64)),
        dead(
            "some of them under a key that is not UTF-8",
            garbage("b21", Some(b"\xff\xfe\x80b"), 64),
        ),
        dead("truncated JSON", of("b3", &cut("b3"))),
        dead(
            "headers of an earlier death",
            with(
                of("b12", &cut("b12")),
                &[
                    ("argosy.dlq.cause", b"forged"),
                    ("__dlq.errors.topic", b"forged"),
                ],
            ),
        ),
        dead(
            "wrong types",
            of("b4", &order("b4").replace(&format!("[{LINE}]"), "{}")),
        ),
    ]
}

fn undecodable_envelopes() -> Vec<Case> {
    vec![
        dead(
            "an unknown content type",
            changed(of("b5", &order("b5")), "content-type", b"text/xml"),
        ),
        dead("no type", without(of("b6", &order("b6")), "ce_type")),
        dead(
            "an id that is not UTF-8",
            changed(of("b7", &order("b7")), "ce_id", b"\xff\xfe"),
        ),
        dead(
            "an id that is too long",
            changed(of("b8", &order("b8")), "ce_id", &[b'x'; 5_000]),
        ),
    ]
}

fn invalid() -> Vec<Case> {
    let invalid = |name, record| Case {
        name,
        record,
        fate: Fate::Dead("invalid"),
    };
    let lacks = |id: &str, what: &str, instead: &str| of(id, &order(id).replace(what, instead));
    let tombstone = Raw {
        value: None,
        ..without(of("b9", ""), "content-type")
    };
    vec![
        invalid("a tombstone", tombstone),
        invalid(
            "an order without id",
            lacks("b11", r#""orderId":"b11","#, ""),
        ),
        invalid(
            "an order without shop",
            lacks("b13", r#","shop":"storm.example""#, ""),
        ),
        invalid(
            "an order in no currency",
            lacks("b14", r#""EUR","shop""#, r#""euro","shop""#),
        ),
        invalid(
            "a line of no pieces",
            lacks("b15", r#""quantity":1"#, r#""quantity":0"#),
        ),
        invalid(
            "a line that is there twice",
            lacks("b16", LINE, &format!("{LINE},{LINE}")),
        ),
    ]
}

/// What is no fault, or one that the handler answers with an event of its own.
fn handled() -> Vec<Case> {
    let emits = |name, record, event_type, order| Case {
        name,
        record,
        fate: Fate::Emits { event_type, order },
    };
    let under = |key: Option<&[u8]>, id: &str| Raw {
        key: key.map(<[u8]>::to_vec),
        ..of(id, &order(id))
    };
    vec![
        emits(
            "an order without lines",
            of("b10", &order("b10").replace(LINE, "")),
            REFUSED,
            "b10",
        ),
        emits("a good order", of("b17", &order("b17")), ROUTED, "b17"),
        emits("one under a null key", under(None, "b18"), ROUTED, "b18"),
        emits(
            "one under a key that is not UTF-8",
            under(Some(b"\xff\xfe\x80"), "b19"),
            ROUTED,
            "b19",
        ),
    ]
}

fn dead(name: &'static str, record: Raw) -> Case {
    Case {
        name,
        record,
        fate: Fate::Dead("undecodable"),
    }
}

/// A record with this JSON, under its order's key.
fn of(id: &str, body: &str) -> Raw {
    Raw {
        key: Some(id.into()),
        value: Some(body.into()),
        headers: headers(&[("ce_id", id.as_bytes()), TYPE, JSON]),
    }
}

/// A record of our own encoding, by its headers, that no decoder takes.
fn garbage(id: &str, key: Option<&[u8]>, bytes: usize) -> Raw {
    Raw {
        key: key.map(<[u8]>::to_vec),
        // A tag of no wire type comes first.
        value: Some((7..=255u8).cycle().take(bytes).collect()),
        headers: headers(&[("ce_id", id.as_bytes()), TYPE]),
    }
}

fn headers(plain: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    plain
        .iter()
        .map(|(name, value)| ((*name).to_string(), value.to_vec()))
        .collect()
}

fn with(mut record: Raw, more: &[(&str, &[u8])]) -> Raw {
    record.headers.extend(headers(more));
    record
}

fn without(mut record: Raw, name: &str) -> Raw {
    record.headers.retain(|(found, _)| found != name);
    record
}

fn changed(record: Raw, name: &str, value: &[u8]) -> Raw {
    with(without(record, name), &[(name, value)])
}

#[cfg(test)]
mod tests {
    use argosy_events::{Envelope, Header, Payload, PayloadError, orders::v1::OrderApproved};
    use bytes::Bytes;

    use super::*;

    /// What is wrong with a record, as our own readers see it.
    fn fault(record: &Raw) -> Option<&'static str> {
        let headers: Vec<Header> = record
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), Bytes::copy_from_slice(value)))
            .collect();
        let Ok(envelope) = Envelope::read(&headers, super::super::ORDERS, 0, 0) else {
            return Some("undecodable");
        };
        let value = record.value.as_deref().unwrap_or_default();
        match OrderApproved::decode(envelope.content_type.as_deref(), value) {
            Ok(_) => None,
            Err(PayloadError::Undecodable { .. }) => Some("undecodable"),
            Err(_) => Some("invalid"),
        }
    }

    #[test]
    fn each_case_has_the_fault_that_it_must_die_of_and_a_good_order_has_none() {
        for case in all() {
            let wanted = match case.fate {
                Fate::Dead(cause) => Some(cause),
                Fate::Emits { .. } => None,
            };
            assert_eq!(fault(&case.record), wanted, "{}", case.name);
        }
    }

    #[test]
    fn an_invalid_order_is_mended_by_the_one_thing_that_was_changed() {
        let told: Vec<String> = all()
            .into_iter()
            .filter(|case| case.fate == Fate::Dead("invalid"))
            .filter_map(|case| {
                let error = OrderApproved::decode(Some("application/json"), &case.record.value?);
                Some(error.err()?.to_string())
            })
            .collect();
        let places = ["orderId", "shop", "currency", "quantity", "lineId"];
        assert_eq!(told.len(), places.len(), "{told:?}");
        for (said, place) in told.iter().zip(places) {
            assert!(said.contains(place), "{said} does not name {place}");
        }
    }

    #[test]
    fn no_two_cases_can_be_taken_for_each_other() {
        let cases = all();
        for (index, one) in cases.iter().enumerate() {
            for other in &cases[..index] {
                let (a, b) = (&one.record, &other.record);
                assert!(a.key != b.key || a.value != b.value, "{}", one.name);
                let both_die = matches!((one.fate, other.fate), (Fate::Dead(_), Fate::Dead(_)));
                assert!(a.key != b.key || !both_die, "{}", one.name);
            }
        }
    }
}
