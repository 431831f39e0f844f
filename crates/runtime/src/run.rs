//! Runs the records of one dispatch, one after the other, on the multi-thread runtime.
//!
//! Invariant: for every record that is started exactly one `Finished` is told, and it is told after its handler's
//! future was dropped. The first end that is not a plain `Done` or `Skipped` ends the dispatch.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use argosy_events::{Envelope, fleet::v1::step::run::Outcome as Told};
use argosy_kernel::{Death, Dispatch, Epoch, Input, RunEnd, RunRecord, Waiting};
use argosy_outbound::{Decision, Failure, Stack};
use argosy_store::{Grouped, LeftRecord, OwnerKey};
use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Context, Outcome,
    context::ContextParts,
    delivered::{Body, Fault, Residue},
    journal::RunIdentity,
    owner::Inbox,
    slots::{AloneTurn, Slots},
    telemetry,
    timeline::{RunSteps, Steps, Timelines},
};

/// A suspect that met another worker's looks again after so long.
const TURN_RECHECK: Duration = Duration::from_secs(1);

/// What all runs of an instance share.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) worker: &'static str,
    pub(crate) handled: Arc<[&'static str]>,
    pub(crate) stack: Arc<Stack>,
    pub(crate) store: Grouped,
    pub(crate) timelines: Timelines,
    pub(crate) inbox: Inbox,
    pub(crate) slots: Slots,
    pub(crate) alone: AloneTurn,
}

/// How the owner stops a dispatch.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    /// Cancelled: drop the handler now.
    pub(crate) abort: CancellationToken,
    /// Cancelled: start no further record (the partition is being given back, or is gone).
    pub(crate) gate: CancellationToken,
}

/// Runs a dispatch to its end. Never fails: whatever happens is told to the pump.
pub(crate) async fn dispatch(shop: Arc<Shop>, dispatch: Dispatch<Body>, stop: Stop) {
    let epoch = dispatch.epoch;
    let alone = dispatch.alone;
    let turn = alone.then(|| shop.alone.take()).flatten();
    if alone && turn.is_none() {
        not_alone(&shop, &dispatch);
        return;
    }
    for (index, record) in dispatch.records.into_iter().enumerate() {
        let at = record.at;
        if index > 0 && stop.gate.is_cancelled() {
            let residue = Fault::new("not started: its partition is being given back").into();
            shop.inbox.tell(Input::Finished {
                at,
                end: RunEnd::Dropped {
                    in_call: false,
                    residue,
                },
            });
            return;
        }
        let from = &record.body.delivery.from;
        let slot = shop.slots.occupy(&LeftRecord {
            topic: Arc::clone(&from.topic),
            partition: from.partition,
            offset: at.offset.0,
            alone,
        });
        let (end, steps) = one(&shop, record, epoch, &stop.abort).await;
        drop(slot);
        let goes_on = matches!(end, RunEnd::Done { emits: None } | RunEnd::Skipped(_));
        let deferred = match &end {
            RunEnd::Deferred { cause, .. } => Some(cause),
            _ => None,
        };
        // Before the end is told, so that the settlement's step comes after the run's.
        steps.end(deferred, Instant::now());
        shop.inbox.tell(Input::Finished { at, end });
        if !goes_on {
            return;
        }
    }
}

/// Another worker of this process runs a suspect: this one looks again soon.
fn not_alone(shop: &Shop, dispatch: &Dispatch<Body>) {
    if let Some(record) = dispatch.records.first() {
        let end = RunEnd::Deferred {
            cause: Waiting::Suspect,
            wait: TURN_RECHECK,
        };
        shop.inbox.tell(Input::Finished { at: record.at, end });
    }
}

