//! The model store: what every adapter of the store must do, as a synchronous core that takes `now`.
//!
//! An operation takes effect at once, but nobody hears of it before `flush` made it durable; a crash undoes what
//! was not flushed. So an answer, once given, is never taken back.

mod effects;
mod letters;
mod parked;
mod shared;
mod suspects;
mod tables;
mod timelines;

use std::time::Duration;

use argosy_kernel::{Epoch, LaneKey};
use argosy_store::{
    AuditRow, Claim, ClaimAnswer, DueStep, EffectId, EffectRow, EventKey, EventStatus, FoundParked,
    LeftRunning, Letter, LetterId, LetterQuestion, LetterRow, LoadedRow, OutcomeRow, OwnerKey,
    ParkAnswer, ParkChange, ParkLoad, PlanStepAnswer, PlanStepKind, Resolution, Resolved,
    StoreError, TimelinePlace, TimelineRow,
};
use uuid::Uuid;

pub use shared::SharedModelStore;
use tables::Tables;

/// An operation of the port, as a value.
#[derive(Clone)]
pub enum Operation {
    /// `Store::take_owners`.
    TakeOwners {
        /// Who takes.
        instance: Uuid,
        /// What is taken.
        owners: Vec<OwnerKey>,
    },
    /// `Store::recall`.
    Recall(Vec<EventKey>),
    /// `Store::claim`.
    Claim(Vec<Claim>),
    /// `Store::record`.
    Record(Vec<OutcomeRow>),
    /// `Store::park`.
    Park(Vec<ParkChange>),
    /// `Store::parked`.
    Parked(OwnerKey),
    /// `Store::load_parked`.
    LoadParked(Vec<ParkLoad>),
    /// `Store::suspect`.
    Suspect(LeftRunning),
    /// `Store::forget_suspects`.
    ForgetSuspects {
        /// Of which partition.
        owner: OwnerKey,
        /// Which.
        offsets: Vec<i64>,
    },
    /// `Store::resolve`.
    Resolve {
        /// Which effect.
        id: EffectId,
        /// The operator's word.
        resolution: Resolution,
        /// The operator.
        actor: String,
    },
    /// `Store::effects`.
    Effects {
        /// The event's source.
        source: String,
        /// The event's id.
        event: String,
    },
    /// `Store::audit`.
    Audit {
        /// At most so many rows.
        rows_max: u32,
    },
    /// `Store::project`.
    Project(Vec<TimelineRow>),
    /// `Store::timeline`.
    Timeline {
        /// The business flow.
        correlation: String,
        /// Only rows behind it.
        after: TimelinePlace,
        /// At most so many rows.
        rows_max: u32,
    },
    /// `Store::status`.
    Status {
        /// The event's source.
        source: String,
        /// The event's id.
        event: String,
    },
    /// `Store::project_letters`.
    ProjectLetters(Vec<LetterRow>),
    /// `Store::dead_letters`.
    DeadLetters(Box<LetterQuestion>),
    /// `Store::dead_letter`.
    DeadLetter(LetterId),
    /// `Store::ask_plan_step`.
    AskPlanStep {
        /// Which letter.
        id: LetterId,
        /// What is asked for.
        kind: PlanStepKind,
        /// The operator.
        actor: String,
    },
    /// `Store::due_plan_steps`.
    DuePlanSteps {
        /// Whose.
        owners: Vec<OwnerKey>,
        /// At most so many.
        rows_max: u32,
    },
    /// `Store::ping`.
    Ping,
}

