//! One run of a handler as a state machine: the effect protocol, step by step.
//!
//! Recall what succeeded; claim, deciding by `claims::decide` what is found; send only while the claim is fresh;
//! record; go on. It asks for one thing at a time and touches nothing itself.

use std::time::Duration;

use argosy_kernel::{
    At, Death, Epoch, RunEnd, Time, Waiting,
    claims::{self, Decision, Found, FoundState},
};
use argosy_store::{
    Claim, ClaimAnswer, EffectRow, EffectState, OutcomeRow, OwnerKey, RecordedOutcome,
};
use argosy_testkit::store::Operation;
use bytes::Bytes;
use uuid::Uuid;

use super::{
    event::{Left, RunId},
    plan::{CALL_TIMEOUT, EffectIndex, Ending, FaultKind, Plan, PlannedRecord, RecordId},
};

/// Tries of one effect within a run.
const TRIES_MAX: u32 = 3;
/// Rounds of claim and found within a run.
const CLAIMS_MAX: u32 = 5;
/// What a deferred run waits for its dependency.
const DEPENDENCY_WAIT: Duration = Duration::from_millis(500);
/// Longer than any deadline.
const FOR_EVER: Duration = Duration::from_secs(86_400);

/// A run under way.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) at: At,
    pub(crate) record: RecordId,
    pub(crate) handover: u64,
    attempts: u32,
    /// What its record died of is mended.
    is_mended: bool,
    epoch: Epoch,
    owner: OwnerKey,
    stage: Stage,
    /// Which of the record's effects are known to have happened.
    happened: Vec<bool>,
    tries: u32,
    claims: u32,
}

/// What a run needs to begin.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) id: RunId,
    pub(crate) at: At,
    pub(crate) record: RecordId,
    pub(crate) handover: u64,
    pub(crate) attempts: u32,
    pub(crate) is_mended: bool,
    pub(crate) epoch: Epoch,
    pub(crate) owner: OwnerKey,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// In the handler's own code, before its effects or, in a fault, for ever.
    Working,
    /// Asking which effects succeeded already.
    Recalling,
    /// Asking for a claim, since then.
    Claiming(Time),
    /// Holding a claim that may be sent until then.
    AboutToSend { number: i64, until: Time },
    /// The call is out, or its outcome is being recorded.
    Calling,
    /// Looking for an effect at its vendor.
    LookingUp { number: i64 },
    /// Recording what the lookup found.
    RecordingLookup,
}

/// What a run hears.
#[derive(Debug)]
pub(crate) enum Signal {
    /// Its pause is over.
    Woken,
    /// The store answered; `None` if it is unavailable.
    Store(Option<StoreSaid>),
    /// Its call ended.
    Call(CallEnd),
    /// Its lookup ended; `None` if the vendor failed.
    LookedUp(Option<bool>),
}

/// The store's answers that a run knows.
#[derive(Debug)]
pub(crate) enum StoreSaid {
    Recalled(Vec<EffectRow>),
    Claimed(Box<ClaimAnswer>),
    Recorded,
}

/// How a call ended for its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallEnd {
    /// It happened, and that is recorded.
    Happened,
    /// It did not, and the claim is given up.
    NotExecuted,
    /// Nobody knows.
    Ambiguous,
    /// The vendor answered, the store did not.
    Unrecorded,
}

/// What a run wants next.
#[derive(Debug)]
pub(crate) enum Command {
    /// Nothing: what it heard was not for its stage.
    Nothing,
    /// A pause.
    Sleep(Duration),
    /// An operation of the store.
    Store(Operation),
    /// A call, under this claim.
    Call { effect: EffectIndex, number: i64 },
    /// A lookup.
    LookUp(EffectIndex),
    /// It has ended.
    End(RunEnd<Left>),
}

impl Run {
    /// A run at its handler's beginning.
    pub(crate) fn begin(beginning: Beginning, plan: &Plan) -> (Self, Command) {
        let planned = plan.record(beginning.record);
        let run = Self {
            id: beginning.id,
            at: beginning.at,
            record: beginning.record,
            handover: beginning.handover,
            attempts: beginning.attempts,
            is_mended: beginning.is_mended,
            epoch: beginning.epoch,
            owner: beginning.owner,
            stage: Stage::Working,
            happened: vec![false; planned.effects.len()],
            tries: 0,
            claims: 0,
        };
        (run, Command::Sleep(planned.work))
    }

    /// Is it inside a call, the store's part of it included?
    pub(crate) fn in_call(&self) -> bool {
        self.stage != Stage::Working
    }

    /// Does it hold a claim without a recorded outcome?
    pub(crate) fn holds_claim(&self) -> bool {
        matches!(self.stage, Stage::AboutToSend { .. } | Stage::Calling)
    }

