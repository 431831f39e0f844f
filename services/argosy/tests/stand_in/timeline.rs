//! `argosy timeline`: how a long flow, a hostile text and a foreign server are told.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use super::{argosy, stand_in, text};

fn command(arguments: &[&str], base: &str) -> Command {
    argosy(&[&["timeline"], arguments].concat(), base)
}

fn timeline(arguments: &[&str], base: &str) -> Output {
    command(arguments, base).output().unwrap()
}

fn entry(number: i64, at_ms: i64, step: &str, told: &Value) -> Value {
    json!({
        "worker": "orders",
        "instance": "01900000-0000-7000-8000-000000000000",
        "number": number,
        "type": "argosy.orders.v1.OrderApproved",
        "source": "shopify://lantern",
        "id": "e1",
        "steps": [{ "atMs": at_ms.to_string(), step: told }],
    })
}

/// A flow of so many entries, the last of which settles it, in pages of two.
fn pages(address: &str, entries: i64) -> (u16, String) {
    let after: i64 = address
        .split_once("after=")
        .map_or(0, |(_, after)| after.parse().unwrap());
    let last = (after + 2).min(entries);
    let page: Vec<_> = (after + 1..=last)
        .map(|number| match number == entries {
            true => entry(
                number,
                number,
                "settled",
                &json!({ "outcome": "OUTCOME_DONE" }),
            ),
            false => entry(number, number, "received", &json!({})),
        })
        .collect();
    let next = (last < entries).then(|| last.to_string());
    let answer = json!({ "entries": page, "truncated": next.is_some(), "next": next });
    (200, answer.to_string())
}

#[test]
fn a_flow_longer_than_a_page_is_told_to_its_settlement() {
    let base = stand_in(|address| pages(address, 21));
    let told = timeline(&["flow"], &base);
    let lines = text(&told.stdout);
    assert_eq!(lines.matches("received").count(), 20, "{lines}");
    assert_eq!(lines.matches("settled").count(), 1, "{lines}");
    assert_eq!(text(&told.stderr), "");

    let told = timeline(&["flow", "--json"], &base);
    let answer: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(answer["entries"].as_array().unwrap().len(), 21);
    assert_eq!(answer["truncated"], false);
}

#[test]
fn an_event_is_told_with_the_source_that_its_effects_are_asked_by() {
    let base = stand_in(|address| pages(address, 2));
    let told = timeline(&["flow"], &base);
    let lines = text(&told.stdout);
    assert!(lines.contains("id e1, source shopify://lantern"), "{lines}");
}

#[test]
fn a_gateway_whose_pages_never_end_is_left_after_a_bound_and_it_says_so() {
    let base = stand_in(|address| pages(address, i64::MAX));
    let told = timeline(&["flow"], &base);
    assert!(told.status.success());
    assert!(text(&told.stderr).contains("the flow is longer than what is shown"));
}

#[test]
fn following_tells_each_step_once_though_an_earlier_one_arrives_late() {
    let asked = AtomicUsize::new(0);
    let base = stand_in(move |_| {
        let mut entries = vec![
            entry(2, 2_000, "run", &json!({ "attempt": 1 })),
            entry(3, 3_000, "settled", &json!({ "outcome": "OUTCOME_DONE" })),
        ];
        match asked.fetch_add(1, Ordering::Relaxed) {
            0 => {}
            1 => entries.insert(0, entry(1, 1_000, "received", &json!({}))),
            _ => entries.push(entry(4, 4_000, "accepted", &json!({}))),
        }
        let answer = json!({ "entries": entries, "truncated": false, "next": null });
        (200, answer.to_string())
    });
    let mut following = command(&["flow", "--follow"], &base)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(following.stdout.take().unwrap()).lines();
    // A repeated line would come before the one that is told last.
    let steps: Vec<String> = lines
        .map(|line| line.unwrap().split("  ").nth(3).unwrap().to_owned())
        .take(4)
        .collect();
    following.kill().unwrap();
    following.wait().unwrap();
    assert_eq!(steps, ["run", "settled", "received", "accepted"]);
}

#[test]
fn control_characters_of_stored_texts_do_not_reach_the_terminal() {
    let hostile = "\u{1b}]0;owned\u{7}\u{9b}31m\r\nsettled\u{202e}";
    let base = stand_in(move |_| {
        let run = entry(1, 1, "run", &json!({ "attempt": 1, "detail": hostile }));
        (200, json!({ "entries": [run] }).to_string())
    });
    let told = timeline(&["flow"], &base);
    let lines = text(&told.stdout);
    assert!(
        !lines
            .chars()
            .any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')),
        "{lines:?}"
    );
    assert!(
        lines.contains(r"\u{1b}]0;owned\u{7}\u{9b}31m\r\nsettled\u{202e}"),
        "{lines:?}"
    );
    let told = timeline(&["flow", "--json"], &base);
    let answer: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(answer["entries"][0]["steps"][0]["run"]["detail"], hostile);
}

#[test]
fn control_characters_of_an_error_do_not_reach_the_terminal() {
    let base = stand_in(|_| (500, json!({ "detail": "no\u{1b}[2J" }).to_string()));
    let told = timeline(&["flow"], &base);
    assert!(text(&told.stderr).contains(r"no\u{1b}[2J"), "{told:?}");
}

#[test]
fn a_server_that_is_no_gateway_is_called_so() {
    for (status, body) in [(200, "<html>"), (200, "{}"), (200, "[]"), (404, "not here")] {
        let base = stand_in(move |_| (status, body.to_owned()));
        for arguments in [&["flow"][..], &["flow", "--follow"]] {
            let told = timeline(arguments, &base);
            assert_eq!(told.status.code(), Some(1), "{status} {body}");
            let said = text(&told.stderr);
            assert!(said.contains("is no Argosy gateway"), "{said}");
            assert!(said.contains(&base), "{said}");
        }
    }
}

#[test]
fn a_timeline_needs_an_id() {
    let told = timeline(&[""], "http://127.0.0.1:1");
    assert_eq!(told.status.code(), Some(2));
    assert!(text(&told.stderr).contains("CORRELATION ID"), "{told:?}");
}
