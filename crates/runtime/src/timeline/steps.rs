//! Steps and entries: how a run, a wait and a settlement are told.

use std::{sync::Arc, time::Duration};

use argosy_events::fleet::v1::{
    Entry, State, Step,
    step::{self, call, run, settled},
};
use argosy_kernel::{Settle, Waiting};
use argosy_outbound::{CallOutcome, CallReport};
use tokio::time::Instant;

use super::telling::Beginning;
use crate::{clock, delivered::Delivered, emit::Emitted, timeline::Timelines};

/// Texts in a step are cut at this many characters.
const TEXT_MAX: usize = 500;

/// A step of a run waits at most this long for the others before it is handed to the writer.
const UNSENT_MAX: Duration = Duration::from_millis(250);

/// Makes steps; all of them are stamped with the time they are made.
#[derive(Debug)]
pub(crate) struct Steps;

impl Steps {
    fn step(kind: step::Kind) -> Step {
        Step {
            at_ms: clock::wall_ms(),
            kind: Some(kind),
        }
    }

    pub(crate) fn received(at_ms: i64) -> Step {
        Step {
            at_ms,
            kind: Some(step::Kind::Received(step::Received {})),
        }
    }

    pub(crate) fn call(name: &str, key: &str, report: &CallReport) -> Step {
        Self::step(step::Kind::Call(step::Call {
            dependency: report.dependency.to_string(),
            operation: report.operation.to_string(),
            name: name.to_string(),
            key: cut(key),
            outcome: outcome_of(report.outcome).into(),
            status: u32::from(report.status.unwrap_or(0)),
            tries: report.tries,
            repeat: report.repeat,
            duration_us: micros(report.duration),
            detail: report.detail.as_deref().map(cut).unwrap_or_default(),
        }))
    }

    pub(crate) fn run(
        attempt: u32,
        outcome: run::Outcome,
        detail: &str,
        duration: Duration,
    ) -> Step {
        let (outcome, detail) = (outcome.into(), cut(detail));
        Self::step(step::Kind::Run(step::Run {
            attempt,
            outcome,
            duration_us: micros(duration),
            detail,
        }))
    }

    pub(crate) fn replayed() -> Step {
        Self::step(step::Kind::Replayed(step::Replayed {}))
    }

    pub(crate) fn waited(cause: &Waiting, wait: Duration, parked: bool) -> Step {
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let dependency = match cause {
            Waiting::Dependency(name) | Waiting::Quota(name) => name.to_string(),
            _ => String::new(),
        };
        Self::step(step::Kind::Waited(step::Waited {
            cause: cause.name().to_string(),
            wait_ms,
            dependency,
            parked,
        }))
    }

    pub(crate) fn emitted(emitted: &Emitted) -> Step {
        Self::step(step::Kind::Emitted(step::Emitted {
            r#type: emitted.event_type.to_string(),
            id: emitted.id.to_string(),
            topic: emitted.message.topic.to_string(),
        }))
    }

    pub(crate) fn settled(settle: Settle) -> (State, Step) {
        let (state, outcome, reason) = match settle {
            Settle::Done => (State::Done, settled::Outcome::Done, ""),
            Settle::Skipped(reason) => (State::Skipped, settled::Outcome::Skipped, reason),
            Settle::Dead(cause) => (State::Dead, settled::Outcome::Dead, cause.name()),
        };
        let settled = step::Settled {
            outcome: outcome.into(),
            reason: reason.to_string(),
        };
        (state, Self::step(step::Kind::Settled(settled)))
    }
}

/// An entry about this record, as told by this worker. The writer numbers it.
pub(crate) fn entry(worker: &str, record: &Delivered, state: State, steps: Vec<Step>) -> Entry {
    let (source, id, event_type) = match &record.envelope {
        Ok(envelope) => (
            Arc::clone(&envelope.source),
            Arc::clone(&envelope.id),
            envelope.event_type.to_string(),
        ),
        Err(_) => (
            record.fallback_source(),
            record.fallback_id(),
            String::new(),
        ),
    };
    Entry {
        number: 0,
        correlation_id: record.correlation().to_string(),
        source: source.to_string(),
        id: id.to_string(),
        r#type: event_type,
        worker: worker.to_string(),
        topic: record.delivery.from.topic.to_string(),
        partition: record.delivery.from.partition,
        offset: record.delivery.offset,
        state: state.into(),
        steps,
    }
}

