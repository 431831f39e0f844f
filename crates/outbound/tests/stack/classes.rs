//! What every answer, and every absence of one, comes to.

use std::time::Duration;

use argosy_kernel::{Death, Waiting};
use argosy_outbound::{Class, Decision, Failure, Outcome, Repeat};

use crate::{
    journal::{Memory, call, dependency, settings, stack, stack_of},
    vendor::{Act, Vendor, answer},
};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn waits(cause: fn(std::sync::Arc<str>) -> Waiting, wait: Duration) -> Decision {
    Decision::Wait(cause(dependency().0), wait)
}

/// One call to a vendor that answers so. It is one try: either no try again, or a longer wait than a run has.
async fn called(status: u16, head: &str) -> (Failure, Vec<Outcome>) {
    let vendor = Vendor::start([answer(status, head, "<html>no order</html>")]).await;
    let journal = Memory::new();
    let (result, report) = stack(&vendor)
        .effect(call(Repeat::Never), journal.shared())
        .await;
    let failure = result.unwrap_err();
    assert_eq!((report.tries, report.status), (1, Some(status)));
    assert_eq!(Some(report.class), failure.class.as_ref().map(Class::name));
    assert_eq!(failure.dependency, Some(dependency()));
    assert!(
        failure
            .message
            .starts_with(&format!("acme: status {status}")),
        "{failure}"
    );
    assert_eq!(vendor.received().len(), 1, "redirects are not followed");
    (failure, journal.recorded())
}

