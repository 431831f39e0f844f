//! One process: a pump, and what its shell keeps in memory. A crash loses all of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use argosy_kernel::{Assignment, At, Epoch, Partition, Pump, RevokeNumber, RunRecord, Time};
use argosy_testkit::broker::member::{Event as MemberEvent, Member, MemberId};

use super::{
    event::{CallId, Incoming, InstanceId, Left, RunId, Step},
    plan::{EffectIndex, RecordId},
    run::Run,
};

/// One process.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) started: Time,
    pub(crate) life: Life,
    pub(crate) pump: Pump<RecordId, Left>,
    pub(crate) member: Member,
    /// What its membership has decided during the present turn.
    pub(crate) decided: Vec<MemberEvent>,
    pub(crate) intake: Intake,
    pub(crate) assignment: Assignment,
    pub(crate) revokes: BTreeMap<RevokeNumber, Vec<Partition>>,
    pub(crate) handovers: BTreeMap<u64, Handover>,
    pub(crate) runs: BTreeMap<RunId, Run>,
    pub(crate) calls: BTreeMap<CallId, Call>,
    pub(crate) timeline: Timeline,
    /// The moment for which a tick is scheduled, by the pump's time.
    pub(crate) tick: Option<Time>,
    /// The last moment at which something was delivered, by connection: what was sent later arrives later.
    pub(crate) connections: [Time; CONNECTIONS],
    numbers: u64,
}

/// Connections that keep the order of their messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Connection {
    /// To the group's coordinator.
    Coordinator,
    /// From the group's coordinator.
    FromCoordinator,
    /// From handlers to the pump.
    Completions,
}

const CONNECTIONS: usize = 3;

/// Is the process there?
#[derive(Debug)]
pub(crate) enum Life {
    Running,
    /// It stands still; what it would have heard waits.
    Frozen(VecDeque<Incoming>),
    /// Dead, or gone by its own will.
    Gone,
}

/// What it reads.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    pub(crate) positions: BTreeMap<Partition, Position>,
    pub(crate) held: BTreeSet<Partition>,
    pub(crate) poll_due: bool,
}

/// The next offset to read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Position {
    /// To be asked of the broker first.
    Unknown,
    /// Known, and where this assignment began.
    At { first: i64, next: i64 },
}

/// Consecutive records of a lane that were handed over together.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(crate) epoch: Epoch,
    pub(crate) rest: VecDeque<RunRecord<RecordId>>,
    pub(crate) past: Vec<At>,
    pub(crate) alone: bool,
    pub(crate) closed: bool,
}

/// A call that was sent; it outlives its run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) run: RunId,
    pub(crate) effect: EffectIndex,
    pub(crate) number: i64,
    pub(crate) stage: CallStage,
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallStage {
    /// At the vendor.
    Out,
    /// Its outcome is being recorded: it happened, or did not.
    Recording { happened: bool },
}

/// Settlements' steps on their way to the broker: one batch at a time.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    pub(crate) queued: Vec<Step>,
    pub(crate) linger_runs: bool,
    pub(crate) batch_is_out: bool,
}

impl Instance {
    /// A process that is about to join.
    pub(crate) fn new(
        id: InstanceId,
        started: Time,
        pump: Pump<RecordId, Left>,
        member: MemberId,
    ) -> Self {
        Self {
            id,
            started,
            life: Life::Running,
            pump,
            member: Member::new(member),
            decided: Vec::new(),
            intake: Intake::default(),
            assignment: Assignment(0),
            revokes: BTreeMap::new(),
            handovers: BTreeMap::new(),
            runs: BTreeMap::new(),
            calls: BTreeMap::new(),
            timeline: Timeline::default(),
            tick: None,
            connections: [Time::default(); CONNECTIONS],
            numbers: 0,
        }
    }

    /// Does it process what it hears?
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.life, Life::Running)
    }

    /// Is the process gone for good?
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.life, Life::Gone)
    }

    /// A number that no other thing in the world has.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        (u64::from(self.id.0) << 40) | self.numbers
    }

    /// The live run of this record.
    pub(crate) fn run_at(&self, at: At) -> Option<RunId> {
        self.runs
            .values()
            .find(|run| run.at == at)
            .map(|run| run.id)
    }

    /// Closes the hand-over to which this record belonged, whose run has ended already.
    pub(crate) fn close_handover_past(&mut self, at: At) {
        for handover in self.handovers.values_mut() {
            if handover.past.contains(&at) {
                handover.closed = true;
            }
        }
    }
}