/// The steps of one run, sent in one entry when it ends, or earlier when it takes long.
///
/// While the record is known to wait, a run that only meets the same wait again is left out: see [`Telling`].
///
/// [`Telling`]: super::Telling
#[derive(Debug)]
pub(crate) struct RunSteps {
    worker: &'static str,
    record: Arc<Delivered>,
    timelines: Timelines,
    /// When the oldest of these steps was made.
    since: Instant,
    steps: Vec<Step>,
    /// Whether anything here is more than the wait that is known already.
    is_news: bool,
}

impl RunSteps {
    /// The steps of a run that begins; how the record came here, if this is its first.
    pub(crate) fn begin(
        worker: &'static str,
        record: Arc<Delivered>,
        timelines: Timelines,
        now: Instant,
    ) -> Self {
        let beginning = match record.telling.begin() {
            Beginning::Received => Some(Steps::received(record.received_ms)),
            Beginning::Replayed => Some(Steps::replayed()),
            Beginning::Known => None,
        };
        let is_news = !record.telling.is_waiting();
        let mut steps = Self {
            worker,
            record,
            timelines,
            since: now,
            steps: Vec::new(),
            is_news,
        };
        if let Some(beginning) = beginning {
            steps.push(beginning, now);
        }
        steps
    }

    pub(crate) fn push(&mut self, step: Step, now: Instant) {
        if !self.timelines.enabled() {
            return;
        }
        if self.steps.is_empty() {
            self.since = now;
        }
        self.is_news |= reached_a_vendor(&step);
        self.steps.push(step);
    }

    /// Awaits the work; what is there is sent meanwhile, so that it is not told only after a long call.
    pub(crate) async fn telling<T: Send>(&mut self, work: impl Future<Output = T> + Send) -> T {
        tokio::pin!(work);
        if self.is_news && !self.steps.is_empty() {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep_until(self.since + UNSENT_MAX) => self.send(State::Running),
            }
        }
        work.await
    }

    /// The run ended, deferred by this cause if there is one: sends what is there, unless it is left out.
    pub(crate) fn end(mut self, deferred: Option<&Waiting>, now: Instant) {
        let Some(untold) = self.record.telling.end(deferred, self.is_news, now) else {
            return;
        };
        if untold > 0 {
            self.say_untold(untold);
        }
        self.send(match deferred {
            Some(_) => State::Waiting,
            None => State::Running,
        });
    }

    fn say_untold(&mut self, untold: u32) {
        let run = self
            .steps
            .iter_mut()
            .rev()
            .find_map(|step| match &mut step.kind {
                Some(step::Kind::Run(run)) => Some(run),
                _ => None,
            });
        if let Some(run) = run {
            let between = if run.detail.is_empty() { "" } else { "; " };
            run.detail +=
                &format!("{between}after {untold} deferred runs that are not told one by one");
        }
    }

    fn send(&mut self, state: State) {
        if !self.steps.is_empty() {
            let steps = std::mem::take(&mut self.steps);
            self.timelines
                .tell(entry(self.worker, &self.record, state, steps));
        }
    }
}

/// Whether something was learnt at a vendor that the next run will not learn again.
fn reached_a_vendor(step: &Step) -> bool {
    match &step.kind {
        Some(step::Kind::Call(call)) => {
            matches!(
                call.outcome(),
                call::Outcome::Sent | call::Outcome::LookedUp
            )
        }
        _ => false,
    }
}

fn outcome_of(outcome: CallOutcome) -> call::Outcome {
    match outcome {
        CallOutcome::Sent => call::Outcome::Sent,
        CallOutcome::Recalled => call::Outcome::Recalled,
        CallOutcome::LookedUp => call::Outcome::LookedUp,
        CallOutcome::Failed => call::Outcome::Failed,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