async fn one(
    shop: &Shop,
    record: RunRecord<Body>,
    epoch: Epoch,
    abort: &CancellationToken,
) -> (RunEnd<Residue>, RunSteps) {
    let started = Instant::now();
    let RunRecord { attempts, body, .. } = record;
    let steps = RunSteps::begin(
        shop.worker,
        Arc::clone(&body),
        shop.timelines.clone(),
        started,
    );
    let (envelope, handler) = match (&body.envelope, &body.handler) {
        (Ok(envelope), Some(handler)) => (envelope, handler),
        (Ok(_), None) => return (RunEnd::Skipped("no handler"), steps),
        (Err(error), _) => {
            let residue = Fault::new(error.to_string()).into();
            return (
                RunEnd::Dead {
                    cause: Death::Undecodable,
                    residue,
                },
                steps,
            );
        }
    };
    let in_call = Arc::new(AtomicBool::new(false));
    let mut cx = context(shop, &body, envelope, epoch, steps, &in_call);
    let ended = {
        let handled = AssertUnwindSafe(handler.run(&body, &shop.stack, &mut cx)).catch_unwind();
        let mut handled = std::pin::pin!(handled);
        tokio::select! {
            biased;
            () = abort.cancelled() => Ended::Aborted { in_call: in_call.load(Ordering::Relaxed) },
            result = &mut handled => result.map_or(Ended::Panicked, Ended::Returned),
        }
    };
    let (emits, mut steps) = cx.finish();
    let (source, id) = (&*envelope.source, &*envelope.id);
    let (end, told, detail) = match ended {
        Ended::Aborted { in_call } => {
            let residue =
                Fault::new("the run overran its deadline, or its partition was taken").into();
            (
                RunEnd::Dropped { in_call, residue },
                Told::Aborted,
                String::new(),
            )
        }
        Ended::Panicked => {
            telemetry::handler_panicked(source, id);
            let residue = Fault::new("the handler panicked").into();
            (
                RunEnd::Failed {
                    cause: Death::Panicked,
                    retry_after: None,
                    residue,
                },
                Told::Attempt,
                "the handler panicked".to_string(),
            )
        }
        Ended::Returned(Ok(outcome)) => succeeded(outcome, emits),
        Ended::Returned(Err(failure)) => failed(failure, source, id),
    };
    let now = Instant::now();
    let run = Steps::run(attempts + 1, told, &detail, now.duration_since(started));
    steps.push(run, now);
    (end, steps)
}

fn context(
    shop: &Shop,
    body: &Body,
    envelope: &Arc<Envelope>,
    epoch: Epoch,
    steps: RunSteps,
    in_call: &Arc<AtomicBool>,
) -> Context {
    Context::new(ContextParts {
        worker: shop.worker,
        handled: Arc::clone(&shop.handled),
        envelope: Arc::clone(envelope),
        stack: Arc::clone(&shop.stack),
        store: shop.store.clone(),
        run: Arc::new(RunIdentity {
            owner: owner_key(shop, body),
            epoch,
            run: Uuid::now_v7(),
        }),
        steps,
        in_call: Arc::clone(in_call),
    })
}

enum Ended {
    Returned(Result<Outcome, Failure>),
    Panicked,
    Aborted { in_call: bool },
}

fn succeeded(
    outcome: Outcome,
    emits: Result<Vec<crate::emit::Emitted>, Failure>,
) -> (RunEnd<Residue>, Told, String) {
    match (outcome, emits) {
        (_, Err(misuse)) => failed(misuse, "", ""),
        (Outcome::Skipped(reason), Ok(emits)) if emits.is_empty() => {
            (RunEnd::Skipped(reason), Told::Skipped, reason.to_string())
        }
        (Outcome::Done | Outcome::Skipped(_), Ok(emits)) => {
            let emits = (!emits.is_empty()).then(|| Residue::Emits(Arc::new(emits)));
            (RunEnd::Done { emits }, Told::Done, String::new())
        }
    }
}

fn failed(failure: Failure, source: &str, id: &str) -> (RunEnd<Residue>, Told, String) {
    let residue: Residue = Fault {
        dependency: failure
            .dependency
            .as_ref()
            .map(|dependency| Arc::clone(&dependency.0)),
        status: failure.status,
        ..Fault::new(failure.message.clone())
    }
    .into();
    let decision = format!("{:?}", failure.decision);
    telemetry::run_failed(source, id, &decision, &failure.message);
    let (end, told) = match failure.decision {
        Decision::Retry(retry_after) => (
            RunEnd::Failed {
                cause: Death::Attempts,
                retry_after,
                residue,
            },
            Told::Attempt,
        ),
        Decision::Wait(cause, wait) => (RunEnd::Deferred { cause, wait }, Told::Deferral),
        Decision::Dead(cause) => (RunEnd::Dead { cause, residue }, Told::Dead),
        Decision::Fenced => (RunEnd::Fenced, Told::Aborted),
    };
    (end, told, failure.message)
}

fn owner_key(shop: &Shop, body: &Body) -> OwnerKey {
    let from = &body.delivery.from;
    OwnerKey {
        worker: Arc::from(shop.worker),
        topic: Arc::clone(&from.topic),
        partition: from.partition,
    }
}

#[cfg(test)]
mod tests;
