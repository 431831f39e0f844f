//! The port: coarse operations, each one transaction, each taking a batch.

use std::{fmt, sync::Arc, time::Duration};

use argosy_kernel::Epoch;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::{
    DueStep, FoundParked, LeftRunning, Letter, LetterId, LetterQuestion, LetterRow, LoadedRow,
    ParkAnswer, ParkChange, ParkLoad, PlanStepAnswer, PlanStepKind,
};

/// A partition as a worker owns it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnerKey {
    /// The worker (consumer group).
    pub worker: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
}

/// An event as one worker handles it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey {
    /// The worker.
    pub worker: Arc<str>,
    /// The event's source.
    pub source: Arc<str>,
    /// The event's id.
    pub event: Arc<str>,
}

/// Identity of an effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EffectId {
    /// Whose.
    pub of: EventKey,
    /// The effect's name in the handler.
    pub name: Arc<str>,
    /// The effect's key in the handler.
    pub key: Arc<str>,
}

/// A claim to be made, fenced by the owner's row.
#[derive(Clone)]
pub struct Claim {
    /// What is claimed.
    pub id: EffectId,
    /// Which ownership claims.
    pub owner: OwnerKey,
    /// Its number.
    pub epoch: Epoch,
    /// Which run claims.
    pub run: Uuid,
    /// Hash of the event's decoded body.
    pub body_hash: [u8; 32],
    /// Dependency and operation, for the operator's eyes.
    pub operation: Arc<str>,
    /// The request's bytes (at most 64 KiB); kept if this is the first claim.
    pub request: Bytes,
    /// From the grant to the deadline, by the store's clock.
    pub hold: Duration,
    /// `None`: claim only if nothing is there (or refresh this run's own open claim).
    /// `Some(n)`: take over the claim numbered `n` (released or expired), only if it still is as it was seen.
    pub over: Option<i64>,
}

impl fmt::Debug for Claim {
    /// Requests hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("id", &self.id)
            .field("epoch", &self.epoch)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

/// What the store answers to a claim.
#[derive(Clone, Debug)]
pub enum ClaimAnswer {
    /// Granted.
    Granted {
        /// The claim's number, counting from 1 per effect.
        number: i64,
        /// The request's bytes to send: the first claim's.
        request: Bytes,
    },
    /// Something is there already (also when `over` no longer fits).
    Found(EffectRow),
    /// The owner's row has another epoch.
    Fenced,
}

/// An effect as the store has it. Spans are measured by the store's clock when it answers.
#[derive(Clone)]
pub struct EffectRow {
    /// Which.
    pub id: EffectId,
    /// Number of its newest claim.
    pub number: i64,
    /// The run that made it.
    pub run: Uuid,
    /// Hash of the event's decoded body at the first claim.
    pub body_hash: [u8; 32],
    /// Dependency and operation.
    pub operation: Arc<str>,
    /// The stored request.
    pub request: Bytes,
    /// Where it stands.
    pub state: EffectState,
    /// Time since the first claim.
    pub age: Duration,
}

impl fmt::Debug for EffectRow {
    /// Requests hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EffectRow")
            .field("id", &self.id)
            .field("number", &self.number)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Where an effect stands.
#[derive(Clone, PartialEq, Eq)]
pub enum EffectState {
    /// Happened; the recorded answer as JSON.
    Succeeded(Bytes),
    /// Known not to have happened.
    Released,
    /// Claimed, without outcome; time to its deadline, `None` once passed.
    Open(Option<Duration>),
}

impl fmt::Debug for EffectState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded(_) => f.write_str("Succeeded"),
            Self::Released => f.write_str("Released"),
            Self::Open(remaining) => write!(f, "Open({remaining:?})"),
        }
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedOutcome {
    /// It happened; the answer as JSON (at most 64 KiB).
    Succeeded(Bytes),
    /// It did not: the claim is given up, if it still is the newest and open.
    NotHappened,
}

/// An outcome to record. Not fenced.
#[derive(Clone, Debug)]
pub struct OutcomeRow {
    /// Of which effect.
    pub id: EffectId,
    /// Of which claim.
    pub number: i64,
    /// What.
    pub outcome: RecordedOutcome,
}

/// An operator's word on an effect whose outcome is unknown.
#[derive(Clone, Debug)]
pub enum Resolution {
    /// It happened, with this answer (JSON).
    Happened(Bytes),
    /// It did not.
    DidNotHappen,
}

impl Resolution {
    /// The action's name in the audit.
    pub const ACTION: &'static str = "effects.resolve";

