//! What each repeat class makes of repeats, and that a rebuilt supplier is the same supplier.

use std::time::Duration;

use super::*;
use crate::ledger::Ask;

const DAY: Duration = Duration::from_secs(86_400);

fn supplier(class: RepeatClass) -> Supplier {
    Supplier::new("acme".into(), class)
}

fn draft_of(reference: &str) -> DraftOrder {
    DraftOrder {
        our_reference: reference.into(),
        aggregate_key: Some("1001".into()),
        sequence: Some(1),
    }
}

fn call(ask: Ask, key: Option<&str>, fingerprint: &str) -> Change {
    Change {
        vendor: "acme".into(),
        ask,
        idempotency_key: key.map(Arc::from),
        fingerprint: fingerprint.into(),
        received_at: 0,
        slow_body: Duration::ZERO,
    }
}

fn draft(supplier: &mut Supplier, key: Option<&str>, fingerprint: &str, now: i64) -> Answer {
    let draft = draft_of("r-1");
    let change = call(Ask::Draft(draft.clone()), key, fingerprint);
    supplier.draft(&draft, &change, now).0
}

fn confirm(supplier: &mut Supplier, id: &str, key: Option<&str>, now: i64) -> (Answer, bool) {
    let order_id: Arc<str> = id.into();
    let ask = Ask::Confirm {
        order_id: Arc::clone(&order_id),
    };
    let (answer, accepted) = supplier.confirm(&order_id, &call(ask, key, "confirm"), now);
    (answer, accepted.is_some_and(|accepted| !accepted.repeat))
}

#[test]
fn natural_knows_our_reference_whatever_the_key() {
    let mut acme = supplier(RepeatClass::Natural);
    assert!(
        matches!(draft(&mut acme, Some("a"), "f", 1), Answer::Drafted(view) if &*view.order_id == "acme-1")
    );
    for key in [None, Some("a"), Some("b")] {
        let again = draft(&mut acme, key, "f", 2);
        assert!(
            matches!(again, Answer::Duplicate { existing_order_id } if &*existing_order_id == "acme-1")
        );
    }
}

#[test]
fn natural_confirms_once_and_answers_the_same_after() {
    let mut acme = supplier(RepeatClass::Natural);
    draft(&mut acme, None, "f", 1);
    let (first, applied) = confirm(&mut acme, "acme-1", None, 2);
    assert!(applied && matches!(first, Answer::Confirmed(_)));
    let (second, applied) = confirm(&mut acme, "acme-1", None, 3);
    let Answer::Repeated(view) = second else {
        panic!("{second:?}");
    };
    assert!(!applied);
    assert_eq!(view.updated_at, crate::clock::rfc3339(2));
}

#[test]
fn remembered_knows_the_key_for_its_time_and_then_does_it_again() {
    let mut acme = supplier(RepeatClass::Remembered(Duration::from_nanos(100)));
    assert!(matches!(
        draft(&mut acme, None, "f", 0),
        Answer::KeyRequired
    ));
    assert!(matches!(
        draft(&mut acme, Some("a"), "f", 1),
        Answer::Drafted(_)
    ));
    confirm(&mut acme, "acme-1", Some("c"), 2);
    let again = draft(&mut acme, Some("a"), "f", 100);
    assert!(
        matches!(again, Answer::Repeated(view) if view.status == Status::Draft),
        "the answer of the first time"
    );
    assert!(matches!(
        draft(&mut acme, Some("a"), "other", 100),
        Answer::Mismatch
    ));
    assert!(
        matches!(draft(&mut acme, Some("a"), "f", 101), Answer::Drafted(view) if &*view.order_id == "acme-2")
    );
    assert!(matches!(
        draft(&mut acme, Some("b"), "f", 102),
        Answer::Drafted(_)
    ));
    let found = acme.find(&Find::Reference("r-1".into()));
    assert_eq!(found.orders.len(), 3);
}

#[test]
fn remembered_keys_stand_for_one_operation() {
    let mut acme = supplier(RepeatClass::Remembered(DAY));
    draft(&mut acme, Some("a"), "f", 1);
    assert!(matches!(
        confirm(&mut acme, "acme-1", Some("a"), 2).0,
        Answer::Mismatch
    ));
    assert!(confirm(&mut acme, "acme-1", Some("b"), 2).1);
    assert!(!confirm(&mut acme, "acme-1", Some("b"), 3).1);
    assert!(
        confirm(&mut acme, "acme-1", Some("c"), 4).1,
        "without the key it happens again"
    );
}

#[test]
fn never_does_it_again_each_time() {
    let mut acme = supplier(RepeatClass::Never { lookup: true });
    for n in 1..=3 {
        assert!(matches!(
            draft(&mut acme, Some("a"), "f", n),
            Answer::Drafted(_)
        ));
        assert!(confirm(&mut acme, "acme-1", Some("b"), n).1);
    }
    assert_eq!(acme.find(&Find::Reference("r-1".into())).orders.len(), 3);
}

#[test]
fn an_unknown_order_is_not_confirmed() {
    for class in [
        RepeatClass::Natural,
        RepeatClass::Remembered(DAY),
        RepeatClass::Never { lookup: false },
    ] {
        let mut acme = supplier(class);
        assert!(matches!(
            confirm(&mut acme, "acme-9", Some("a"), 1).0,
            Answer::NotFound
        ));
    }
}

#[test]
fn a_supplier_rebuilt_from_its_receipts_recognises_the_same_calls() {
    for class in [
        RepeatClass::Natural,
        RepeatClass::Remembered(DAY),
        RepeatClass::Never { lookup: true },
    ] {
        let mut before = supplier(class);
        let mut after = supplier(class);
        let draft_call = draft_of("r-1");
        let change = call(Ask::Draft(draft_call.clone()), Some("a"), "f");
        let (_, drafted) = before.draft(&draft_call, &change, 1);
        after.replay(&super::super::receipt(&change, drafted.unwrap(), 1));
        let ask = Ask::Confirm {
            order_id: "acme-1".into(),
        };
        let change = call(ask, Some("b"), "confirm");
        let (_, confirmed) = before.confirm(&"acme-1".into(), &change, 2);
        after.replay(&super::super::receipt(&change, confirmed.unwrap(), 2));

        let same =
            |one: Answer, other: Answer| assert_eq!(format!("{one:?}"), format!("{other:?}"));
        same(
            draft(&mut before, Some("a"), "f", 3),
            draft(&mut after, Some("a"), "f", 3),
        );
        same(
            confirm(&mut before, "acme-1", Some("b"), 4).0,
            confirm(&mut after, "acme-1", Some("b"), 4).0,
        );
        same(
            draft(&mut before, Some("z"), "f", 5),
            draft(&mut after, Some("z"), "f", 5),
        );
    }
}

#[test]
fn orders_are_bounded_and_the_oldest_goes_first() {
    let mut acme = supplier(RepeatClass::Natural);
    for n in 0..=ORDERS_KEPT_MAX {
        let draft = draft_of(&format!("r-{n}"));
        let change = call(Ask::Draft(draft.clone()), None, "f");
        acme.draft(&draft, &change, 1);
    }
    assert_eq!(acme.orders.len(), ORDERS_KEPT_MAX);
    assert_eq!(acme.by_reference.len(), ORDERS_KEPT_MAX);
    assert!(acme.find(&Find::Reference("r-0".into())).orders.is_empty());
    assert_eq!(acme.find(&Find::Reference("r-1".into())).orders.len(), 1);
}
