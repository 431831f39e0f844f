//! The model store behind the port, for tests of handlers: every operation is flushed at once.
//!
//! Its clock is tokio's, so that a test with paused time controls deadlines.

use std::sync::Mutex;

use argosy_kernel::Epoch;
use argosy_store::{
    AuditRow, Claim, ClaimAnswer, DueStep, EffectId, EffectRow, EventKey, EventStatus, FoundParked,
    Letter, LetterId, LetterQuestion, LetterRow, LoadedRow, OutcomeRow, OwnerKey, ParkAnswer,
    ParkChange, ParkLoad, PlanStepAnswer, PlanStepKind, Resolution, Resolved, Store, StoreError,
    TimelinePlace, TimelineRow,
};
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Answer, ModelStore, Operation};

/// A store in memory, shared by whoever holds a reference.
#[derive(Debug)]
pub struct SharedModelStore {
    core: Mutex<ModelStore>,
    started: Instant,
}

impl Default for SharedModelStore {
    fn default() -> Self {
        Self::new()
    }
}

impl SharedModelStore {
    /// An empty store whose clock starts now.
    pub fn new() -> Self {
        Self {
            core: Mutex::new(ModelStore::new()),
            started: Instant::now(),
        }
    }

    fn run(&self, operation: Operation) -> Result<Answer, StoreError> {
        let mut core = self
            .core
            .lock()
            .expect("a test that panicked inside the model has failed already");
        let ticket = core.apply(Instant::now() - self.started, operation);
        let (flushed, answer) = core
            .flush()
            .pop()
            .expect("the flush answers what was just applied");
        assert_eq!(flushed, ticket, "one operation is applied at a time");
        answer
    }
}

/// The answer in the one shape that fits the operation, as a ready future.
macro_rules! answered {
    ($store:expr, $operation:expr, $shape:pat => $value:expr) => {
        Box::pin(std::future::ready($store.run($operation).map(
            |answer| match answer {
                $shape => $value,
                other => unreachable!("the model answered {other:?}"),
            },
        )))
    };
}

impl Store for SharedModelStore {
    fn take_owners(
        &self,
        instance: Uuid,
        owners: Vec<OwnerKey>,
    ) -> BoxFuture<'_, Result<Vec<Epoch>, StoreError>> {
        answered!(self, Operation::TakeOwners { instance, owners }, Answer::Owners(epochs) => epochs)
    }

    fn recall(
        &self,
        events: Vec<EventKey>,
    ) -> BoxFuture<'_, Result<Vec<Vec<EffectRow>>, StoreError>> {
        answered!(self, Operation::Recall(events), Answer::Recalled(rows) => rows)
    }

    fn claim(&self, claims: Vec<Claim>) -> BoxFuture<'_, Result<Vec<ClaimAnswer>, StoreError>> {
        answered!(self, Operation::Claim(claims), Answer::Claimed(answers) => answers)
    }

    fn record(&self, outcomes: Vec<OutcomeRow>) -> BoxFuture<'_, Result<(), StoreError>> {
        answered!(self, Operation::Record(outcomes), Answer::Done => ())
    }

    fn park(&self, changes: Vec<ParkChange>) -> BoxFuture<'_, Result<Vec<ParkAnswer>, StoreError>> {
        answered!(self, Operation::Park(changes), Answer::Park(answers) => answers)
    }

    fn parked(&self, owner: OwnerKey) -> BoxFuture<'_, Result<FoundParked, StoreError>> {
        answered!(self, Operation::Parked(owner), Answer::Parked(found) => found)
    }

    fn load_parked(
        &self,
        loads: Vec<ParkLoad>,
    ) -> BoxFuture<'_, Result<Vec<Vec<LoadedRow>>, StoreError>> {
        answered!(self, Operation::LoadParked(loads), Answer::LoadedParked(rows) => rows)
    }

    fn resolve(
        &self,
        id: EffectId,
        resolution: Resolution,
        actor: String,
    ) -> BoxFuture<'_, Result<Resolved, StoreError>> {
        let operation = Operation::Resolve {
            id,
            resolution,
            actor,
        };
        answered!(self, operation, Answer::Resolved(resolved) => *resolved)
    }

    fn effects(
        &self,
        source: String,
        event: String,
    ) -> BoxFuture<'_, Result<Vec<EffectRow>, StoreError>> {
        answered!(self, Operation::Effects { source, event }, Answer::Effects(rows) => rows)
    }

    fn audit(&self, rows_max: u32) -> BoxFuture<'_, Result<Vec<AuditRow>, StoreError>> {
        answered!(self, Operation::Audit { rows_max }, Answer::Audit(rows) => rows)
    }

    fn project(&self, rows: Vec<TimelineRow>) -> BoxFuture<'_, Result<(), StoreError>> {
        answered!(self, Operation::Project(rows), Answer::Done => ())
    }

    fn timeline(
        &self,
        correlation: String,
        after: TimelinePlace,
        rows_max: u32,
    ) -> BoxFuture<'_, Result<Vec<TimelineRow>, StoreError>> {
        let operation = Operation::Timeline {
            correlation,
            after,
            rows_max,
        };
        answered!(self, operation, Answer::Timeline(rows) => rows)
    }

    fn status(
        &self,
        source: String,
        event: String,
    ) -> BoxFuture<'_, Result<Vec<EventStatus>, StoreError>> {
        answered!(self, Operation::Status { source, event }, Answer::Status(rows) => rows)
    }

    fn project_letters(&self, rows: Vec<LetterRow>) -> BoxFuture<'_, Result<(), StoreError>> {
        answered!(self, Operation::ProjectLetters(rows), Answer::Done => ())
    }

    fn dead_letters(
        &self,
        question: LetterQuestion,
    ) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        answered!(self, Operation::DeadLetters(Box::new(question)), Answer::DeadLetters(rows) => rows)
    }

    fn dead_letter(&self, id: LetterId) -> BoxFuture<'_, Result<Option<Letter>, StoreError>> {
        answered!(self, Operation::DeadLetter(id), Answer::DeadLetter(letter) => *letter)
    }

    fn ask_plan_step(
        &self,
        id: LetterId,
        kind: PlanStepKind,
        actor: String,
    ) -> BoxFuture<'_, Result<PlanStepAnswer, StoreError>> {
        let operation = Operation::AskPlanStep { id, kind, actor };
        answered!(self, operation, Answer::PlanStep(answer) => answer)
    }

    fn due_plan_steps(
        &self,
        owners: Vec<OwnerKey>,
        rows_max: u32,
    ) -> BoxFuture<'_, Result<Vec<DueStep>, StoreError>> {
        let operation = Operation::DuePlanSteps { owners, rows_max };
        answered!(self, operation, Answer::DuePlanSteps(steps) => steps)
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        answered!(self, Operation::Ping, Answer::Done => ())
    }
}