impl std::fmt::Debug for Operation {
    /// Requests and answers hold personal data: only the operation's name and its size are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TakeOwners { owners, .. } => write!(f, "TakeOwners({})", owners.len()),
            Self::Recall(events) => write!(f, "Recall({})", events.len()),
            Self::Claim(claims) => write!(f, "Claim({})", claims.len()),
            Self::Record(outcomes) => write!(f, "Record({})", outcomes.len()),
            Self::Park(changes) => write!(f, "Park({})", changes.len()),
            Self::Parked(owner) => write!(f, "Parked({})", owner.partition),
            Self::LoadParked(loads) => write!(f, "LoadParked({})", loads.len()),
            Self::Suspect(left) => write!(f, "Suspect({})", left.records.len()),
            Self::ForgetSuspects { offsets, .. } => {
                write!(f, "ForgetSuspects({})", offsets.len())
            }
            Self::Resolve { id, .. } => write!(f, "Resolve({id:?})"),
            Self::Effects { .. } => f.write_str("Effects"),
            Self::Audit { .. } => f.write_str("Audit"),
            Self::Project(rows) => write!(f, "Project({})", rows.len()),
            Self::Timeline { .. } => f.write_str("Timeline"),
            Self::Status { .. } => f.write_str("Status"),
            Self::ProjectLetters(rows) => write!(f, "ProjectLetters({})", rows.len()),
            Self::DeadLetters(_) => f.write_str("DeadLetters"),
            Self::DeadLetter(id) => write!(f, "DeadLetter({id})"),
            Self::AskPlanStep { id, kind, .. } => write!(f, "AskPlanStep({} {id})", kind.name()),
            Self::DuePlanSteps { owners, .. } => write!(f, "DuePlanSteps({})", owners.len()),
            Self::Ping => f.write_str("Ping"),
        }
    }
}

/// What an operation answers, by the operation's name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To `TakeOwners`.
    Owners(Vec<Epoch>),
    /// To `Recall`.
    Recalled(Vec<Vec<EffectRow>>),
    /// To `Claim`.
    Claimed(Vec<ClaimAnswer>),
    /// To `Record`, `Suspect`, `ForgetSuspects`, `Project`, `ProjectLetters` and `Ping`.
    Done,
    /// To `Park`.
    Park(Vec<ParkAnswer>),
    /// To `Parked`.
    Parked(FoundParked),
    /// To `LoadParked`.
    LoadedParked(Vec<Vec<LoadedRow>>),
    /// To `Resolve`.
    Resolved(Box<Resolved>),
    /// To `Effects`.
    Effects(Vec<EffectRow>),
    /// To `Audit`.
    Audit(Vec<AuditRow>),
    /// To `Timeline`.
    Timeline(Vec<TimelineRow>),
    /// To `Status`.
    Status(Vec<EventStatus>),
    /// To `DeadLetters`.
    DeadLetters(Vec<Letter>),
    /// To `DeadLetter`.
    DeadLetter(Box<Option<Letter>>),
    /// To `AskPlanStep`.
    PlanStep(PlanStepAnswer),
    /// To `DuePlanSteps`.
    DuePlanSteps(Vec<DueStep>),
}

/// Stands for an answer that is not out yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// An applied operation whose caller waits for the flush.
#[derive(Debug)]
struct Pending {
    ticket: Ticket,
    answer: Result<Answer, StoreError>,
    /// Length of the undo log before the operation.
    undo_from: usize,
}

/// The model: tables, and what waits for the next flush.
#[derive(Debug, Default)]
pub struct ModelStore {
    tables: Tables,
    pending: Vec<Pending>,
    tickets: u64,
}

