//! `argosy effects show`: what is there is shown, and what is not there is said with the source that was asked.

use std::process::Output;

use serde_json::json;

use super::{argosy, stand_in, text};

fn show(arguments: &[&str], base: &str) -> Output {
    argosy(&[&["effects", "show"], arguments].concat(), base)
        .env("ARGOSY__GATEWAY__OPERATOR_TOKEN", "a-token")
        .output()
        .unwrap()
}

/// One effect of a webhook's event, and of no other.
fn of_a_webhook(address: &str) -> (u16, String) {
    let is_asked = address.ends_with("source=shopify%3A%2F%2Flantern&event=e1");
    let effect = json!({ "worker": "orders", "name": "draft-order", "key": "acme" });
    let effects = if is_asked { vec![effect] } else { Vec::new() };
    (200, json!({ "effects": effects }).to_string())
}

#[test]
fn an_event_without_effects_is_not_there_and_the_source_that_was_asked_is_named() {
    let base = stand_in(of_a_webhook);
    for format in [&[][..], &["--json"]] {
        let told = show(&[&["--event", "e1"][..], format].concat(), &base);
        assert_eq!(told.status.code(), Some(3), "{told:?}");
        assert_eq!(text(&told.stdout), "");
        let said = text(&told.stderr);
        assert!(
            said.contains("no effect of event e1 from source argosy://gateway"),
            "{said}"
        );
        assert!(said.contains("--source names another"), "{said}");
    }
}

#[test]
fn an_effect_is_shown_under_the_source_that_is_named() {
    let base = stand_in(of_a_webhook);
    let told = show(&["--event", "e1", "--source", "shopify://lantern"], &base);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    assert!(text(&told.stdout).contains("draft-order"), "{told:?}");
}

#[test]
fn an_answer_that_lists_no_effects_is_no_gateways() {
    for body in [r#"{"effects": {}}"#, "{}"] {
        let base = stand_in(move |_| (200, body.to_owned()));
        let told = show(&["--event", "e1"], &base);
        assert_eq!(told.status.code(), Some(1), "{told:?}");
        assert!(
            text(&told.stderr).contains("is no Argosy gateway"),
            "{told:?}"
        );
    }
}