    /// What the audit says it was done to; the answer itself stays out of it, it may hold personal data.
    pub fn subject(&self, id: &EffectId) -> serde_json::Value {
        serde_json::json!({
            "worker": &*id.of.worker,
            "source": &*id.of.source,
            "event": &*id.of.event,
            "name": &*id.name,
            "key": &*id.key,
            "happened": matches!(self, Self::Happened(_)),
        })
    }
}

/// What became of a resolution.
#[derive(Clone, Debug)]
pub enum Resolved {
    /// The effect now stands so.
    Now(EffectRow),
    /// There is no such effect.
    Unknown,
    /// It already has an outcome, or its claim has not expired yet; nothing was changed.
    Refused(EffectRow),
}

/// Who did what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Milliseconds since 1970, the store's clock.
    pub at_ms: i64,
    /// Who.
    pub actor: String,
    /// What, e.g. `effects.resolve`.
    pub action: String,
    /// To what, as JSON.
    pub subject: serde_json::Value,
}

/// A stretch of one event's story, as one process saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineRow {
    /// The process that wrote it; with `number`, the row's identity.
    pub instance: Uuid,
    /// Counted by that process.
    pub number: i64,
    /// The business flow.
    pub correlation: Arc<str>,
    /// The event.
    pub source: Arc<str>,
    /// The event.
    pub event: Arc<str>,
    /// The event's type.
    pub event_type: Arc<str>,
    /// The worker, or `gateway`.
    pub worker: Arc<str>,
    /// Milliseconds since 1970 of its first step.
    pub at_ms: i64,
    /// The steps, as a JSON array.
    pub steps: serde_json::Value,
    /// The state it leaves the event in for this worker: `accepted`, `running`, `waiting`, `done`, `skipped`, `dead`.
    pub state: Arc<str>,
}

impl TimelineRow {
    /// Where it stands in its flow's order.
    pub fn place(&self) -> TimelinePlace {
        TimelinePlace {
            at_ms: self.at_ms,
            instance: self.instance,
            number: self.number,
        }
    }
}

/// Where a row stands in its flow's order: by time, then by who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelinePlace {
    /// Milliseconds since 1970 of the row's first step.
    pub at_ms: i64,
    /// The process that wrote it.
    pub instance: Uuid,
    /// Counted by that process.
    pub number: i64,
}

impl TimelinePlace {
    /// Before every row: processes count from 1.
    pub const BEFORE_ALL: Self = Self {
        at_ms: i64::MIN,
        instance: Uuid::nil(),
        number: i64::MIN,
    };
}

/// How much a state says of an event: a state is overwritten only by one that says more, or by a later one if neither
/// is settled. What is done stays done when a copy with another body dies, and a dead event may be done after all.
pub fn finality(state: &str) -> i16 {
    match state {
        "done" | "skipped" => 2,
        "dead" => 1,
        _ => 0,
    }
}

/// How an event stands with one worker.
#[derive(Clone, Debug, PartialEq)]
pub struct EventStatus {
    /// The worker, or `gateway`.
    pub worker: Arc<str>,
    /// As in `TimelineRow::state`; see [`finality`].
    pub state: Arc<str>,
    /// Milliseconds since 1970 of the step that led there.
    pub at_ms: i64,
    /// The business flow.
    pub correlation: Arc<str>,
}

