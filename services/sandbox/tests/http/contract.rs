//! The contract as a well-behaved caller sees it, per repeat class.

use argosy_sandbox::{Effect, Operation};
use serde_json::json;

use crate::client::{Ask, Running};

#[tokio::test]
async fn a_draft_is_created_confirmed_shown_and_found() {
    let sandbox = Running::start().await;
    let drafted = sandbox.ask(Ask::draft("natural", "r-1").key("k-1")).await;
    assert_eq!(drafted.status, 201);
    assert_eq!(drafted.json()["status"], "draft");
    assert_eq!(drafted.json()["external_order_id"], "r-1");
    let id = drafted.order_id();

    let confirmed = sandbox.ask(Ask::confirm("natural", &id).key("k-2")).await;
    assert_eq!(confirmed.status, 200);
    assert_eq!(confirmed.json()["status"], "accepted");

    let shown = sandbox
        .ask(Ask::get(format!("/suppliers/natural/v1/orders/{id}")))
        .await;
    assert_eq!(shown.json(), confirmed.json());
    let found = sandbox
        .ask(Ask::get(
            "/suppliers/natural/v1/orders?external_order_id=r-1",
        ))
        .await;
    assert_eq!(
        found.json(),
        json!({"items": [confirmed.json()], "next_cursor": null})
    );
    let none = sandbox
        .ask(Ask::get(
            "/suppliers/natural/v1/orders?external_order_id=r-2",
        ))
        .await;
    assert_eq!(none.json()["items"], json!([]));
}

#[tokio::test]
async fn every_accepted_call_leaves_one_receipt_before_its_answer() {
    let sandbox = Running::start().await;
    let id = sandbox
        .ask(Ask::draft("natural", "r-1").key("k-1"))
        .await
        .order_id();
    assert_eq!(sandbox.receipts().len(), 1);
    sandbox.ask(Ask::confirm("natural", &id)).await;
    let receipts = sandbox.receipts();
    let [draft, confirm] = &receipts[..] else {
        panic!("{receipts:?}");
    };
    assert_eq!(
        (&*draft.vendor, draft.operation, draft.effect),
        ("natural", Operation::Draft, Effect::Applied)
    );
    assert_eq!(draft.idempotency_key.as_deref(), Some("k-1"));
    assert_eq!((&*draft.our_reference, &*draft.order_id), ("r-1", &*id));
    assert_eq!(
        (draft.aggregate_key.as_deref(), draft.sequence),
        (Some("1001"), Some(7))
    );
    assert!(draft.received_at > 0 && draft.received_at <= draft.applied_at);
    assert!(draft.applied_at <= draft.answered_at && draft.answered_at <= confirm.received_at);
    assert_eq!(
        (confirm.operation, confirm.effect),
        (Operation::Confirm, Effect::Applied)
    );
    assert_eq!(
        (confirm.aggregate_key.as_deref(), confirm.sequence),
        (Some("1001"), Some(7))
    );
    assert_eq!(confirm.idempotency_key, None);
}

#[tokio::test]
async fn a_natural_supplier_knows_our_reference() {
    let sandbox = Running::start().await;
    let id = sandbox
        .ask(Ask::draft("natural", "r-1").key("k-1"))
        .await
        .order_id();
    let again = sandbox.ask(Ask::draft("natural", "r-1").key("k-1")).await;
    assert_eq!(
        (again.status, again.code()),
        (409, "duplicate_order".into())
    );
    assert_eq!(again.json()["existing_order_id"], *id);
    let first = sandbox.ask(Ask::confirm("natural", &id)).await;
    let second = sandbox.ask(Ask::confirm("natural", &id)).await;
    assert_eq!((second.status, second.json()), (200, first.json()));
    let effects: Vec<Effect> = sandbox
        .receipts()
        .iter()
        .map(|receipt| receipt.effect)
        .collect();
    assert_eq!(
        effects,
        [
            Effect::Applied,
            Effect::Repeat,
            Effect::Applied,
            Effect::Repeat
        ]
    );
}

#[tokio::test]
async fn a_remembering_supplier_knows_the_key_and_the_body() {
    let sandbox = Running::start().await;
    let first = sandbox
        .ask(Ask::draft("remembered", "r-1").key("k-1"))
        .await;
    let again = sandbox
        .ask(Ask::draft("remembered", "r-1").key("\"k-1\""))
        .await;
    assert_eq!(
        (again.status, again.json()),
        (200, first.json()),
        "quoted or bare"
    );
    let other = sandbox
        .ask(Ask::draft("remembered", "r-2").key("k-1"))
        .await;
    assert_eq!(
        (other.status, other.code()),
        (409, "idempotency_mismatch".into())
    );
    let none = sandbox.ask(Ask::draft("remembered", "r-1")).await;
    assert_eq!(
        (none.status, none.code()),
        (400, "idempotency_key_required".into())
    );
    let another = sandbox
        .ask(Ask::draft("remembered", "r-1").key("k-2"))
        .await;
    assert_eq!(another.status, 201, "the reference is not unique here");
    let id = first.order_id();
    for expected in [Effect::Applied, Effect::Repeat] {
        let confirmed = sandbox
            .ask(Ask::confirm("remembered", &id).key("k-3"))
            .await;
        assert_eq!(confirmed.status, 200);
        assert_eq!(sandbox.receipts().last().unwrap().effect, expected);
    }
}

