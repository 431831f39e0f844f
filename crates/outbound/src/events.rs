//! What happens inside the stack, told once each as a log line and a metric together.
//!
//! Invariant: no payload, address or credential is in a line, and every label is bounded by configuration or code.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::{
    CallReport, Dependency,
    breaker::{Turn, Verdict},
};

/// A call is over.
pub(crate) fn call_finished(report: &CallReport) {
    let dependency = report.dependency.to_string();
    histogram!("argosy_call_seconds", "dependency" => dependency.clone(), "operation" => report.operation,
        "class" => report.class)
    .record(report.duration.as_secs_f64());
    counter!("argosy_call_tries_total", "dependency" => dependency, "operation" => report.operation)
        .increment(report.tries.into());
    tracing::debug!(
        event = "call_finished",
        dependency = %report.dependency,
        operation = report.operation,
        outcome = report.outcome.name(),
        class = report.class,
        status = report.status,
        tries = report.tries,
        repeat = report.repeat,
        duration_ms = u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX),
        "call finished"
    );
}

/// A recorded success was returned in place of a call.
pub(crate) fn outcome_recalled(dependency: &Dependency, operation: &'static str) {
    counter!("argosy_outcomes_recalled_total", "dependency" => dependency.to_string(), "operation" => operation)
        .increment(1);
    tracing::info!(event = "outcome_recalled", %dependency, operation, "recorded outcome returned without calling");
}

/// A claim was too old when its request was about to be sent.
pub(crate) fn claim_stale(dependency: &Dependency, operation: &'static str) {
    counter!("argosy_claims_stale_total", "dependency" => dependency.to_string(), "operation" => operation)
        .increment(1);
    tracing::warn!(event = "claim_stale", %dependency, operation, "claim expired before its request was sent");
}

/// A breaker opened or closed.
pub(crate) fn breaker_turned(dependency: &Dependency, turn: Turn, verdict: Verdict) {
    breaker_state(dependency, matches!(turn, Turn::Opened(_)));
    match (turn, verdict) {
        (Turn::Opened(interval), Verdict::Unauthorized) => tracing::error!(
            event = "breaker_opened", %dependency, cause = "unauthorized", open_ms = millis(interval),
            "breaker opened: the vendor refuses our credential"
        ),
        (Turn::Opened(interval), _) => tracing::warn!(
            event = "breaker_opened", %dependency, cause = "faults", open_ms = millis(interval),
            "breaker opened: the vendor is failing"
        ),
        (Turn::Closed, _) => {
            tracing::info!(event = "breaker_closed", %dependency, "breaker closed")
        }
    }
}

/// 1 while no calls but trials are let through.
pub(crate) fn breaker_state(dependency: &Dependency, open: bool) {
    gauge!("argosy_breaker_state", "dependency" => dependency.to_string())
        .set(f64::from(u8::from(open)));
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
