//! From the gateway's answer to lines in the order in which things happened: a pure function.

use argosy_events::fleet::v1::{
    Step,
    step::{Call, Kind, Run, Waited, call, run, settled},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::output::printable;

/// One thing that happened.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    at_ms: i64,
    #[serde(skip)]
    pub(crate) place: Place,
    worker: String,
    event: String,
    step: &'static str,
    detail: String,
}

/// What tells a line from all others, in whatever answer it comes: the entry, and the step's number in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    instance: String,
    number: i64,
    step: usize,
}

#[derive(Deserialize)]
struct Answer {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    instance: String,
    number: i64,
    worker: String,
    r#type: String,
    source: String,
    id: String,
    steps: Vec<Value>,
}

/// All steps of all entries, by time.
pub(crate) fn story(answer: &Value) -> Result<Vec<Line>, serde_json::Error> {
    let answer = Answer::deserialize(answer)?;
    let mut lines = Vec::new();
    for entry in answer.entries {
        let event = entry
            .r#type
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_owned();
        for (index, step) in entry.steps.iter().enumerate() {
            let step = read(step);
            let (name, detail) = tell(&step, &entry);
            lines.push(Line {
                at_ms: step.at_ms,
                place: Place {
                    instance: entry.instance.clone(),
                    number: entry.number,
                    step: index,
                },
                worker: entry.worker.clone(),
                event: event.clone(),
                step: name,
                detail,
            });
        }
    }
    // Stable: what happened within one millisecond stays in the answer's order.
    lines.sort_by_key(|line| line.at_ms);
    Ok(lines)
}

/// A step that a newer build wrote may say what this one cannot read: its time still can be.
fn read(step: &Value) -> Step {
    Step::deserialize(step).unwrap_or_else(|_| Step {
        at_ms: step["atMs"]
            .as_str()
            .and_then(|at_ms| at_ms.parse().ok())
            .unwrap_or_default(),
        kind: None,
    })
}

impl Line {
    pub(crate) fn cells(&self) -> Vec<String> {
        vec![
            time(self.at_ms),
            self.worker.clone(),
            self.event.clone(),
            self.step.to_owned(),
            self.detail.clone(),
        ]
    }

    pub(crate) fn in_one_line(&self) -> String {
        let cells = self.cells().into_iter().map(|cell| printable(&cell));
        cells.collect::<Vec<_>>().join("  ")
    }
}

fn time(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms)
        .map_or_else(|_| at_ms.to_string(), |time| format!("{time:.3}"))
}