#[tokio::test]
async fn a_supplier_that_never_recognises_does_it_again() {
    let sandbox = Running::start().await;
    for supplier in ["never", "blind"] {
        let first = sandbox.ask(Ask::draft(supplier, "r-1").key("k-1")).await;
        let second = sandbox.ask(Ask::draft(supplier, "r-1").key("k-1")).await;
        assert_eq!((first.status, second.status), (201, 201));
        assert_ne!(first.order_id(), second.order_id());
    }
    assert!(
        sandbox
            .receipts()
            .iter()
            .all(|receipt| receipt.effect == Effect::Applied)
    );
    let found = sandbox
        .ask(Ask::get("/suppliers/never/v1/orders?external_order_id=r-1"))
        .await;
    assert_eq!(found.json()["items"].as_array().unwrap().len(), 2);
    let blind = sandbox
        .ask(Ask::get("/suppliers/blind/v1/orders?external_order_id=r-1"))
        .await;
    assert_eq!(
        (blind.status, blind.code()),
        (404, "lookup_not_supported".into())
    );
}

#[tokio::test]
async fn suppliers_know_nothing_of_each_other() {
    let sandbox = Running::start().await;
    let id = sandbox.ask(Ask::draft("natural", "r-1")).await.order_id();
    let elsewhere = sandbox.ask(Ask::confirm("never", &id)).await;
    assert_eq!(
        (elsewhere.status, elsewhere.code()),
        (404, "order_not_found".into())
    );
    let elsewhere = sandbox
        .ask(Ask::get(format!("/suppliers/never/v1/orders/{id}")))
        .await;
    assert_eq!(elsewhere.code(), "order_not_found");
}

#[tokio::test]
async fn request_ids_are_echoed_or_made() {
    let sandbox = Running::start().await;
    let echoed = sandbox
        .ask(Ask::draft("natural", "r-1").header("X-Request-Id", "abc-1"))
        .await;
    assert_eq!(echoed.headers["x-request-id"], "abc-1");
    let refused = sandbox
        .ask(Ask::get("/nowhere").header("X-Request-Id", "abc-2"))
        .await;
    assert_eq!(refused.headers["x-request-id"], "abc-2");
    for wrong in ["", "a b", &"x".repeat(129)] {
        let made = sandbox
            .ask(Ask::get("/__control/health").header("X-Request-Id", wrong))
            .await;
        assert_eq!(made.headers["x-request-id"].len(), 36);
    }
}

#[tokio::test]
async fn the_control_endpoints_show_health_and_receipts() {
    let sandbox = Running::start().await;
    let health = sandbox.ask(Ask::get("/__control/health")).await.json();
    assert_eq!(health["status"], "ok");
    assert_eq!(
        health["suppliers"][0],
        json!({"name": "blind", "repeat": "never-without-lookup"})
    );
    for n in 0..3 {
        sandbox.ask(Ask::draft("natural", &format!("r-{n}"))).await;
    }
    let all = sandbox.ask(Ask::get("/__control/receipts")).await.json();
    assert_eq!(all["next"], 3);
    let rest = sandbox
        .ask(Ask::get("/__control/receipts?after=2"))
        .await
        .json();
    assert_eq!(
        rest["receipts"].as_array().unwrap()[..],
        all["receipts"].as_array().unwrap()[2..]
    );
    let none = sandbox
        .ask(Ask::get("/__control/receipts?after=9"))
        .await
        .json();
    assert_eq!(none, json!({"next": 9, "receipts": []}));
    for wrong in ["?after=-1", "?after=x", "?before=1"] {
        let refused = sandbox
            .ask(Ask::get(format!("/__control/receipts{wrong}")))
            .await;
        assert_eq!(refused.status, 400);
    }
}

#[tokio::test]
async fn calls_at_the_same_moment_are_all_written_and_told_apart() {
    let sandbox = Running::start().await;
    let asks =
        (0..64).map(|n| sandbox.ask(Ask::draft("remembered", "r-1").key(&format!("k-{}", n / 2))));
    let answers = futures_util::future::join_all(asks).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 32, "each key is applied once");
    let receipts = sandbox.receipts();
    assert_eq!(receipts.len(), 64);
    let applied = receipts
        .iter()
        .filter(|receipt| receipt.effect == Effect::Applied);
    assert_eq!(applied.count(), 32);
}