impl ModelStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies an operation at `now` by the store's clock; its answer comes out of the flush.
    pub fn apply(&mut self, now: Duration, operation: Operation) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        let undo_from = self.tables.undo_len();
        let answer = self.answer(now, operation);
        self.pending.push(Pending {
            ticket,
            answer,
            undo_from,
        });
        ticket
    }

    /// Makes everything applied durable and gives the answers, in the order of application.
    pub fn flush(&mut self) -> Vec<(Ticket, Result<Answer, StoreError>)> {
        self.tables.keep();
        self.pending
            .drain(..)
            .map(|pending| (pending.ticket, pending.answer))
            .collect()
    }

    /// Loses everything not flushed; the tickets whose callers will never hear.
    pub fn crash(&mut self) -> Vec<Ticket> {
        self.crash_keeping(0)
    }

    /// Crashes when the first `survivors` pending operations were already durable, though no caller was told.
    pub fn crash_keeping(&mut self, survivors: usize) -> Vec<Ticket> {
        if let Some(first_lost) = self.pending.get(survivors) {
            self.tables.undo_to(first_lost.undo_from);
        }
        self.tables.keep();
        self.pending
            .drain(..)
            .map(|pending| pending.ticket)
            .collect()
    }

    /// How many operations wait for the flush.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The newest epoch of a partition, flushed or not.
    pub fn epoch(&self, owner: &OwnerKey) -> Option<Epoch> {
        self.tables.epoch(owner)
    }

    /// The plan steps that are open, flushed or not.
    pub fn open_steps(&self) -> impl Iterator<Item = (i64, &LetterId, PlanStepKind)> {
        let open = self.tables.open_steps();
        open.map(|(number, step)| (number, &step.id, step.kind))
    }

    /// The held lanes of a partition and their dead records, flushed or not.
    pub fn holds(&self, owner: &OwnerKey) -> impl Iterator<Item = (&LaneKey, i64)> {
        self.tables.holds(owner)
    }

    /// How an effect stands at `now`, flushed or not.
    pub fn effect(&self, now: Duration, id: &EffectId) -> Option<EffectRow> {
        Some(self.tables.effect(id)?.row(id, now))
    }

    /// Every effect, flushed or not.
    pub fn effect_ids(&self) -> impl Iterator<Item = &EffectId> {
        self.tables.effect_ids()
    }

    fn answer(&mut self, now: Duration, operation: Operation) -> Result<Answer, StoreError> {
        let tables = &mut self.tables;
        Ok(match operation {
            Operation::TakeOwners { instance, owners } => {
                Answer::Owners(tables.take_owners(instance, &owners))
            }
            Operation::Recall(events) => Answer::Recalled(effects::recall(tables, now, &events)),
            Operation::Claim(claims) => Answer::Claimed(effects::claim(tables, now, claims)?),
            Operation::Record(outcomes) => {
                effects::record(tables, outcomes)?;
                Answer::Done
            }
            Operation::Park(changes) => Answer::Park(parked::park(tables, now, changes)?),
            Operation::Parked(owner) => Answer::Parked(parked::found(tables, now, &owner)),
            Operation::LoadParked(loads) => Answer::LoadedParked(parked::load(tables, &loads)),
            Operation::Suspect(left) => {
                suspects::tell(tables, &left)?;
                Answer::Done
            }
            Operation::ForgetSuspects { owner, offsets } => {
                suspects::forget(tables, &owner, &offsets);
                Answer::Done
            }
            Operation::Resolve {
                id,
                resolution,
                actor,
            } => Answer::Resolved(Box::new(effects::resolve(
                tables, now, &id, resolution, actor,
            )?)),
            Operation::Effects { source, event } => {
                Answer::Effects(effects::of_event(tables, now, &source, &event))
            }
            Operation::Audit { rows_max } => Answer::Audit(tables.audit(rows_max)),
            Operation::Project(rows) => {
                timelines::project(tables, rows);
                Answer::Done
            }
            Operation::Timeline {
                correlation,
                after,
                rows_max,
            } => Answer::Timeline(timelines::timeline(tables, &correlation, after, rows_max)),
            Operation::Status { source, event } => {
                Answer::Status(timelines::status(tables, &source, &event))
            }
            Operation::Ping => Answer::Done,
            of_letters => return self.answer_of_letters(now, of_letters),
        })
    }

    /// What is asked of dead letters.
    fn answer_of_letters(
        &mut self,
        now: Duration,
        operation: Operation,
    ) -> Result<Answer, StoreError> {
        let tables = &mut self.tables;
        Ok(match operation {
            Operation::ProjectLetters(rows) => {
                letters::project(tables, rows)?;
                Answer::Done
            }
            Operation::DeadLetters(question) => {
                Answer::DeadLetters(letters::list(tables, &question))
            }
            Operation::DeadLetter(id) => Answer::DeadLetter(Box::new(letters::one(tables, &id))),
            Operation::AskPlanStep { id, kind, actor } => {
                let at_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
                Answer::PlanStep(letters::ask(tables, at_ms, id, kind, actor))
            }
            Operation::DuePlanSteps { owners, rows_max } => {
                Answer::DuePlanSteps(letters::due(tables, owners, rows_max))
            }
            other => unreachable!("{other:?} is answered elsewhere"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use argosy_store::{EffectState, RecordedOutcome};
    use bytes::Bytes;

    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn owner() -> OwnerKey {
        OwnerKey {
            worker: Arc::from("orders"),
            topic: Arc::from("orders.v1"),
            partition: 0,
        }
    }

    fn claim(key: &str) -> Claim {
        Claim {
            id: EffectId {
                of: EventKey {
                    worker: Arc::from("orders"),
                    source: Arc::from("shop"),
                    event: Arc::from("1"),
                },
                name: Arc::from("draft"),
                key: Arc::from(key),
            },
            owner: owner(),
            epoch: Epoch(1),
            run: Uuid::from_u128(1),
            body_hash: [0; 32],
            operation: Arc::from("supplier.draft"),
            request: Bytes::from_static(b"{}"),
            hold: Duration::from_secs(20),
            over: None,
        }
    }

    fn owned() -> ModelStore {
        let mut store = ModelStore::new();
        store.apply(
            NOW,
            Operation::TakeOwners {
                instance: Uuid::nil(),
                owners: vec![owner()],
            },
        );
        store.flush();
        store
    }

    #[test]
    fn a_crash_loses_what_was_not_flushed_and_names_who_waits() {
        let mut store = owned();
        let first = store.apply(NOW, Operation::Claim(vec![claim("a")]));
        let second = store.apply(NOW, Operation::Claim(vec![claim("b")]));
        assert_eq!(store.crash(), [first, second]);
        assert_eq!(store.effect_ids().count(), 0);
        assert_eq!(store.epoch(&owner()), Some(Epoch(1)));
    }

    #[test]
    fn a_crash_after_the_commit_keeps_what_nobody_was_told() {
        let mut store = owned();
        store.apply(NOW, Operation::Claim(vec![claim("a")]));
        store.apply(NOW, Operation::Claim(vec![claim("b")]));
        assert_eq!(store.crash_keeping(1).len(), 2);
        assert!(store.effect(NOW, &claim("a").id).is_some());
        assert!(store.effect(NOW, &claim("b").id).is_none());
        assert!(store.crash().is_empty());
        assert!(store.effect(NOW, &claim("a").id).is_some());
    }

    #[test]
    fn an_undone_outcome_leaves_the_claim_open() {
        let mut store = owned();
        store.apply(NOW, Operation::Claim(vec![claim("a")]));
        store.flush();
        store.apply(
            NOW,
            Operation::Record(vec![OutcomeRow {
                id: claim("a").id,
                number: 1,
                outcome: RecordedOutcome::Succeeded(Bytes::from_static(b"1")),
            }]),
        );
        store.crash();
        let row = store.effect(NOW, &claim("a").id).unwrap();
        assert_eq!(row.state, EffectState::Open(Some(Duration::from_secs(20))));
    }

    #[test]
    fn flushed_answers_come_in_the_order_of_application() {
        let mut store = owned();
        let tickets: Vec<_> = (0..3).map(|_| store.apply(NOW, Operation::Ping)).collect();
        assert_eq!(store.pending(), 3);
        let flushed: Vec<_> = store
            .flush()
            .into_iter()
            .map(|(ticket, _)| ticket)
            .collect();
        assert_eq!(flushed, tickets);
        assert_eq!(store.pending(), 0);
    }
}
