//! A store that keeps the answer to a granted claim to itself for a while, where the event's id asks for it: the time
//! between claim and send, long enough to be struck in.
//!
//! Invariant: it changes no answer; a claim is noted when it is granted, before the pause.

use std::{sync::Arc, time::Duration};

use argosy_kernel::Epoch;
use argosy_store::{
    AuditRow, Claim, ClaimAnswer, DueStep, EffectId, EffectRow, EventKey, EventStatus, FoundParked,
    LeftRunning, Letter, LetterId, LetterQuestion, LetterRow, LoadedRow, OutcomeRow, OwnerKey,
    ParkAnswer, ParkChange, ParkLoad, PlanStepAnswer, PlanStepKind, Postgres, Resolution, Resolved,
    Store, StoreError, TimelinePlace, TimelineRow,
};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::notes::{Notes, Seen};

const PAUSE: &str = ".pause-";

/// No pause is longer.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// An event's id that asks for a pause after its first claim.
pub fn pausing(id: &str, pause: Duration) -> String {
    format!("{id}{PAUSE}{}", pause.as_millis())
}

fn pause_of(id: &str) -> Option<Duration> {
    let (_, millis) = id.rsplit_once(PAUSE)?;
    let pause = Duration::from_millis(millis.parse().ok()?);
    (pause <= PAUSE_MAX).then_some(pause)
}

#[derive(Debug)]
pub(super) struct PausedStore {
    store: Postgres,
    notes: Notes,
}

impl PausedStore {
    pub(super) fn new(store: Postgres, notes: Notes) -> Self {
        Self { store, notes }
    }

    /// Notes what was granted; the longest pause that a first claim among it asks for.
    fn granted(&self, events: &[Arc<str>], answers: &[ClaimAnswer]) -> Option<Duration> {
        let mut pause = None;
        for (event, answer) in events.iter().zip(answers) {
            if let ClaimAnswer::Granted { number, .. } = answer {
                self.notes.write(Seen::Claimed, event);
                pause = pause.max(pause_of(event).filter(|_| *number == 1));
            }
        }
        pause
    }
}

impl Store for PausedStore {
    fn claim(&self, claims: Vec<Claim>) -> BoxFuture<'_, Result<Vec<ClaimAnswer>, StoreError>> {
        Box::pin(async move {
            let events: Vec<_> = claims
                .iter()
                .map(|claim| Arc::clone(&claim.id.of.event))
                .collect();
            let answers = self.store.claim(claims).await?;
            if let Some(pause) = self.granted(&events, &answers) {
                tokio::time::sleep(pause).await;
            }
            Ok(answers)
        })
    }

    fn take_owners(
        &self,
        instance: Uuid,
        owners: Vec<OwnerKey>,
    ) -> BoxFuture<'_, Result<Vec<Epoch>, StoreError>> {
        self.store.take_owners(instance, owners)
    }

    fn recall(
        &self,
        events: Vec<EventKey>,
    ) -> BoxFuture<'_, Result<Vec<Vec<EffectRow>>, StoreError>> {
        self.store.recall(events)
    }

    fn record(&self, outcomes: Vec<OutcomeRow>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.record(outcomes)
    }

    fn park(&self, changes: Vec<ParkChange>) -> BoxFuture<'_, Result<Vec<ParkAnswer>, StoreError>> {
        self.store.park(changes)
    }

    fn parked(&self, owner: OwnerKey) -> BoxFuture<'_, Result<FoundParked, StoreError>> {
        self.store.parked(owner)
    }

    fn load_parked(
        &self,
        loads: Vec<ParkLoad>,
    ) -> BoxFuture<'_, Result<Vec<Vec<LoadedRow>>, StoreError>> {
        self.store.load_parked(loads)
    }

    fn suspect(&self, left: LeftRunning) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.suspect(left)
    }

    fn forget_suspects(
        &self,
        owner: OwnerKey,
        offsets: Vec<i64>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.forget_suspects(owner, offsets)
    }

    fn resolve(
        &self,
        id: EffectId,
        resolution: Resolution,
        actor: String,
    ) -> BoxFuture<'_, Result<Resolved, StoreError>> {
        self.store.resolve(id, resolution, actor)
    }

    fn effects(
        &self,
        source: String,
        event: String,
    ) -> BoxFuture<'_, Result<Vec<EffectRow>, StoreError>> {
        self.store.effects(source, event)
    }

    fn audit(&self, rows_max: u32) -> BoxFuture<'_, Result<Vec<AuditRow>, StoreError>> {
        self.store.audit(rows_max)
    }

    fn project(&self, rows: Vec<TimelineRow>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.project(rows)
    }

    fn timeline(
        &self,
        correlation: String,
        after: TimelinePlace,
        rows_max: u32,
    ) -> BoxFuture<'_, Result<Vec<TimelineRow>, StoreError>> {
        self.store.timeline(correlation, after, rows_max)
    }

    fn status(
        &self,
        source: String,
        event: String,
    ) -> BoxFuture<'_, Result<Vec<EventStatus>, StoreError>> {
        self.store.status(source, event)
    }

    fn project_letters(&self, rows: Vec<LetterRow>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.project_letters(rows)
    }

    fn dead_letters(
        &self,
        question: LetterQuestion,
    ) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        self.store.dead_letters(question)
    }

    fn dead_letter(&self, id: LetterId) -> BoxFuture<'_, Result<Option<Letter>, StoreError>> {
        self.store.dead_letter(id)
    }

    fn ask_plan_step(
        &self,
        id: LetterId,
        kind: PlanStepKind,
        actor: String,
    ) -> BoxFuture<'_, Result<PlanStepAnswer, StoreError>> {
        self.store.ask_plan_step(id, kind, actor)
    }

    fn due_plan_steps(
        &self,
        owners: Vec<OwnerKey>,
        rows_max: u32,
    ) -> BoxFuture<'_, Result<Vec<DueStep>, StoreError>> {
        self.store.due_plan_steps(owners, rows_max)
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.ping()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_asks_for_the_pause_that_it_was_given_and_others_ask_for_none() {
        let pause = Duration::from_millis(4_500);
        assert_eq!(pause_of(&pausing("a.pause-1", pause)), Some(pause));
        for id in [
            "",
            "e",
            "e.pause-",
            "e.pause-x",
            "e.pause--1",
            "e.pause-60001",
            ".pause-1.5",
        ] {
            assert_eq!(pause_of(id), None, "{id}");
        }
    }
}
