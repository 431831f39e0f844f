//! The answer 202: what was taken in, and where to ask what became of it.

use argosy_events::Envelope;
use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{intake::Arrival, request::encoded};

/// 202 with the location of the first event's status.
pub(crate) fn accepted(arrivals: &[Arrival]) -> Response {
    let envelopes = || arrivals.iter().map(|arrival| &arrival.envelope);
    let events: Vec<Value> = envelopes().map(shown).collect();
    let correlation = envelopes().next().map(|first| &*first.correlation_id);
    let document = Json(json!({
        "correlation_id": correlation,
        "timeline": correlation.map(|id| format!("/v1/timelines/{}", encoded(id))),
        "events": events,
    }));
    let location = envelopes().next().map(status_of).unwrap_or_default();
    (
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        document,
    )
        .into_response()
}

fn shown(envelope: &Envelope) -> Value {
    json!({
        "id": &*envelope.id,
        "source": &*envelope.source,
        "type": &*envelope.event_type,
        "status": status_of(envelope),
    })
}

fn status_of(envelope: &Envelope) -> String {
    format!(
        "/v1/events/{}?source={}",
        encoded(&envelope.id),
        encoded(&envelope.source)
    )
}
