//! The gateway's internal events: each emits its log line and its metric together. No payloads, no tokens.

use std::time::Duration;

use argosy_broker::BrokerError;
use argosy_events::Envelope;
use argosy_store::{LetterId, PlanStepKind, StoreError};
use metrics::{counter, histogram};

/// A request was answered.
pub(crate) struct RequestEnded<'a> {
    /// The route, not the address: labels are bounded.
    pub(crate) route: &'a str,
    pub(crate) method: &'static str,
    pub(crate) status: u16,
    pub(crate) request_id: &'a str,
    pub(crate) duration: Duration,
}

impl RequestEnded<'_> {
    pub(crate) fn emit(&self) {
        let Self {
            route,
            method,
            status,
            request_id,
            duration,
        } = *self;
        let labels = [
            ("route", route.to_owned()),
            ("method", method.to_owned()),
            ("status", status.to_string()),
        ];
        histogram!("argosy_gateway_request_seconds", &labels).record(duration);
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(
            event = "request_ended",
            route,
            method,
            status,
            request_id,
            duration_us,
            "request answered"
        );
    }
}

/// An event was taken in: the broker has it.
pub(crate) struct EventAccepted<'a> {
    pub(crate) envelope: &'a Envelope,
}

impl EventAccepted<'_> {
    pub(crate) fn emit(&self) {
        let Envelope {
            source,
            id,
            event_type,
            correlation_id,
            ..
        } = self.envelope;
        counter!("argosy_gateway_events_accepted_total", "type" => event_type.to_string())
            .increment(1);
        tracing::debug!(event = "event_accepted", %source, %id, r#type = %event_type, correlation = %correlation_id, "event accepted");
    }
}

/// The broker did not acknowledge an intake.
pub(crate) struct IntakeUnknown<'a> {
    pub(crate) error: &'a BrokerError,
}

impl IntakeUnknown<'_> {
    pub(crate) fn emit(&self) {
        counter!("argosy_gateway_intakes_unknown_total").increment(1);
        tracing::warn!(event = "intake_unknown", error = %self.error, "the broker did not acknowledge an intake");
    }
}

/// A look at the broker was in vain.
pub(crate) struct BrokerAway<'a> {
    pub(crate) error: &'a BrokerError,
}

impl BrokerAway<'_> {
    pub(crate) fn emit(&self) {
        counter!("argosy_gateway_broker_looks_failed_total").increment(1);
        tracing::warn!(event = "broker_away", error = %self.error, "the broker does not answer");
    }
}

/// The broker refuses an intake for good.
pub(crate) struct IntakeRejected<'a> {
    pub(crate) error: &'a BrokerError,
}

impl IntakeRejected<'_> {
    pub(crate) fn emit(&self) {
        counter!("argosy_gateway_intakes_rejected_total").increment(1);
        tracing::error!(event = "intake_rejected", error = %self.error, "the broker refuses an intake for good");
    }
}

/// An intake was refused for overload.
pub(crate) struct Overloaded {
    pub(crate) at: &'static str,
}

impl Overloaded {
    pub(crate) fn emit(&self) {
        counter!("argosy_gateway_overloads_total", "at" => self.at).increment(1);
        tracing::debug!(
            event = "overloaded",
            at = self.at,
            "a request was refused for overload"
        );
    }
}

/// A credential or signature was wrong or missing.
pub(crate) struct Unauthorized {
    pub(crate) at: &'static str,
}

impl Unauthorized {
    pub(crate) fn emit(&self) {
        counter!("argosy_gateway_unauthorized_total", "at" => self.at).increment(1);
        tracing::info!(
            event = "unauthorized",
            at = self.at,
            "a credential or signature is wrong or missing"
        );
    }
}

/// A webhook delivery asks for nothing that this fleet does.
pub(crate) struct WebhookIgnored<'a> {
    pub(crate) topic: &'a str,
}

impl WebhookIgnored<'_> {
    pub(crate) fn emit(&self) {
        counter!("argosy_gateway_webhooks_ignored_total").increment(1);
        tracing::debug!(
            event = "webhook_ignored",
            topic = self.topic,
            "a webhook's topic is not subscribed here"
        );
    }
}

/// The store did not answer a question.
pub(crate) struct StoreFailed<'a> {
    pub(crate) error: &'a StoreError,
}

impl StoreFailed<'_> {
    pub(crate) fn emit(&self) {
        counter!("argosy_gateway_store_failures_total").increment(1);
        tracing::warn!(event = "store_failed", error = %self.error, "the store did not answer");
    }
}

/// A handler panicked.
pub(crate) struct EndpointPanicked;

impl EndpointPanicked {
    pub(crate) fn emit(&self) {
        counter!("argosy_gateway_panics_total").increment(1);
        tracing::error!(event = "endpoint_panicked", "an endpoint panicked");
    }
}

/// A connection could not be accepted.
pub(crate) struct AcceptFailed<'a> {
    pub(crate) error: &'a std::io::Error,
}

impl AcceptFailed<'_> {
    pub(crate) fn emit(&self) {
        counter!("argosy_gateway_accept_failures_total").increment(1);
        tracing::warn!(event = "accept_failed", error = %self.error, "a connection could not be accepted");
    }
}

/// An operator settled an effect by hand.
pub(crate) struct EffectResolved<'a> {
    pub(crate) actor: &'a str,
    pub(crate) happened: bool,
}

impl EffectResolved<'_> {
    pub(crate) fn emit(&self) {
        counter!("argosy_gateway_effects_resolved_total").increment(1);
        tracing::info!(
            event = "effect_resolved",
            actor = self.actor,
            happened = self.happened,
            "an effect was resolved by hand"
        );
    }
}

/// An operator asked the owner of a dead record for something.
pub(crate) struct PlanStepAsked<'a> {
    pub(crate) actor: &'a str,
    pub(crate) id: &'a LetterId,
    pub(crate) kind: PlanStepKind,
}

impl PlanStepAsked<'_> {
    pub(crate) fn emit(&self) {
        let kind = self.kind.name();
        counter!("argosy_gateway_plan_steps_asked_total", "kind" => kind).increment(1);
        tracing::info!(
            event = "plan_step_asked",
            actor = self.actor,
            letter = %self.id,
            kind,
            "an operator asked for a dead record"
        );
    }
}
