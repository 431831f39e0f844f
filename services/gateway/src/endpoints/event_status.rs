//! `GET /v1/events/{id}?source=`: how an event stands, per worker that the catalogue expects.
//!
//! The event's own `state` is `done` once every expected worker has settled it well, `dead` if one has settled it as
//! dead, `skipped` if all that settled it skipped it; until then that of the worker that is furthest behind. An event
//! that no worker is expected to handle is done when it is accepted; one whose type is not known is not called done
//! before some worker has settled it.

use argosy_events::catalogue;
use argosy_store::{EventStatus, TimelinePlace};
use axum::{
    Json,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    Api, clock,
    intake::WORKER,
    problem::Problem,
    request::{Name, name, query},
};

/// Rows of the flow that are searched for the event's type.
const FLOW_ROWS_MAX: u32 = 1_000;

pub(crate) async fn endpoint(
    State(api): State<Api>,
    Name(id): Name,
    uri: Uri,
) -> Result<Response, Problem> {
    let [source] = query(&uri, ["source"])?;
    let source = source.map_or_else(
        || Ok(api.source().to_owned()),
        |source| name("source", source),
    )?;
    let statuses = api
        .store()
        .status(source.clone(), id.clone())
        .await
        .map_err(|error| Problem::store(&error))?;
    let Some(first) = statuses.first() else {
        return Err(Problem::not_found(
            "no such event is known here; a new one shows within a second",
        ));
    };
    let correlation = first.correlation.to_string();
    let event_type = type_of(&api, &correlation, &source, &id).await?;
    let known = event_type
        .as_deref()
        .and_then(catalogue::event)
        .map(|(_, event)| event.workers);
    let document = json!({
        "id": id,
        "source": source,
        "type": event_type,
        "correlation_id": correlation,
        "state": overall(&statuses, known),
        "workers": workers(&statuses, known.unwrap_or_default()),
    });
    Ok(Json(document).into_response())
}

async fn type_of(
    api: &Api,
    correlation: &str,
    source: &str,
    id: &str,
) -> Result<Option<String>, Problem> {
    let rows = api
        .store()
        .timeline(
            correlation.to_owned(),
            TimelinePlace::BEFORE_ALL,
            FLOW_ROWS_MAX,
        )
        .await;
    let rows = rows.map_err(|error| Problem::store(&error))?;
    let own = rows
        .iter()
        .find(|row| &*row.source == source && &*row.event == id);
    Ok(own.map(|row| row.event_type.to_string()))
}

/// All that have seen it, and those that should.
fn workers(statuses: &[EventStatus], expected: &[&str]) -> Vec<Value> {
    let seen = statuses.iter().map(|status| {
        json!({
            "worker": &*status.worker,
            "state": &*status.state,
            "at": clock::shown(status.at_ms),
            "expected": expected.contains(&&*status.worker),
        })
    });
    let unseen = expected
        .iter()
        .filter(|worker| state_of(statuses, worker).is_none())
        .map(
            |worker| json!({ "worker": worker, "state": "accepted", "at": null, "expected": true }),
        );
    seen.chain(unseen).collect()
}

/// `known` are the workers that are expected; `None` if the event's type is not known.
fn overall(statuses: &[EventStatus], known: Option<&[&str]>) -> &'static str {
    let expected = known.unwrap_or_default();
    // Whoever has settled it counts, expected or not: a dead letter is never hidden.
    let others = statuses
        .iter()
        .filter(|status| &*status.worker != WORKER)
        .map(|status| &*status.worker);
    let unseen = expected
        .iter()
        .filter(|worker| state_of(statuses, worker).is_none())
        .copied();
    let states: Vec<&str> = others
        .chain(unseen)
        .map(|worker| state_of(statuses, worker).unwrap_or("accepted"))
        .collect();
    let any = |wanted: &str| states.contains(&wanted);
    let unsettled = ["accepted", "waiting", "running"]
        .into_iter()
        .find(|state| any(state));
    match unsettled {
        _ if any("dead") => "dead",
        Some(unsettled) => unsettled,
        None if states.is_empty() && known.is_none() => "accepted",
        None if any("skipped") && !any("done") => "skipped",
        None => "done",
    }
}

fn state_of<'a>(statuses: &'a [EventStatus], worker: &str) -> Option<&'a str> {
    statuses
        .iter()
        .find(|status| &*status.worker == worker)
        .map(|status| &*status.state)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Workers with their states, workers expected, the event's state.
    type Case = (
        &'static [(&'static str, &'static str)],
        &'static [&'static str],
        &'static str,
    );

    fn status(worker: &str, state: &str) -> EventStatus {
        EventStatus {
            worker: worker.into(),
            state: state.into(),
            at_ms: 0,
            correlation: "flow".into(),
        }
    }

    #[test]
    fn an_event_is_done_when_all_expected_workers_have_settled_it() {
        let cases: &[Case] = &[
            (&[("gateway", "accepted")], &[], "done"),
            (&[("gateway", "accepted")], &["orders"], "accepted"),
            (&[("orders", "running")], &["orders"], "running"),
            (
                &[("orders", "waiting"), ("screening", "done")],
                &["orders", "screening"],
                "waiting",
            ),
            (&[("orders", "done")], &["orders", "screening"], "accepted"),
            (
                &[("orders", "done"), ("screening", "skipped")],
                &["orders", "screening"],
                "done",
            ),
            (&[("orders", "skipped")], &["orders"], "skipped"),
            (&[("orders", "dead")], &["orders", "screening"], "dead"),
            (&[("unexpected", "dead")], &[], "dead"),
        ];
        for (statuses, expected, state) in cases {
            let statuses: Vec<_> = statuses
                .iter()
                .map(|(worker, state)| status(worker, state))
                .collect();
            assert_eq!(
                overall(&statuses, Some(expected)),
                *state,
                "{statuses:?} {expected:?}"
            );
        }
    }

    #[test]
    fn an_event_of_unknown_type_is_not_called_done_before_somebody_settled_it() {
        assert_eq!(overall(&[status("gateway", "accepted")], None), "accepted");
        assert_eq!(overall(&[status("orders", "done")], None), "done");
    }

    #[test]
    fn a_worker_that_has_not_seen_the_event_is_listed_if_it_should() {
        let listed = workers(&[status("gateway", "accepted")], &["orders"]);
        assert_eq!(
            listed[1],
            json!({ "worker": "orders", "state": "accepted", "at": null, "expected": true })
        );
        assert_eq!(listed[0]["expected"], false);
    }
}
