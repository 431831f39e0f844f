//! The way of a supplier call: admitted, met by the fault script, answered, or cut off without an answer.
//!
//! From admission on it runs in a task of its own: what a supplier received it carries out, also when the caller is
//! gone before the answer.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;

use crate::{
    RepeatClass,
    app::App,
    authorization,
    faults::{Effect, Target},
    ledger::LedgerGone,
    problem::Problem,
};

/// Pieces of a slow body.
const SLOW_PIECES: u32 = 8;

/// Marks a response that must never be sent: the connection is closed instead, before its first byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut;

/// A known supplier, and a caller with its token.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    pub(crate) supplier: Arc<str>,
    pub(crate) class: RepeatClass,
}

/// Refuses unknown suppliers and wrong tokens.
pub(crate) fn admit(app: &App, supplier: &str, headers: &HeaderMap) -> Result<Admitted, Problem> {
    let Some((name, settings)) = app.suppliers.get_key_value(supplier) else {
        let detail = "the sandbox stands in for no supplier of this name";
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "unknown_supplier",
            detail,
        ));
    };
    authorization::check(headers, &settings.token)?;
    Ok(Admitted {
        supplier: Arc::clone(name),
        class: settings.repeat,
    })
}

/// Carries a call out as the fault script wants it. `work` is told how long the answer's body is going to take.
pub(crate) async fn carry_out<W, F>(app: &Arc<App>, target: Target<'_>, work: W) -> Response
where
    W: FnOnce(Duration) -> F + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let Ok(permit) = Arc::clone(&app.call_permits).try_acquire_owned() else {
        let detail = "too many calls are under way";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail);
        return problem.retry_after(Duration::from_secs(1)).into_response();
    };
    let plan = app.script.plan(target);
    let stopping = app.stopping.clone();
    let call = app.calls.spawn(async move {
        let _permit = permit;
        if !plan.latency.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(plan.latency) => {}
                () = stopping.cancelled() => return cut(),
            }
        }
        match plan.effect {
            None | Some(Effect::Latency { .. }) => work(Duration::ZERO).await,
            Some(Effect::Status {
                status,
                code,
                retry_after,
            }) => {
                let problem = Problem::new(status, code, "the fault script says so");
                match retry_after {
                    Some(wait) => problem.retry_after(wait).into_response(),
                    None => problem.into_response(),
                }
            }
            Some(Effect::CutBefore) => cut(),
            Some(Effect::CutAfter) => {
                drop(work(Duration::ZERO).await);
                cut()
            }
            Some(Effect::SlowBody(time)) => slow(work(time).await, time).await,
        }
    });
    call.await.unwrap_or_else(|_| cut())
}

/// The ledger cannot write any more; the sandbox is about to stop.
impl From<LedgerGone> for Problem {
    fn from(_: LedgerGone) -> Self {
        let detail = "the receipts file cannot be written";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "receipts_failed", detail)
    }
}

fn cut() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Cut);
    response
}

/// The same answer, its body spread over `time`.
async fn slow(response: Response, time: Duration) -> Response {
    let (head, body) = response.into_parts();
    // Answers of the sandbox are complete and in memory; only an endless one could fail here.
    let bytes = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default();
    let piece_bytes = bytes.len().div_ceil(SLOW_PIECES as usize).max(1);
    let pause = time / SLOW_PIECES;
    let pieces = stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = rest.split_to(piece_bytes.min(rest.len()));
        Some((Ok::<Bytes, std::convert::Infallible>(piece), rest))
    });
    Response::from_parts(head, Body::from_stream(pieces))
}