    /// Does it hold a claim that may not be sent any more?
    pub(crate) fn claim_is_too_old(&self, now: Time) -> bool {
        matches!(self.stage, Stage::AboutToSend { until, .. } if until < now)
    }

    /// Goes on after what it heard.
    pub(crate) fn on(&mut self, signal: Signal, plan: &Plan, now: Time) -> Command {
        match (self.stage, signal) {
            (Stage::Working, Signal::Woken) => self.leave_work(plan),
            (Stage::AboutToSend { number, until }, Signal::Woken) => {
                if now <= until {
                    self.send(number, plan)
                } else {
                    self.claim(None, plan, now)
                }
            }
            (Stage::Recalling, Signal::Store(Some(StoreSaid::Recalled(rows)))) => {
                self.recall(&rows, plan);
                self.go_on(plan, now)
            }
            (Stage::Claiming(since), Signal::Store(Some(StoreSaid::Claimed(answer)))) => {
                self.take_claim(*answer, since, plan, now)
            }
            (Stage::RecordingLookup, Signal::Store(Some(StoreSaid::Recorded))) => {
                self.happen(plan, now)
            }
            (
                Stage::Recalling | Stage::Claiming(_) | Stage::RecordingLookup,
                Signal::Store(None),
            ) => depends("store"),
            (Stage::Calling, Signal::Call(end)) => self.end_call(end, plan, now),
            (Stage::LookingUp { number }, Signal::LookedUp(found)) => {
                self.end_lookup(found, number, plan)
            }
            _ => Command::Nothing,
        }
    }

    fn leave_work(&mut self, plan: &Plan) -> Command {
        let planned = plan.record(self.record);
        if planned.effects.is_empty() {
            return self.finish(planned);
        }
        if self.fails(planned) && planned.faults.kind == FaultKind::Overruns {
            return Command::Sleep(FOR_EVER);
        }
        self.stage = Stage::Recalling;
        let first = EffectIndex(planned.effects.start);
        Command::Store(Operation::Recall(vec![plan.effect(first).id.of.clone()]))
    }

    fn recall(&mut self, rows: &[EffectRow], plan: &Plan) {
        for (position, effect) in plan.record(self.record).effects.clone().enumerate() {
            let id = &plan.effect(EffectIndex(effect)).id;
            self.happened[position] = rows
                .iter()
                .any(|row| row.id == *id && matches!(row.state, EffectState::Succeeded(_)));
        }
    }

    /// The next effect, or the handler's end.
    fn go_on(&mut self, plan: &Plan, now: Time) -> Command {
        self.tries = 0;
        self.claims = 0;
        match self.effect(plan) {
            Some(_) => self.claim(None, plan, now),
            None => {
                self.stage = Stage::Working;
                self.finish(plan.record(self.record))
            }
        }
    }

    /// The first effect that is not known to have happened.
    pub(crate) fn effect(&self, plan: &Plan) -> Option<EffectIndex> {
        let position = self.happened.iter().position(|happened| !happened)?;
        Some(EffectIndex(
            plan.record(self.record).effects.start + position as u32,
        ))
    }

    fn happen(&mut self, plan: &Plan, now: Time) -> Command {
        if let Some(position) = self.happened.iter().position(|happened| !happened) {
            self.happened[position] = true;
        }
        self.go_on(plan, now)
    }

    fn claim(&mut self, over: Option<i64>, plan: &Plan, now: Time) -> Command {
        self.claims += 1;
        let Some(effect) = self.effect(plan).filter(|_| self.claims <= CLAIMS_MAX) else {
            return claimed(claims::CLAIMED_RECHECK);
        };
        self.stage = Stage::Claiming(now);
        Command::Store(Operation::Claim(vec![Claim {
            id: plan.effect(effect).id.clone(),
            owner: self.owner.clone(),
            epoch: self.epoch,
            run: Uuid::from_u128(u128::from(self.id.0)),
            body_hash: [0; 32],
            operation: std::sync::Arc::clone(&plan.effect(effect).id.name),
            request: Bytes::new(),
            hold: CALL_TIMEOUT + claims::DEADLINE_GRACE,
            over,
        }]))
    }

    fn take_claim(&mut self, answer: ClaimAnswer, since: Time, plan: &Plan, now: Time) -> Command {
        match answer {
            ClaimAnswer::Granted { number, .. } => {
                self.stage = Stage::AboutToSend {
                    number,
                    // Counted from before it was asked for: the answer may have been read late.
                    until: since.plus(claims::SENDABLE_FOR),
                };
                Command::Sleep(Duration::from_micros(50))
            }
            ClaimAnswer::Fenced => Command::End(RunEnd::Fenced),
            ClaimAnswer::Found(row) => self.take_found(&row, plan, now),
        }
    }

