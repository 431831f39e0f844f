//! Every answer of a supplier, good and bad, comes to one class and never to a panic.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fmt::Debug, fs, path::PathBuf};

use argosy_kernel::Death;
use argosy_outbound::{Class, Decision, Dependency, Failure, Method, Repeat, Response};
use argosy_vendors::supplier::{
    Code, Confirmed, Draft, Metadata, NewOrder, Refusal, Supplier, Verdict,
};
use bytes::Bytes;

/// As in the contract's examples.
const REFERENCE: &str = "9007199254740993-acme-5f1d";

fn supplier() -> Supplier {
    let dependency = Dependency("acme".into());
    Supplier {
        name: "acme".into(),
        dependency,
        repeat: Repeat::Never,
        has_lookup: true,
    }
}

fn order() -> NewOrder {
    NewOrder {
        external_order_id: REFERENCE.to_owned(),
        items: Vec::new(),
        ship_to: None,
        metadata: Metadata {
            order: "1".to_owned(),
            sequence: 1,
        },
    }
}

fn drafted() -> Draft {
    Draft {
        order_id: "S-1001".to_owned(),
    }
}

fn file(name: &str) -> Bytes {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../contracts/supplier")
        .join(name);
    fs::read(path).unwrap().into()
}

/// An order as the contract shows it.
fn shown(order_id: &str, reference: &str, status: &str) -> String {
    format!(r#"{{"order_id":"{order_id}","external_order_id":"{reference}","status":"{status}"}}"#)
}

fn page(items: &[String]) -> String {
    format!(r#"{{"items":[{}],"next_cursor":null}}"#, items.join(","))
}

fn answer(status: u16, body: impl Into<Bytes>) -> Response {
    Response {
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}

fn taken<T: Debug>(verdict: Result<Verdict<T>, Failure>) -> T {
    match verdict {
        Ok(Verdict::Taken(taken)) => taken,
        other => panic!("{other:?}"),
    }
}

fn refused<T: Debug>(verdict: Result<Verdict<T>, Failure>) -> Refusal {
    match verdict {
        Ok(Verdict::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn draft(status: u16, body: impl Into<Bytes>) -> Result<Verdict<Draft>, Failure> {
    supplier().draft(&order()).read.read(&answer(status, body))
}

fn confirm(status: u16, body: impl Into<Bytes>) -> Result<Verdict<Confirmed>, Failure> {
    supplier()
        .confirm(&drafted())
        .read
        .read(&answer(status, body))
}

fn find_draft(status: u16, body: impl Into<Bytes>) -> Result<Option<Verdict<Draft>>, Failure> {
    let lookup = supplier().draft(&order()).lookup.unwrap();
    lookup.read.read(&answer(status, body))
}

fn find_confirmed(
    status: u16,
    body: impl Into<Bytes>,
) -> Result<Option<Verdict<Confirmed>>, Failure> {
    let lookup = supplier().confirm(&drafted()).lookup.unwrap();
    lookup.read.read(&answer(status, body))
}

#[test]
fn a_created_and_a_remembered_draft_read_alike() {
    for status in [200, 201] {
        assert_eq!(taken(draft(status, file("order-draft.json"))), drafted());
    }
}

#[test]
fn a_reference_that_the_supplier_knows_is_a_draft_already_done() {
    assert_eq!(
        draft(409, file("problem-duplicate-order.json")).unwrap(),
        Verdict::Taken(drafted())
    );
}

#[test]
fn a_duplicate_without_its_order_is_a_final_refusal() {
    let failure = draft(409, r#"{"code":"duplicate_order"}"#).unwrap_err();
    assert_eq!(failure.class, Some(Class::Permanent));
    assert_eq!(Refusal::of(&failure).unwrap().code, Code::DuplicateOrder);
}

#[test]
fn a_refusal_names_a_line_by_its_whole_reference() {
    let long = "9".repeat(300);
    let body = serde_json::json!({
        "code": "out_of_stock",
        "errors": [{"line_ref": "11: x", "code": "gone"}, {"line_ref": long}],
    });
    let refusal = refused(draft(422, body.to_string()));
    for (line, is_named) in [("11: x", true), (&*long, true), ("11", false), ("1", false)] {
        assert_eq!(refusal.names(line), is_named, "{line}");
    }
}

#[test]
fn business_refusals_are_verdicts_and_name_their_lines_but_no_address() {
    for (name, code, line) in [
        (
            "problem-out-of-stock.json",
            Code::OutOfStock,
            "11: out_of_stock",
        ),
        (
            "problem-address-invalid.json",
            Code::AddressInvalid,
            "/ship_to/address1: address_invalid",
        ),
    ] {
        let refusal = refused(draft(422, file(name)));
        assert_eq!(
            (refusal.code, &*refusal.faults[0].to_string()),
            (code, line)
        );
        let recorded = serde_json::to_string(&Verdict::<Draft>::Refused(refusal.clone())).unwrap();
        let recalled: Verdict<Draft> = serde_json::from_str(&recorded).unwrap();
        assert_eq!(recalled, Verdict::Refused(refusal.clone()));
        assert!(!format!("{refusal:?} {refusal} {recorded}").contains("Harbour"));
    }
}

#[test]
fn refusals_of_our_request_are_permanent() {
    for (name, status, code) in [
        (
            "problem-idempotency-mismatch.json",
            409,
            Code::IdempotencyMismatch,
        ),
        ("problem-order-not-found.json", 404, Code::OrderNotFound),
    ] {
        let failure = draft(status, file(name)).unwrap_err();
        assert_eq!(failure.class, Some(Class::Permanent), "{name}");
        assert_eq!(failure.decision, Decision::Dead(Death::Refused), "{name}");
        let refusal = Refusal::of(&failure).unwrap();
        assert_eq!(refusal.code, code);
    }
}

#[test]
fn a_good_status_with_a_useless_body_is_ambiguous() {
    let good = shown("S-1001", REFERENCE, "accepted");
    let torn = &good[..good.len() - 1];
    for body in [
        "",
        "<html>502</html>",
        "null",
        "[]",
        "{}",
        r#"{"order_id":"S-1001","external_order_id":"9007199254740993-acme-5f1d"}"#,
        r#"{"order_id":"S-1001","status":"accepted"}"#,
        r#"{"order_id":7,"external_order_id":"9007199254740993-acme-5f1d","status":"accepted"}"#,
        r#"["S-1001","9007199254740993-acme-5f1d","accepted"]"#,
        &shown("S-1001", REFERENCE, "teleported"),
        &good.replace('{', r#"{"order_id":"S-1001","#),
        &format!("{good}<html>"),
        &format!("{good}{good}"),
        &format!("[{good}]"),
        &"[".repeat(100_000),
        torn,
    ] {
        let failure = draft(201, body.to_owned()).unwrap_err();
        assert_eq!(failure.class, Some(Class::Ambiguous), "{body}");
        let failure = confirm(200, body.to_owned()).unwrap_err();
        assert_eq!(failure.class, Some(Class::Ambiguous), "{body}");
        let failure = find_draft(200, body.to_owned()).unwrap_err();
        assert_eq!(failure.class, Some(Class::Ambiguous), "{body}");
        let failure = find_confirmed(200, body.to_owned()).unwrap_err();
        assert_eq!(failure.class, Some(Class::Ambiguous), "{body}");
    }
    assert_eq!(taken(draft(201, good.clone())), drafted());
    assert_eq!(taken(confirm(200, good)).status, "accepted");
}

#[test]
fn an_id_that_cannot_stand_in_a_path_is_no_draft() {
    let long = "x".repeat(256);
    for id in ["", ".", "..", r"a\nb", &long] {
        let body = shown(id, REFERENCE, "draft");
        let failure = draft(201, body.clone()).unwrap_err();
        assert_eq!(failure.class, Some(Class::Ambiguous), "{body}");
        let failure = find_draft(200, page(&[body])).unwrap_err();
        assert_eq!(failure.class, Some(Class::Ambiguous), "{id}");
    }
}

#[test]
fn an_answer_about_another_order_is_ambiguous_whatever_it_says_of_it() {
    for status in ["draft", "accepted", "rejected", "cancelled"] {
        for reference in ["another", "", "9007199254740993-ACME-5f1d"] {
            let body = shown("S-1001", reference, status);
            let failure = draft(200, body.clone()).unwrap_err();
            assert_eq!(failure.class, Some(Class::Ambiguous), "{body}");
            let both = [shown("S-1001", REFERENCE, status), body.clone()];
            for items in [&[body][..], &both] {
                let failure = find_draft(200, page(items)).unwrap_err();
                assert_eq!(failure.class, Some(Class::Ambiguous), "{items:?}");
            }
        }
        let body = shown("S-1002", REFERENCE, status);
        let failure = confirm(200, body.clone()).unwrap_err();
        assert_eq!(failure.class, Some(Class::Ambiguous), "{body}");
        let failure = find_confirmed(200, body.clone()).unwrap_err();
        assert_eq!(failure.class, Some(Class::Ambiguous), "{body}");
    }
}

#[test]
fn orders_on_a_page_that_is_not_the_last_are_not_all_that_there_are() {
    let items = [&[][..], &[shown("S-1001", REFERENCE, "draft")]];
    for items in items {
        let body = page(items).replace("null", r#""more""#);
        let failure = find_draft(200, body).unwrap_err();
        assert_eq!(failure.class, Some(Class::Ambiguous), "{items:?}");
    }
}

#[test]
fn a_problem_that_is_a_list_says_nothing() {
    for body in [
        r#"["duplicate_order","S-9",[]]"#,
        r#"{"code":"duplicate_order","existing_order_id":"S-9"}{}"#,
        r#"{"code":"duplicate_order","existing_order_id":"S-9","errors":[["/x","11","y"]]}"#,
    ] {
        let failure = draft(409, body).unwrap_err();
        assert_eq!(failure.class, Some(Class::Conflict), "{body}");
    }
}

#[test]
fn a_status_counts_where_the_body_says_nothing() {
    for (status, body, class) in [
        (
            502,
            r#"{"code":"duplicate_order","existing_order_id":"S-9"}"#,
            Class::Ambiguous,
        ),
        (500, "not json", Class::Ambiguous),
        (504, "", Class::Ambiguous),
        (503, r#"{"code":"out_of_stock"}"#, Class::NotExecuted(None)),
        (429, r#"{"code":"out_of_stock"}"#, Class::Throttled(None)),
        (401, r#"{"code":"order_not_found"}"#, Class::Unauthorized),
        (402, "", Class::Quota),
        (409, "{}", Class::Conflict),
        (400, "[1]", Class::Permanent),
        (422, r#"{"code":7}"#, Class::Permanent),
        (418, "", Class::Permanent),
    ] {
        assert_eq!(
            draft(status, body).unwrap_err().class,
            Some(class.clone()),
            "{status} {body}"
        );
        assert_eq!(
            confirm(status, body).unwrap_err().class,
            Some(class),
            "{status} {body}"
        );
    }
}

#[test]
fn a_confirmation_is_done_only_past_the_draft() {
    assert_eq!(
        taken(confirm(200, file("order-accepted.json"))).status,
        "accepted"
    );
    assert_eq!(
        confirm(200, file("order-draft.json")).unwrap_err().class,
        Some(Class::Ambiguous)
    );
    for status in ["rejected", "cancelled"] {
        let body = shown("S-1001", REFERENCE, status);
        assert_eq!(refused(confirm(200, body)).code, Code::OrderClosed);
    }
}

#[test]
fn a_lookup_tells_done_from_not_done_and_from_unknown() {
    assert_eq!(
        find_draft(200, file("page-one.json")).unwrap(),
        Some(Verdict::Taken(drafted()))
    );
    assert_eq!(find_draft(200, file("page-empty.json")).unwrap(), None);
    assert_eq!(
        taken(find_confirmed(200, file("order-accepted.json")).map(Option::unwrap)).order_id,
        "S-1001"
    );
    assert_eq!(find_confirmed(200, file("order-draft.json")).unwrap(), None);
    for failure in [
        find_draft(404, r#"{"code":"lookup_not_supported"}"#).unwrap_err(),
        find_confirmed(404, file("problem-order-not-found.json")).unwrap_err(),
        find_draft(
            200,
            page(&["1", "2"].map(|id| shown(id, REFERENCE, "draft"))),
        )
        .unwrap_err(),
    ] {
        assert_eq!(
            failure.decision,
            Decision::Dead(Death::Ambiguous),
            "{failure}"
        );
    }
    assert_eq!(
        find_draft(502, "").unwrap_err().class,
        Some(Class::Ambiguous)
    );
}

#[test]
fn references_and_ids_cannot_leave_their_place_in_a_path() {
    let call = supplier().draft(&NewOrder {
        external_order_id: "a b/ü&x=1".to_owned(),
        ..order()
    });
    let lookup = call.lookup.unwrap().request;
    assert_eq!(
        lookup.path,
        "/v1/orders?external_order_id=a%20b%2F%C3%BC%26x%3D1"
    );
    assert_eq!(lookup.method, Method::Get);
    let call = supplier().confirm(&Draft {
        order_id: "../x?y#z".to_owned(),
    });
    assert_eq!(call.request.path, "/v1/orders/..%2Fx%3Fy%23z/confirm");
}

#[test]
fn a_supplier_without_lookup_is_never_asked() {
    let supplier = Supplier {
        has_lookup: false,
        ..supplier()
    };
    assert!(supplier.draft(&order()).lookup.is_none());
    assert!(supplier.confirm(&drafted()).lookup.is_none());
}
