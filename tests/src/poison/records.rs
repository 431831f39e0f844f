//! The poison: each record is a good order of its event but for one thing, written as raw bytes with a header more.

use crate::{bad_input::kcat::Raw, trial_worker::Deed};

/// A poisonous record and how it must die.
#[derive(Clone, Debug)]
pub(super) struct Poison {
    pub(super) name: &'static str,
    pub(super) event: String,
    pub(super) raw: Raw,
    pub(super) cause: &'static str,
    pub(super) attempts: u32,
    pub(super) ends_processes: bool,
}

/// All of them, in the order in which they are written.
pub(super) fn all(seed: u64) -> Vec<Poison> {
    let poison = |name, deed: Deed, cause, attempts| {
        let event = format!("{name}-{seed}").replace(' ', "-");
        Poison {
            name,
            raw: raw(&event, &body(&event, deed, 1)),
            event,
            cause,
            attempts,
            ends_processes: deed == Deed::Abort,
        }
    };
    let attempts = super::ATTEMPTS_MAX;
    let mut invalid = poison("no pieces", Deed::Done, "invalid", 1);
    invalid.raw = raw(&invalid.event, &body(&invalid.event, Deed::Done, 0));
    vec![
        invalid,
        poison("its handler panics", Deed::Panic, "panicked", attempts),
        poison("its run never ends", Deed::NeverEnd, "deadline", attempts),
        poison("it ends its process", Deed::Abort, "crashed", super::DEATHS),
    ]
}

fn body(id: &str, deed: Deed, quantity: u32) -> String {
    format!(
        r#"{{"orderId":"{id}","version":"1","currency":"EUR","shop":"{}","lines":[{{"lineId":"1","sku":"{deed}","quantity":{quantity}}}]}}"#,
        super::GROUP
    )
}

fn raw(id: &str, body: &str) -> Raw {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    Raw {
        key: Some(id.into()),
        value: Some(body.into()),
        headers: vec![
            header("ce_id", id),
            header("ce_source", "poison://kcat"),
            header("ce_specversion", "1.0"),
            header("ce_type", "argosy.orders.v1.OrderApproved"),
            header("content-type", "application/json"),
            header("x-kept", "a=b"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use argosy_events::{Payload, orders::v1::OrderApproved};

    use super::*;

    #[test]
    fn only_the_record_without_pieces_is_no_order_and_each_other_tells_its_deed() {
        for poison in all(1) {
            let value = poison.raw.value.unwrap();
            let decoded = OrderApproved::decode(Some("application/json"), &value);
            match decoded {
                Ok(order) => {
                    assert_ne!(poison.cause, "invalid");
                    assert!(Deed::of(&order).is_ok() && order.shop == super::super::GROUP);
                }
                Err(error) => {
                    assert_eq!(poison.cause, "invalid");
                    assert!(error.to_string().contains("quantity"), "{error}");
                }
            }
        }
    }

    #[test]
    fn names_and_events_are_distinct() {
        let events: std::collections::BTreeSet<_> =
            all(1).into_iter().map(|one| one.event).collect();
        assert_eq!(events.len(), 4);
    }
}