fn tell(step: &Step, entry: &Entry) -> (&'static str, String) {
    // Both are needed to ask for its effects.
    let identity = || format!("id {}, source {}", entry.id, entry.source);
    match &step.kind {
        None => ("unknown", "this build does not know the step".to_owned()),
        Some(Kind::Accepted(_)) => ("accepted", identity()),
        Some(Kind::Received(_)) => ("received", identity()),
        Some(Kind::Replayed(_)) => (
            "replayed",
            "an operator has the dead record run again".to_owned(),
        ),
        Some(Kind::Waited(waited)) => ("waits", tell_wait(waited)),
        Some(Kind::Run(run)) => ("run", tell_run(run)),
        Some(Kind::Call(call)) => ("call", tell_call(call)),
        Some(Kind::Emitted(emitted)) => (
            "emitted",
            format!("{} id {} to {}", emitted.r#type, emitted.id, emitted.topic),
        ),
        Some(Kind::Settled(settled)) => {
            let outcome = match settled.outcome() {
                settled::Outcome::Unspecified => "unknown",
                settled::Outcome::Done => "done",
                settled::Outcome::Skipped => "skipped",
                settled::Outcome::Dead => "dead",
            };
            ("settled", with(outcome.to_owned(), &settled.reason))
        }
    }
}

fn tell_wait(waited: &Waited) -> String {
    let cause = match waited.dependency.is_empty() || waited.cause.contains('(') {
        true => waited.cause.clone(),
        false => format!("{}({})", waited.cause, waited.dependency),
    };
    match (waited.parked, waited.wait_ms) {
        // A held key: no time ends that.
        (true, 0) => format!("{cause}, in the store, until an operator ends it"),
        (true, wait_ms) => format!("{cause}, in the store, at most {wait_ms} ms"),
        (false, wait_ms) => format!("{cause}, at most {wait_ms} ms"),
    }
}

fn tell_run(run: &Run) -> String {
    let outcome = match run.outcome() {
        run::Outcome::Unspecified => "unknown",
        run::Outcome::Done => "done",
        run::Outcome::Skipped => "skipped",
        run::Outcome::Attempt => "failed, runs again",
        run::Outcome::Deferral => "deferred",
        run::Outcome::Dead => "failed for good",
        run::Outcome::Aborted => "dropped, its partition went elsewhere",
    };
    let text = format!(
        "attempt {} {outcome} in {}",
        run.attempt,
        span(run.duration_us)
    );
    with(text, &run.detail)
}

fn tell_call(call: &Call) -> String {
    let what = match call.name.is_empty() {
        true => format!("{} at {}", call.operation, call.dependency),
        false => format!(
            "{} at {} (effect {}/{})",
            call.operation, call.dependency, call.name, call.key
        ),
    };
    let outcome = match call.outcome() {
        call::Outcome::Unspecified => "unknown",
        call::Outcome::Sent => "ok",
        call::Outcome::Recalled => "recalled, not sent again",
        call::Outcome::LookedUp => "found by lookup",
        call::Outcome::Failed => "failed",
    };
    let mut text = format!("{what} {outcome}");
    if call.status > 0 {
        text += &format!(", status {}", call.status);
    }
    if call.tries > 1 {
        text += &format!(", {} tries", call.tries);
    }
    if call.repeat {
        text += ", a repeat";
    }
    with(
        format!("{text} in {}", span(call.duration_us)),
        &call.detail,
    )
}

fn with(text: String, detail: &str) -> String {
    match detail {
        "" => text,
        detail => format!("{text}: {detail}"),
    }
}

fn span(duration_us: i64) -> String {
    match duration_us {
        ..1_000 => format!("{duration_us} µs"),
        1_000..10_000_000 => format!("{} ms", duration_us / 1_000),
        _ => format!("{} s", duration_us / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        json!({ "correlation_id": "c", "truncated": false, "entries": [
            { "instance": "i", "number": 2, "worker": "orders", "type": "argosy.orders.v1.OrderApproved", "source": "shopify://lantern", "id": "e1", "state": "done", "steps": [
                { "atMs": "2000", "received": {} },
                { "atMs": "2001", "call": { "dependency": "acme", "operation": "draft", "name": "draft-order",
                    "key": "acme", "outcome": "OUTCOME_SENT", "status": 201, "tries": 2, "durationUs": "21000" } },
                { "atMs": "2001", "run": { "attempt": 1, "outcome": "OUTCOME_DONE", "durationUs": "900" } },
                { "atMs": "2003", "settled": { "outcome": "OUTCOME_DEAD", "reason": "refused" } } ] },
            { "instance": "g", "number": 1, "worker": "gateway", "type": "argosy.orders.v1.OrderApproved", "source": "shopify://lantern", "id": "e1", "state": "accepted", "steps": [
                { "atMs": "1000", "accepted": {} } ] } ] })
    }

    #[test]
    fn a_story_is_told_in_the_order_in_which_it_happened() {
        let lines = story(&answer()).unwrap();
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line.step, line.detail.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("accepted", "id e1, source shopify://lantern"),
                ("received", "id e1, source shopify://lantern"),
                (
                    "call",
                    "draft at acme (effect draft-order/acme) ok, status 201, 2 tries in 21 ms"
                ),
                ("run", "attempt 1 done in 900 µs"),
                ("settled", "dead: refused"),
            ]
        );
        assert!(
            lines[0]
                .in_one_line()
                .starts_with("1970-01-01T00:00:01.000Z  gateway  OrderApproved")
        );
    }

    #[test]
    fn an_answer_that_is_none_is_an_error_and_an_unknown_step_is_told() {
        for answer in [
            json!(null),
            json!({}),
            json!({ "entries": [{}] }),
            json!({ "entries": "x" }),
        ] {
            assert!(story(&answer).is_err(), "{answer}");
        }
        let answer = json!({ "entries": [
            { "instance": "i", "number": 1, "worker": "w", "type": "", "source": "s", "id": "e", "steps": [
                { "atMs": "1", "later": {} }, { "atMs": "2", "run": { "outcome": "OUTCOME_LATER" } } ] } ] });
        let told = story(&answer).unwrap();
        let told: Vec<_> = told.iter().map(|line| (line.at_ms, line.step)).collect();
        assert_eq!(told, [(1, "unknown"), (2, "unknown")]);
    }
}