/// What the fleet keeps. Every operation is one transaction and safe to repeat.
pub trait Store: Send + Sync + 'static {
    /// Takes ownership of partitions: each epoch is one more than the last, whoever held it.
    fn take_owners(
        &self,
        instance: Uuid,
        owners: Vec<OwnerKey>,
    ) -> BoxFuture<'_, Result<Vec<Epoch>, StoreError>>;

    /// All effects of these events, in the order asked.
    fn recall(
        &self,
        events: Vec<EventKey>,
    ) -> BoxFuture<'_, Result<Vec<Vec<EffectRow>>, StoreError>>;

    /// Claims, one answer each, in the order asked. A batch may name one effect twice.
    fn claim(&self, claims: Vec<Claim>) -> BoxFuture<'_, Result<Vec<ClaimAnswer>, StoreError>>;

    /// Records outcomes. A success is never overwritten.
    fn record(&self, outcomes: Vec<OutcomeRow>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Changes parked rows, one answer each, in the order asked. Each partition is named once.
    fn park(&self, changes: Vec<ParkChange>) -> BoxFuture<'_, Result<Vec<ParkAnswer>, StoreError>>;

    /// What is parked of a partition, for its new owner.
    fn parked(&self, owner: OwnerKey) -> BoxFuture<'_, Result<FoundParked, StoreError>>;

    /// The oldest rows of parked lanes that are not settled, in offset order.
    fn load_parked(
        &self,
        loads: Vec<ParkLoad>,
    ) -> BoxFuture<'_, Result<Vec<Vec<LoadedRow>>, StoreError>>;

    /// Counts what a dead instance was running. A death that is told again counts once.
    fn suspect(&self, left: LeftRunning) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Forgets suspects, but for those whose record waits in the store.
    fn forget_suspects(
        &self,
        owner: OwnerKey,
        offsets: Vec<i64>,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// An operator's resolution, with its audit row, in one transaction.
    fn resolve(
        &self,
        id: EffectId,
        resolution: Resolution,
        actor: String,
    ) -> BoxFuture<'_, Result<Resolved, StoreError>>;

    /// Effects of an event over all workers, for the operator (at most 1,000).
    fn effects(
        &self,
        source: String,
        event: String,
    ) -> BoxFuture<'_, Result<Vec<EffectRow>, StoreError>>;

    /// The newest audit rows, newest first.
    fn audit(&self, rows_max: u32) -> BoxFuture<'_, Result<Vec<AuditRow>, StoreError>>;

    /// Projects timeline rows: known ones change nothing.
    fn project(&self, rows: Vec<TimelineRow>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The rows of a business flow behind a place, oldest first (at most `rows_max`): the last row's place leads to
    /// the next ones.
    fn timeline(
        &self,
        correlation: String,
        after: TimelinePlace,
        rows_max: u32,
    ) -> BoxFuture<'_, Result<Vec<TimelineRow>, StoreError>>;

    /// How an event stands with each worker that has seen it.
    fn status(
        &self,
        source: String,
        event: String,
    ) -> BoxFuture<'_, Result<Vec<EventStatus>, StoreError>>;

    /// Projects dead letters. Of several letters of one record the newest stands, and makes it dead again; a known one
    /// changes nothing.
    fn project_letters(&self, rows: Vec<LetterRow>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Dead letters, newest first, without values and headers.
    fn dead_letters(
        &self,
        question: LetterQuestion,
    ) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>>;

    /// One dead letter, whole.
    fn dead_letter(&self, id: LetterId) -> BoxFuture<'_, Result<Option<Letter>, StoreError>>;

    /// Asks the owner of a dead record for something, with its audit row, in one transaction; what is refused is audited
    /// too.
    fn ask_plan_step(
        &self,
        id: LetterId,
        kind: PlanStepKind,
        actor: String,
    ) -> BoxFuture<'_, Result<PlanStepAnswer, StoreError>>;

    /// Open steps of these partitions (at most `rows_max`): the partition with the oldest one first, each in offset
    /// order.
    fn due_plan_steps(
        &self,
        owners: Vec<OwnerKey>,
        rows_max: u32,
    ) -> BoxFuture<'_, Result<Vec<DueStep>, StoreError>>;

    /// Is it there, and is its schema the one this build needs?
    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Why the store did not do as asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// It may work later (down, overloaded, disk full, serialization).
    #[error("store is unavailable: {0}")]
    Unavailable(String),
    /// The schema is not the one this build needs.
    #[error("store schema is {found}, this build needs {needed}: run `argosy migrate`")]
    Schema {
        /// What is there.
        found: i64,
        /// What is needed.
        needed: i64,
    },
    /// A value is larger than the store takes.
    #[error("{what} has {bytes} bytes, at most {bytes_max} are kept")]
    TooLarge {
        /// Which value.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A bug or a foreign schema: the answer could not be read.
    #[error("store answered what cannot be read: {0}")]
    Unreadable(String),
}
