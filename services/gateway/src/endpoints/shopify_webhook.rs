//! `POST /webhooks/shopify`: a shop's order comes in, signed over its raw body.
//!
//! One delivery is one event, however often it is sent: its id is computed from the delivery's. Topics that nobody
//! here handles answer 200 and say so, since the shop would send them again and again otherwise.

use argosy_events::{
    Envelope, Payload, PayloadError, identity,
    orders::v1::{OrderApproved, OrderPlaced},
    publishable,
};
use argosy_vendors::shopify::{Delivery, Order, SIGNATURE_HEADER, order_placed};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;
use uuid::Uuid;

use super::accepted::accepted;
use crate::{Api, clock, intake::Arrival, problem::Problem, request::Body, telemetry};

/// The topic that is taken.
const ORDERS_CREATE: &str = "orders/create";

pub(crate) async fn endpoint(
    State(api): State<Api>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let Some(secrets) = api.shopify_secrets() else {
        return Err(Problem::closed(
            "webhooks are closed: set gateway.shopify.secret",
        ));
    };
    let signature = headers.get(SIGNATURE_HEADER).map(|value| value.as_bytes());
    secrets.verify(signature, &body).map_err(|error| {
        telemetry::Unauthorized { at: "shopify" }.emit();
        Problem::unsigned(error.to_string())
    })?;
    let plain: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let delivery = Delivery::read(plain.iter().copied())
        .map_err(|error| Problem::invalid(error.header(), error.message()))?;
    if delivery.topic != ORDERS_CREATE {
        telemetry::WebhookIgnored {
            topic: &delivery.topic,
        }
        .emit();
        return Ok(ignored());
    }
    let order = Order::parse(&body).map_err(|error| Problem::invalid(error.path, error.message))?;
    let placed = order_placed(order, &delivery.shop_domain)
        .map_err(|error| Problem::invalid(error.path, error.message))?;
    let arrivals = arrivals(&delivery, &placed, api.approves_placed_orders())?;
    api.intake().take_in(&arrivals).await?;
    Ok(accepted(&arrivals))
}

/// The events of one delivery; all of them belong to one flow.
fn arrivals(
    delivery: &Delivery,
    placed: &OrderPlaced,
    approve: bool,
) -> Result<Vec<Arrival>, PayloadError> {
    let source = format!("shopify://{}", delivery.shop_domain);
    let flow = identity::delivered(&source, &delivery.webhook_id);
    let mut arrivals = vec![arrival(delivery, &source, (flow, flow, None), placed)?];
    if approve {
        let id = identity::delivered_as(&source, &delivery.webhook_id, OrderApproved::TYPE);
        let approved = OrderApproved::from(placed.clone());
        arrivals.push(arrival(
            delivery,
            &source,
            (id, flow, Some(flow)),
            &approved,
        )?);
    }
    Ok(arrivals)
}

fn arrival<P: Payload>(
    delivery: &Delivery,
    source: &str,
    (id, flow, cause): (Uuid, Uuid, Option<Uuid>),
    body: &P,
) -> Result<Arrival, PayloadError> {
    let happened = delivery.triggered_at.map(|time| time.as_millisecond());
    let body = publishable(body)?;
    let envelope = Envelope {
        source: source.into(),
        id: id.to_string().into(),
        event_type: P::TYPE.into(),
        time_ms: Some(happened.unwrap_or_else(clock::wall_ms)),
        subject: Some(body.key.as_str().into()),
        correlation_id: flow.to_string().into(),
        causation_id: cause.map(|cause| cause.to_string().into()),
        traceparent: None,
        tracestate: None,
        content_type: None,
    };
    Ok(Arrival { envelope, body })
}

fn ignored() -> Response {
    let reason = format!("only {ORDERS_CREATE} is handled here");
    (
        StatusCode::OK,
        Json(json!({ "ignored": true, "reason": reason })),
    )
        .into_response()
}
