//! `POST /v1/events`: an event from outside, as CloudEvents over HTTP, binary or structured.
//!
//! The id is the caller's: a repetition must carry the same one, so an event without is refused. Attributes that are
//! not ours are dropped, fields of a JSON body that are not are refused. The body is checked and written as protobuf,
//! whatever it came as.

use argosy_events::{Envelope, Header, attribute_header, structured, validate_any};
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::Response,
};
use bytes::Bytes;

use super::accepted::accepted;
use crate::{
    Api, clock,
    intake::Arrival,
    problem::Problem,
    request::{Body, check_bearer},
};

/// Bodies that are read, beside CloudEvents documents.
const MEDIA_TYPES: [&str; 3] = [
    "application/json",
    "application/protobuf",
    "application/x-protobuf",
];

pub(crate) async fn endpoint(
    State(api): State<Api>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    if let Some(token) = api.intake_token() {
        check_bearer(&headers, token, "intake")?;
    }
    let (mut attributes, data) = opened(&headers, body)?;
    let has = |attributes: &[Header], name: &str| attributes.iter().any(|(found, _)| found == name);
    if !has(&attributes, "ce_id") {
        return Err(Problem::invalid(
            "id",
            "is missing: choose one, and send a repetition with the same",
        ));
    }
    if !has(&attributes, "ce_source") {
        attributes.push((
            "ce_source".to_owned(),
            Bytes::copy_from_slice(api.source().as_bytes()),
        ));
    }
    // Id and source are there, so the place of a record that does not exist yet is never looked at.
    let envelope = Envelope::read(&attributes, "", 0, 0)?;
    let body = validate_any(
        &envelope.event_type,
        envelope.content_type.as_deref(),
        &data,
    )?;
    let envelope = Envelope {
        time_ms: envelope.time_ms.or_else(|| Some(clock::wall_ms())),
        subject: envelope
            .subject
            .or_else(|| (!body.key.is_empty()).then(|| body.key.as_str().into())),
        ..envelope
    };
    let arrivals = [Arrival { envelope, body }];
    api.intake().take_in(&arrivals).await?;
    Ok(accepted(&arrivals))
}

/// Attributes as headers of a record, and the data.
fn opened(headers: &HeaderMap, body: Bytes) -> Result<(Vec<Header>, Bytes), Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if structured::is_structured(content_type) {
        return Ok(structured::open(&body)?);
    }
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !MEDIA_TYPES
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known))
    {
        return Err(Problem::media_type(
            "send application/json or application/protobuf with ce- headers, or application/cloudevents+json",
        ));
    }
    let mut attributes = binary(headers)?;
    attributes.push((
        "content-type".to_owned(),
        Bytes::copy_from_slice(content_type.as_bytes()),
    ));
    Ok((attributes, body))
}

/// Binary mode: each attribute is a header `ce-…`, percent-encoded; the trace context may stand in its own headers.
fn binary(headers: &HeaderMap) -> Result<Vec<Header>, Problem> {
    let mut attributes = Vec::new();
    for name in headers.keys() {
        let text = name.as_str();
        let attribute = match text {
            "traceparent" | "tracestate" => text,
            _ => match text.strip_prefix("ce-") {
                Some("datacontenttype") | None => continue,
                Some(attribute) => attribute,
            },
        };
        let Some(record_header) = attribute_header(attribute) else {
            continue;
        };
        let mut values = headers.get_all(name).iter();
        if let (Some(value), None) = (values.next(), values.next()) {
            attributes.push((record_header.to_owned(), decoded(value.as_bytes())));
        } else {
            return Err(Problem::invalid(attribute, "stands twice"));
        }
    }
    Ok(attributes)
}

/// One round of percent-decoding, as the HTTP binding asks; what is no encoding stays as it is.
fn decoded(value: &[u8]) -> Bytes {
    let hex = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, after)) = rest.split_first() {
        let byte = match after {
            [high, low, ..] if first == b'%' => {
                hex(high).zip(hex(low)).map(|(high, low)| high << 4 | low)
            }
            _ => None,
        };
        decoded.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    decoded.into()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn percent_encoding_is_undone_once() {
        for (encoded, wanted) in [
            ("a%20b", "a b"),
            ("%C3%BC", "ü"),
            ("%2520", "%20"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("", ""),
        ] {
            assert_eq!(decoded(encoded.as_bytes()), wanted.as_bytes(), "{encoded}");
        }
    }
}
