//! `argosy dead-letters`: what is listed and shown, what is asked of a letter, and how each answer ends.

use std::{
    process::Output,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};

use super::{argosy, stand_in, text};

const ID: &str = "orders/argosy.order-events.v1/3/42";

fn dead_letters(arguments: &[&str], base: &str) -> Output {
    argosy(&[&["dead-letters"], arguments].concat(), base)
        .env("ARGOSY__GATEWAY__OPERATOR_TOKEN", "a-token")
        .output()
        .unwrap()
}

fn letter(offset: usize) -> Value {
    json!({
        "id": format!("orders/argosy.order-events.v1/3/{offset}"),
        "state": "dead",
        "deaths": 1,
        "held": true,
        "asked": null,
        "cause": "refused",
        "message": "no such\u{1b}[2J variant",
        "last_failure": "2026-01-01T00:00:00.000Z",
        "key": { "text": "1001", "base64": "MTAwMQ==" },
        "correlation_id": "flow",
    })
}

/// So many letters, in pages of at most three; what was asked is kept.
fn pages(letters: usize, kept: Arc<Mutex<Vec<String>>>) -> impl Fn(&str) -> (u16, String) + Send {
    move |address| {
        kept.lock().unwrap().push(address.to_owned());
        let number = |name: &str| {
            let (_, rest) = address.split_once(name)?;
            rest.split('&').next()?.parse::<usize>().ok()
        };
        let first = number("after=").unwrap_or(0);
        let last = (first + number("rows_max=").unwrap().min(3)).min(letters);
        let page: Vec<Value> = (first..last).map(letter).collect();
        let next = (last < letters).then(|| last.to_string());
        let answer = json!({ "dead_letters": page, "truncated": next.is_some(), "next": next });
        (200, answer.to_string())
    }
}

fn problem(status: u16, kind: &str, detail: &str) -> (u16, String) {
    let problem = json!({
        "type": format!("urn:argosy:problem:{kind}"), "title": "t", "status": status, "detail": detail,
    });
    (status, problem.to_string())
}

#[test]
fn a_list_is_read_over_its_pages_as_far_as_asked() {
    let base = stand_in(pages(8, Arc::default()));
    let told = dead_letters(&["ls"], &base);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let lines = text(&told.stdout);
    assert_eq!(lines.matches("orders/argosy.order-events.v1").count(), 8);
    assert!(
        lines.contains("refused") && lines.contains("1001"),
        "{lines}"
    );
    assert!(!lines.contains('\u{1b}'), "{lines}");
    assert_eq!(text(&told.stderr), "");

    let told = dead_letters(&["ls", "--limit", "4", "--json"], &base);
    let answer: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(answer["dead_letters"].as_array().unwrap().len(), 4);
    assert_eq!(answer["truncated"], true);
    assert!(text(&told.stderr).contains("there are more"), "{told:?}");
}

#[test]
fn filters_are_asked_of_the_gateway() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let base = stand_in(pages(1, Arc::clone(&asked)));
    let filters = [
        "ls",
        "--worker",
        "orders",
        "--cause",
        "refused",
        "--fingerprint",
        "1-abc",
        "--key",
        "a&b",
        "--state",
        "dead",
        "--held",
        "--correlation",
        "flow 1",
    ];
    let told = dead_letters(&filters, &base);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let expected = "/v1/dead-letters?worker=orders&cause=refused&fingerprint=1-abc&key=a%26b&state=dead\
                    &held=true&correlation=flow+1&rows_max=100";
    assert_eq!(*asked.lock().unwrap(), [expected]);
}

#[test]
fn one_letter_is_shown_and_what_it_says_only_if_asked() {
    let base = stand_in(|address| {
        let mut letter = letter(42);
        if address.ends_with("?value=true") {
            letter["value"] = json!({ "text": "Jane", "base64": "SmFuZQ==" });
            letter["headers"] =
                json!([{ "name": "x", "value": { "text": null, "base64": "/w==" } }]);
        }
        (200, letter.to_string())
    });
    let told = dead_letters(&["show", ID], &base);
    let lines = text(&told.stdout);
    assert!(
        lines.contains("no such") && !lines.contains("Jane"),
        "{lines}"
    );
    let told = dead_letters(&["show", ID, "--value"], &base);
    let lines = text(&told.stdout);
    assert!(
        lines.contains("Jane") && lines.contains("base64:/w=="),
        "{lines}"
    );
}

#[test]
fn an_ask_is_a_post_and_a_refusal_says_why() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    let base = stand_in(move |address| {
        kept.lock().unwrap().push(address.to_owned());
        match address.rsplit('/').next() {
            Some("replay") => (202, json!({ "asked": "replay" }).to_string()),
            Some("release") => problem(409, "not-held", "no key is held behind this record"),
            _ => (200, letter(42).to_string()),
        }
    });
    let told = dead_letters(&["replay", ID, "--actor", "maria"], &base);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    assert!(text(&told.stdout).contains(ID), "{told:?}");
    let address = format!("/v1/dead-letters/{ID}/replay");
    assert!(asked.lock().unwrap().contains(&address));
    let told = dead_letters(&["release", ID], &base);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    assert!(text(&told.stderr).contains("no key is held"), "{told:?}");
}