#[tokio::test]
async fn what_may_have_happened_waits_for_the_claim_and_is_not_recorded() {
    for (status, head) in [
        (302, "location: http://127.0.0.1:1/\r\n"),
        (303, "location: /elsewhere\r\n"),
        (408, ""),
        (500, ""),
        (502, "content-type: text/html\r\n"),
        (504, "retry-after: 60\r\n"),
    ] {
        let (failure, recorded) = called(status, head).await;
        assert_eq!(failure.class, Some(Class::Ambiguous), "{status}");
        assert_eq!(
            failure.decision,
            Decision::Wait(Waiting::Claimed, SECOND),
            "{status}"
        );
        assert_eq!(recorded, [], "{status}");
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_dead_and_its_claim_given_up() {
    for status in [400, 404, 410, 418, 422] {
        let (failure, recorded) = called(status, "").await;
        assert_eq!(failure.class, Some(Class::Permanent), "{status}");
        assert_eq!(failure.decision, Decision::Dead(Death::Refused), "{status}");
        assert_eq!(recorded, [Outcome::NotHappened], "{status}");
    }
}

#[tokio::test]
async fn what_did_not_happen_yet_waits_for_its_cause_and_its_claim_is_given_up() {
    let later = "Retry-After: 60\r\n";
    for (status, head, class, decision) in [
        (
            401,
            "",
            Class::Unauthorized,
            waits(Waiting::Dependency, SECOND),
        ),
        (402, "", Class::Quota, waits(Waiting::Quota, MINUTE / 2)),
        (
            403,
            "",
            Class::Unauthorized,
            waits(Waiting::Dependency, SECOND),
        ),
        (409, "", Class::Conflict, Decision::Retry(None)),
        (
            429,
            later,
            Class::Throttled(Some(MINUTE)),
            waits(Waiting::Quota, MINUTE),
        ),
        (
            503,
            later,
            Class::NotExecuted(Some(MINUTE)),
            waits(Waiting::Dependency, MINUTE),
        ),
    ] {
        let (failure, recorded) = called(status, head).await;
        assert_eq!(
            (failure.class, failure.decision),
            (Some(class), decision),
            "{status}"
        );
        assert_eq!(recorded, [Outcome::NotHappened], "{status}");
    }
}

/// Moving `classify` inside the timeout turns this red: a call that is cut off would have no class.
#[tokio::test]
async fn a_timeout_is_classified_as_ambiguous() {
    for act in [Act::Wait(String::new()), Act::Trickle] {
        let (vendor, journal) = (Vendor::start([act]).await, Memory::new());
        let mut settings = settings(&vendor);
        settings.call_timeout = SECOND;
        let (result, report) = stack_of(settings)
            .0
            .effect(call(Repeat::Never), journal.shared())
            .await;
        let failure = result.unwrap_err();
        assert_eq!(failure.class, Some(Class::Ambiguous));
        assert_eq!(failure.decision, Decision::Wait(Waiting::Claimed, SECOND));
        assert_eq!(
            (report.tries, report.status, journal.recorded()),
            (1, None, vec![])
        );
        assert!(
            report.duration >= SECOND && report.duration < 15 * SECOND,
            "{:?}",
            report.duration
        );
    }
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_ambiguous() {
    for act in [
        Act::CutBefore,
        Act::CutAfter,
        Act::Answer("HTTP/1.1 201 x\r\ncontent-length: 50\r\n\r\n{".into()),
    ] {
        let (vendor, journal) = (Vendor::start([act.clone()]).await, Memory::new());
        let (result, report) = stack(&vendor)
            .effect(call(Repeat::Never), journal.shared())
            .await;
        assert_eq!(result.unwrap_err().class, Some(Class::Ambiguous), "{act:?}");
        assert_eq!((report.tries, journal.recorded()), (1, vec![]), "{act:?}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_ambiguous() {
    for bytes in [
        "\0\0\0\0\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 201 x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let (vendor, journal) = (
            Vendor::start([Act::Answer(bytes.into())]).await,
            Memory::new(),
        );
        let (result, _) = stack(&vendor)
            .effect(call(Repeat::Never), journal.shared())
            .await;
        assert_eq!(
            result.unwrap_err().class,
            Some(Class::Ambiguous),
            "{bytes:?}"
        );
        assert_eq!(journal.recorded(), []);
    }
}

#[tokio::test]
async fn no_connection_is_not_executed_and_tried_again() {
    let vendor = Vendor::start([Act::CutBefore]).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut settings = settings(&vendor);
    settings.base_url = nobody;
    let journal = Memory::new();
    let (result, report) = stack_of(settings)
        .0
        .effect(call(Repeat::Never), journal.shared())
        .await;
    let failure = result.unwrap_err();
    assert_eq!(failure.class, Some(Class::NotExecuted(None)));
    assert_eq!(failure.decision, waits(Waiting::Dependency, SECOND));
    assert_eq!((report.tries, report.status), (3, None));
    assert_eq!(journal.recorded(), vec![Outcome::NotHappened; 3]);
}

#[tokio::test]
async fn a_good_status_with_a_useless_body_is_ambiguous() {
    let huge = "x".repeat(1024 * 1024 + 1);
    for body in ["", "<html>", r#"{"id":7}"#, &huge] {
        let (vendor, journal) = (Vendor::start([answer(200, "", body)]).await, Memory::new());
        let (result, report) = stack(&vendor)
            .effect(call(Repeat::Never), journal.shared())
            .await;
        let failure = result.unwrap_err();
        assert_eq!(
            failure.class,
            Some(Class::Ambiguous),
            "{} bytes",
            body.len()
        );
        assert_eq!((report.status, journal.recorded()), (Some(200), vec![]));
        assert!(!failure.message.contains('<'), "{failure}");
    }
}

#[tokio::test]
async fn a_refusal_is_clear_without_its_endless_text() {
    let huge = "x".repeat(1024 * 1024 + 1);
    let (vendor, journal) = (Vendor::start([answer(422, "", &huge)]).await, Memory::new());
    let (result, _) = stack(&vendor)
        .effect(call(Repeat::Never), journal.shared())
        .await;
    assert_eq!(result.unwrap_err().decision, Decision::Dead(Death::Refused));
    assert_eq!(journal.recorded(), [Outcome::NotHappened]);
}

#[tokio::test]
async fn a_path_that_no_request_can_have_is_misconfigured_and_unsent() {
    let (vendor, journal) = (Vendor::start([answer(200, "", "")]).await, Memory::new());
    let mut bad = call(Repeat::Never);
    bad.request.path = "/../../admin".to_owned();
    let (result, report) = stack(&vendor).read(bad).await;
    assert_eq!(
        result.unwrap_err().decision,
        Decision::Dead(Death::Misconfigured)
    );
    assert_eq!(
        (report.tries, vendor.received().len(), journal.claims()),
        (0, 0, 0)
    );
}