    fn take_found(&mut self, row: &EffectRow, plan: &Plan, now: Time) -> Command {
        let Some(effect) = self.effect(plan) else {
            return Command::Nothing;
        };
        let planned = plan.effect(effect);
        match claims::decide(self.found(row), planned.repeat, planned.has_lookup) {
            Decision::Return => self.happen(plan, now),
            Decision::Claim => self.claim(Some(row.number), plan, now),
            Decision::Wait(wait) => claimed(wait),
            Decision::LookUp => {
                self.stage = Stage::LookingUp { number: row.number };
                Command::LookUp(effect)
            }
            Decision::Dead(cause) => dead(cause),
        }
    }

    /// A found row in the kernel's words.
    fn found(&self, row: &EffectRow) -> Found {
        Found {
            same_body: row.body_hash == [0; 32],
            state: match row.state {
                EffectState::Succeeded(_) => FoundState::Succeeded,
                EffectState::Released => FoundState::Released,
                EffectState::Open(remaining) => FoundState::Open {
                    own: row.run == Uuid::from_u128(u128::from(self.id.0)),
                    remaining,
                    age: row.age,
                },
            },
        }
    }

    fn send(&mut self, number: i64, plan: &Plan) -> Command {
        self.stage = Stage::Calling;
        self.tries += 1;
        match self.effect(plan) {
            Some(effect) => Command::Call { effect, number },
            None => Command::Nothing,
        }
    }

    fn end_call(&mut self, end: CallEnd, plan: &Plan, now: Time) -> Command {
        let repeatable = self
            .effect(plan)
            .is_some_and(|effect| plan.effect(effect).repeat != claims::Repeat::Never);
        match end {
            CallEnd::Happened => self.happen(plan, now),
            CallEnd::Unrecorded => depends("store"),
            CallEnd::NotExecuted if self.tries < TRIES_MAX => self.claim(None, plan, now),
            CallEnd::NotExecuted => depends("supplier"),
            CallEnd::Ambiguous if repeatable && self.tries < TRIES_MAX => {
                self.claim(None, plan, now)
            }
            CallEnd::Ambiguous => claimed(claims::CLAIMED_RECHECK),
        }
    }

    fn end_lookup(&mut self, found: Option<bool>, number: i64, plan: &Plan) -> Command {
        match (found, self.effect(plan)) {
            (Some(true), Some(effect)) => {
                self.stage = Stage::RecordingLookup;
                Command::Store(outcome(
                    plan,
                    effect,
                    number,
                    RecordedOutcome::Succeeded(Bytes::new()),
                ))
            }
            (Some(_), _) => dead(Death::Ambiguous),
            (None, _) => depends("supplier"),
        }
    }

    fn fails(&self, planned: &PlannedRecord) -> bool {
        !self.is_mended && self.attempts < planned.faults.attempts
    }

    fn finish(&self, planned: &PlannedRecord) -> Command {
        if self.fails(planned) {
            return fail(planned.faults.kind);
        }
        Command::End(match planned.ending {
            Ending::Refused if !self.is_mended => RunEnd::Dead {
                cause: Death::Refused,
                residue: Left::Fault,
            },
            Ending::Skipped => RunEnd::Skipped("not wanted"),
            Ending::Refused | Ending::Done => RunEnd::Done {
                emits: (planned.emits > 0).then_some(Left::Emits(planned.emits)),
            },
        })
    }
}

/// The operation that records what came of an effect's claim.
pub(crate) fn outcome(
    plan: &Plan,
    effect: EffectIndex,
    number: i64,
    outcome: RecordedOutcome,
) -> Operation {
    Operation::Record(vec![OutcomeRow {
        id: plan.effect(effect).id.clone(),
        number,
        outcome,
    }])
}

fn fail(kind: FaultKind) -> Command {
    let (cause, retry_after) = match kind {
        FaultKind::Fails => (Death::Attempts, None),
        FaultKind::FailsWithWish => (Death::Attempts, Some(Duration::from_millis(700))),
        FaultKind::Panics => (Death::Panicked, None),
        FaultKind::Overruns => return Command::Sleep(FOR_EVER),
    };
    Command::End(RunEnd::Failed {
        cause,
        retry_after,
        residue: Left::Fault,
    })
}

fn dead(cause: Death) -> Command {
    Command::End(RunEnd::Dead {
        cause,
        residue: Left::Fault,
    })
}

fn claimed(wait: Duration) -> Command {
    Command::End(RunEnd::Deferred {
        cause: Waiting::Claimed,
        wait,
    })
}

fn depends(name: &'static str) -> Command {
    Command::End(RunEnd::Deferred {
        cause: Waiting::Dependency(std::sync::Arc::from(name)),
        wait: DEPENDENCY_WAIT,
    })
}