/// A letter that stands so at each look after it was asked for; the last stays.
fn replayed(looks: Vec<Value>) -> impl Fn(&str) -> (u16, String) + Send {
    let looked = AtomicUsize::new(0);
    move |address| {
        if address.ends_with("/replay") {
            return (202, json!({ "asked": "replay" }).to_string());
        }
        let look = looked.fetch_add(1, Ordering::Relaxed).min(looks.len());
        let mut letter = letter(42);
        let changed = look
            .checked_sub(1)
            .map_or_else(|| json!({}), |at| looks[at].clone());
        for (field, value) in changed.as_object().unwrap() {
            letter[field] = value.clone();
        }
        (200, letter.to_string())
    }
}

#[test]
fn a_replay_is_waited_for_and_its_end_is_the_exit_code() {
    let waiting = json!({ "asked": "replay" });
    let running = json!({ "state": "replaying" });
    let done = json!({ "state": "done" });
    let again = json!({ "state": "dead", "deaths": 2, "message": "still not" });
    let refused = json!({ "state": "dead", "asked": null });
    for (looks, exit, said) in [
        (vec![waiting.clone(), running.clone(), done], 0, ""),
        (vec![waiting.clone(), again], 1, "still not"),
        (vec![waiting.clone(), refused], 1, "ended dead"),
    ] {
        let base = stand_in(replayed(looks));
        let told = dead_letters(&["replay", ID, "--wait", "30s"], &base);
        assert_eq!(told.status.code(), Some(exit), "{told:?}");
        assert!(text(&told.stderr).contains(said), "{told:?}");
    }
    for looks in [vec![running], vec![waiting]] {
        let base = stand_in(replayed(looks));
        let told = dead_letters(&["replay", ID, "--wait", "0s"], &base);
        assert_eq!(told.status.code(), Some(75), "{told:?}");
        assert!(text(&told.stderr).contains("not known yet"), "{told:?}");
    }
}

#[test]
fn all_that_is_held_is_released_over_all_pages_and_what_somebody_else_did_is_passed_over() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let list = pages(7, Arc::clone(&asked));
    let kept = Arc::clone(&asked);
    let base = stand_in(move |address| {
        if !address.ends_with("/release") {
            return list(address);
        }
        kept.lock().unwrap().push(address.to_owned());
        match address.contains("/3/4/") {
            true => problem(409, "already-asked", "something was asked"),
            false => (202, json!({ "asked": "release" }).to_string()),
        }
    });
    let arguments = ["release", "--all", "--worker", "orders", "--yes", "--json"];
    let told = dead_letters(&arguments, &base);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let answer: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(answer, json!({ "asked": 6, "passed_over": 1 }));
    assert!(
        text(&told.stderr).contains("asked to release 3 held keys"),
        "{told:?}"
    );
    let asked = asked.lock().unwrap();
    assert_eq!(
        asked
            .iter()
            .filter(|address| address.ends_with("/release"))
            .count(),
        7
    );
    assert!(
        asked[0].starts_with("/v1/dead-letters?held=true&worker=orders&"),
        "{asked:?}"
    );
}

#[test]
fn a_failure_in_the_middle_of_a_release_of_all_is_a_failure() {
    let list = pages(2, Arc::default());
    let base = stand_in(move |address| match address.ends_with("/release") {
        true => problem(503, "store-away", "ask again"),
        false => list(address),
    });
    let told = dead_letters(&["release", "--all", "--yes"], &base);
    assert_eq!(told.status.code(), Some(75), "{told:?}");
}

#[test]
fn what_is_not_meant_or_names_nothing_is_refused_before_anything_is_asked() {
    for arguments in [
        &["release", "--all"][..],
        &["release"],
        &["release", ID, "--all", "--yes"],
        &["release", ID, "--yes"],
        &["replay", "orders/t/3"],
        &["replay", "orders/t/3/-1"],
        &["replay", ID, "--wait", "soon"],
        &["show", ""],
        &["ls", "--state", "alive"],
        &["ls", "--limit", "0"],
    ] {
        let told = dead_letters(arguments, "http://127.0.0.1:1");
        assert_eq!(told.status.code(), Some(2), "{arguments:?} {told:?}");
    }
    let without_token = argosy(&["dead-letters", "ls"], "http://127.0.0.1:1").output();
    assert_eq!(without_token.unwrap().status.code(), Some(78));
}

#[test]
fn an_answer_that_is_no_gateways_is_called_so() {
    for body in ["{}", r#"{"dead_letters": {}}"#, r#"{"state": 1}"#] {
        let base = stand_in(move |_| (200, body.to_owned()));
        for arguments in [
            &["ls"][..],
            &["show", ID],
            &["replay", ID],
            &["release", ID],
            &["release", "--all", "--yes"],
        ] {
            let told = dead_letters(arguments, &base);
            assert_eq!(told.status.code(), Some(1), "{arguments:?} {told:?}");
            let said = text(&told.stderr);
            assert!(said.contains("is no Argosy gateway"), "{said}");
        }
    }
}

#[test]
fn a_letter_that_is_not_there_is_not_found() {
    let base = stand_in(|_| problem(404, "not-found", "there is no such dead letter"));
    for arguments in [&["show", ID][..], &["replay", ID], &["release", ID]] {
        let told = dead_letters(arguments, &base);
        assert_eq!(told.status.code(), Some(3), "{told:?}");
    }
}
