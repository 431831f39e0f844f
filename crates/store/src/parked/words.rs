//! Parked records in the pump's words, and in the store's.

use std::{sync::Arc, time::Duration};

use argosy_kernel::{
    Hold, LaneKey, Look, Offset, ParkFault, ParkRecord, ParkWrite, ParkedLane, ParkedState,
    PlanStep, PlanStepNumber, Replay, Suspect, Waiting,
};

use super::{
    FoundLane, FoundParked, HeldLane, ParkAnswer, ParkChange, ParkedLook, ParkedRow, ReplayedRow,
};
use crate::{DueStep, OwnerKey, PlanStepKind};

impl ParkChange {
    /// What a pump wants written; `row` says what is kept of a record.
    pub fn of<R>(
        owner: OwnerKey,
        write: ParkWrite<R>,
        row: impl Fn(ParkRecord<R>) -> ParkedRow,
    ) -> Self {
        Self {
            rows: write.records.into_iter().map(row).collect(),
            looks: write.looks.into_iter().map(ParkedLook::from).collect(),
            settled: write.settled.into_iter().map(|offset| offset.0).collect(),
            passed: write.passed.map(|offset| offset.0),
            holds: write.holds.into_iter().map(HeldLane::from).collect(),
            released: write.released,
            replays: write.replays.into_iter().map(ReplayedRow::from).collect(),
            ended: write.ended.into_iter().map(|step| step.0).collect(),
            revived: write.revived.into_iter().map(|offset| offset.0).collect(),
            owner,
            epoch: write.epoch,
        }
    }
}

impl From<Hold> for HeldLane {
    fn from(hold: Hold) -> Self {
        Self {
            lane: hold.key,
            offset: hold.offset.0,
        }
    }
}

impl From<Replay> for ReplayedRow {
    fn from(replay: Replay) -> Self {
        Self {
            step: replay.number.0,
            lane: replay.key,
            offset: replay.offset.0,
        }
    }
}

impl DueStep {
    /// The step in the pump's words.
    pub fn plan_step(&self) -> PlanStep {
        let offset = Offset(self.offset);
        PlanStep {
            number: PlanStepNumber(self.step),
            lane: match &self.key {
                Some(key) => LaneKey::Key(Arc::from(key.as_ref())),
                None => LaneKey::Keyless(offset),
            },
            offset,
            kind: match self.kind {
                PlanStepKind::Replay => argosy_kernel::PlanStepKind::Replay { bytes: self.bytes },
                PlanStepKind::Release => argosy_kernel::PlanStepKind::Release,
            },
        }
    }
}

impl ParkAnswer {
    /// How the pump's write went.
    ///
    /// # Errors
    ///
    /// If it was fenced.
    pub fn result(self) -> Result<(), ParkFault> {
        match self {
            Self::Done => Ok(()),
            Self::Fenced => Err(ParkFault::Fenced),
        }
    }
}

impl From<Look> for ParkedLook {
    fn from(look: Look) -> Self {
        let dependency = match &look.cause {
            Waiting::Dependency(name) | Waiting::Quota(name) => Some(Arc::clone(name)),
            _ => None,
        };
        Self {
            offset: look.offset.0,
            cause: look.cause.name().into(),
            dependency,
            due: look.due,
            attempts: look.attempts,
            age: look.age,
        }
    }
}

impl ParkedLook {
    /// The cause, as far as the pump goes by it. It is only an index into who waits for whom: today's code decides anew
    /// when the lane runs.
    fn waiting(&self) -> Waiting {
        match (&*self.cause, &self.dependency) {
            ("dependency", Some(name)) => Waiting::Dependency(Arc::clone(name)),
            ("quota", Some(name)) => Waiting::Quota(Arc::clone(name)),
            ("claimed", _) => Waiting::Claimed,
            ("retry", _) => Waiting::Retry,
            ("suspect", _) => Waiting::Suspect,
            _ => Waiting::Backlog,
        }
    }
}

impl From<FoundLane> for ParkedLane {
    /// A head that nobody looked at yet is worth a look at once: the one before it settled.
    fn from(found: FoundLane) -> Self {
        let look = found.look.as_ref();
        Self {
            key: found.lane,
            records: found.rows,
            bytes: found.bytes,
            cause: look.map_or(Waiting::Backlog, ParkedLook::waiting),
            due: look.map_or(Duration::ZERO, |look| look.due),
            head: found.head.map(Offset),
            held: found.held.map(Offset),
        }
    }
}

impl From<FoundParked> for ParkedState {
    fn from(found: FoundParked) -> Self {
        Self {
            lanes: found.lanes.into_iter().map(ParkedLane::from).collect(),
            offsets: found.offsets.into_iter().map(Offset).collect(),
            suspects: found.suspects.into_iter().map(Suspect::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_comes_back_as_far_as_the_pump_goes_by_it() {
        for (cause, back) in [
            (Waiting::Dependency("acme".into()), None),
            (Waiting::Quota("acme".into()), None),
            (Waiting::Claimed, None),
            (Waiting::Retry, None),
            (Waiting::Suspect, None),
            (Waiting::EmitWrite, Some(Waiting::Backlog)),
        ] {
            let look = Look {
                key: LaneKey::Whole,
                offset: Offset(7),
                cause: cause.clone(),
                due: Duration::from_secs(3),
                attempts: 2,
                age: Duration::from_secs(5),
            };
            let lane = ParkedLane::from(FoundLane {
                lane: LaneKey::Whole,
                rows: 4,
                bytes: 100,
                look: Some(look.into()),
                head: Some(7),
                held: Some(5),
            });
            let expected = ParkedLane {
                key: LaneKey::Whole,
                records: 4,
                bytes: 100,
                cause: back.unwrap_or(cause),
                due: Duration::from_secs(3),
                head: Some(Offset(7)),
                held: Some(Offset(5)),
            };
            assert_eq!(lane, expected);
        }
    }
}
