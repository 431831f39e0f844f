//! What the pump is told and what it asks for: the whole contract between it and its shell.

use std::time::Duration;

use crate::{
    cause::{Death, Waiting},
    ids::{
        Assignment, CommitNumber, Epoch, LaneKey, LoadNumber, Offset, Partition, RevokeNumber,
        StepNumber,
    },
    ledger::MapFault,
    pump::parking::{
        ParkFault, ParkNumber, ParkWrite, ParkedLoad, ParkedRecord, ParkedState, PlanStep,
    },
};

/// Where a run stands: enough to tell it from every other run of this instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At {
    /// The record's partition.
    pub partition: Partition,
    /// The assignment under which it was dispatched.
    pub assignment: Assignment,
    /// The record's offset.
    pub offset: Offset,
}

/// A record as it comes from the broker. `R` is the shell's own body, cheap to clone.
#[derive(Clone, Debug)]
pub struct Record<R> {
    /// Its partition.
    pub partition: Partition,
    /// Its position.
    pub offset: Offset,
    /// What orders it (ignored where the worker's `Order` is not `Key`).
    pub lane: LaneKey,
    /// Its size in memory, for budgets.
    pub bytes: usize,
    /// The shell already knows that no handler wants it, and why: it is skipped without a run.
    pub skip: Option<&'static str>,
    /// The record itself.
    pub body: R,
}

/// What happened. `X` is what a run leaves for later: events to publish, or the details of a fault.
#[derive(Clone, Debug)]
pub enum Input<R, X> {
    /// Records were polled, in offset order within each partition.
    Records(Vec<Record<R>>),
    /// The broker assigned partitions; the assignment is already applied.
    Assigned {
        /// Counted by the shell, increasing.
        assignment: Assignment,
        /// What was added.
        partitions: Vec<Partition>,
    },
    /// The owner row is taken and the group's committed position is known.
    Owned {
        /// Which partition.
        partition: Partition,
        /// For which assignment it was asked.
        assignment: Assignment,
        /// The number of this ownership.
        epoch: Epoch,
        /// What the group has committed, read after the row was taken; `None` if nothing. What lies below is clear.
        committed: Option<Committed>,
        /// What waits in the store, read after the row was taken.
        parked: ParkedState,
    },
    /// The owner row could not be taken, or the committed position not be read: asked again later.
    NotOwned {
        /// Which partition.
        partition: Partition,
        /// For which assignment it was asked.
        assignment: Assignment,
        /// What is in the way; `dependency(store)` as a rule.
        cause: Waiting,
    },
    /// The broker wants partitions back; answered by [`Action::LetGo`].
    RevokeAsked {
        /// The number to answer with.
        revoke: RevokeNumber,
        /// What to give back.
        partitions: Vec<Partition>,
    },
    /// Partitions were lost against our will.
    Lost {
        /// Which.
        partitions: Vec<Partition>,
    },
    /// A run ended. After the first end of a dispatch that is not `Done` (without events) or `Skipped`, the shell
    /// starts none of the dispatch's later records and reports nothing for them.
    Finished {
        /// Which run.
        at: At,
        /// How.
        end: RunEnd<X>,
    },
    /// Emitted events were acknowledged, or not.
    Published {
        /// Whose events.
        at: At,
        /// How it went.
        result: Result<(), WriteFault>,
    },
    /// A dead letter was acknowledged, or not.
    DeadLettered {
        /// Whose letter.
        at: At,
        /// How it went.
        result: Result<(), WriteFault>,
    },
    /// A commit ended.
    CommitEnded {
        /// Which commit.
        commit: CommitNumber,
        /// What became of each of its partitions.
        results: Vec<(Partition, CommitResult)>,
    },
    /// A write to the parked rows ended.
    Parked {
        /// Which partition.
        partition: Partition,
        /// For which assignment it was made.
        assignment: Assignment,
        /// Which write.
        park: ParkNumber,
        /// How it went: all of it, or nothing.
        result: Result<(), ParkFault>,
    },
    /// A parked lane's oldest rows, in offset order.
    ParkedLoaded {
        /// Which partition.
        partition: Partition,
        /// For which assignment they were asked.
        assignment: Assignment,
        /// Under which number.
        load: LoadNumber,
        /// Whose.
        key: LaneKey,
        /// The rows; none if there are none.
        result: Result<Vec<ParkedRecord<R>>, ParkFault>,
    },
    /// Plan steps of a partition that are due. One that is under way already may come again.
    PlanSteps {
        /// Which partition.
        partition: Partition,
        /// The assignment under which they were asked for.
        assignment: Assignment,
        /// The steps.
        steps: Vec<PlanStep>,
    },
    /// All settlements up to and including this number are acknowledged on the timelines topic.
    StepsAcknowledged(StepNumber),
    /// The process wants to stop: drain, commit, [`Action::Leave`].
    Shutdown,
    /// Time passed.
    Tick,
}

/// A group's committed position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: Offset,
    /// The metadata that was committed with it; empty if none.
    pub metadata: String,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum RunEnd<X> {
    /// It is done; `emits` must be acknowledged first, if there are any.
    Done {
        /// Events to publish.
        emits: Option<X>,
    },
    /// Deliberately not handled.
    Skipped(&'static str),
    /// The record's own fault: an attempt.
    Failed {
        /// Why, if this was the last attempt: `attempts`, `panicked` or `deadline`.
        cause: Death,
        /// The vendor's wish, which wins over the schedule.
        retry_after: Option<Duration>,
        /// The details, for the dead letter.
        residue: X,
    },
    /// Something else's fault: no attempt is spent.
    Deferred {
        /// What the lane waits for.
        cause: Waiting,
        /// How long until it is worth another look.
        wait: Duration,
    },
    /// Its own fault, for good.
    Dead {
        /// Why.
        cause: Death,
        /// The details, for the dead letter.
        residue: X,
    },
    /// The answer to [`Action::Abort`], or a hand-over found closed: the run left nothing behind. For
    /// [`Abort::Deadline`], `in_call` says whether it was inside a vendor call (a deferral) or not (an attempt).
    Dropped {
        /// It was inside a vendor call.
        in_call: bool,
        /// The details, for the dead letter, should this have been the last attempt.
        residue: X,
    },
    /// The store refused its claim: the ownership's epoch is not the newest.
    Fenced,
}

/// Why a write was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// It may work later.
    Unavailable,
    /// The broker will never take it (too large, say).
    Rejected,
}

/// What became of one partition of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitResult {
    /// The offset and its metadata are durable.
    Accepted,
    /// The group's generation has moved on, or a rebalance is under way: stay dirty, retry later.
    Stale,
    /// The metadata is larger than the broker takes: recommit without it.
    MetadataTooLarge,
    /// Anything else: stay dirty, retry later.
    Failed,
}

/// Why a run is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// It overran its deadline.
    Deadline,
    /// Its partition must be given back, and the drain budget is spent.
    Drain,
    /// Its partition is lost, or fenced.
    Lost,
}

/// One record of a dispatch.
#[derive(Clone, Debug)]
pub struct RunRecord<R> {
    /// Which run this is.
    pub at: At,
    /// Attempts spent before this run.
    pub attempts: u32,
    /// The record.
    pub body: R,
}

/// Up to `dispatch_records_max` consecutive records of one lane, handed over together and run one after the other.
#[derive(Clone, Debug)]
pub struct Dispatch<R> {
    /// The epoch under which its claims are made.
    pub epoch: Epoch,
    /// It is the only one that runs in this instance: if the process dies now, that is this record's doing.
    pub alone: bool,
    /// The records, in offset order; never empty.
    pub records: Vec<RunRecord<R>>,
}

/// How a record settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// Handled.
    Done,
    /// Deliberately not handled.
    Skipped(&'static str),
    /// Dead, its letter acknowledged.
    Dead(Death),
}

/// What the shell must do. Actions are to be carried out in the order in which they come.
#[derive(Clone, Debug)]
pub enum Action<R, X> {
    /// Take the owner row at epoch + 1, read the group's committed position; answered by `Owned` or `NotOwned`.
    TakeOwner {
        /// Which partition.
        partition: Partition,
        /// For which assignment.
        assignment: Assignment,
    },
    /// Run these records; answered by one `Finished` each, see there.
    Run(Dispatch<R>),
    /// Drop this run's handler now; answered by `Finished` (a run that just ended answers with its real end).
    Abort {
        /// Which run.
        at: At,
        /// Why.
        why: Abort,
    },
    /// Publish these events, acks=all; answered by `Published`.
    Publish {
        /// Whose events.
        at: At,
        /// The record that emitted them.
        body: R,
        /// The events.
        emits: X,
    },
    /// Write a dead letter; answered by `DeadLettered`.
    DeadLetter {
        /// Whose letter.
        at: At,
        /// The record.
        body: R,
        /// Why it is dead.
        cause: Death,
        /// Attempts spent, the last included.
        attempts: u32,
        /// The details that the last run left; `None` if the pump itself condemned it.
        residue: Option<X>,
    },
    /// A lane's head waits: a step of its timeline.
    Waits {
        /// The head.
        at: At,
        /// The record.
        body: R,
        /// Why.
        cause: Waiting,
        /// For how long, at most.
        wait: Duration,
        /// It waits in the store, with all of its lane.
        parked: bool,
    },
    /// Change a partition's parked rows, in one transaction; answered by `Parked`. At most one per partition is out.
    Park(ParkWrite<R>),
    /// Read a parked lane's oldest rows that are not settled; answered by `ParkedLoaded`.
    LoadParked(ParkedLoad),
    /// These are suspects no more: the store may forget them. Not answered.
    ForgetSuspects {
        /// Which partition.
        partition: Partition,
        /// Which records.
        offsets: Vec<Offset>,
    },
    /// A record settled. Its step must reach the timelines topic before `StepsAcknowledged(step)`.
    Settled {
        /// Which record.
        at: At,
        /// The record.
        body: R,
        /// How.
        settle: Settle,
        /// The settlement's number, increasing by one.
        step: StepNumber,
    },
    /// Commit these positions with their metadata, off the owner's task; answered by `CommitEnded`. At most one is out.
    Commit {
        /// Its number.
        commit: CommitNumber,
        /// Position and metadata per partition.
        offsets: Vec<(Partition, Offset, Option<String>)>,
    },
    /// The group's commit metadata is not a map to use: worth one log line. Some records may run again.
    MapIgnored {
        /// Which partition.
        partition: Partition,
        /// What is wrong with it.
        reason: MapFault,
    },
    /// Take no more records of this partition for now. Every assignment begins with open intake.
    HoldIntake(Partition),
    /// Take its records again.
    ResumeIntake(Partition),
    /// Answer the revoke: no handler of its partitions is live. Every `RevokeAsked` gets exactly one, also when its
    /// partitions were lost meanwhile.
    LetGo(RevokeNumber),
    /// The shutdown is complete: leave the group.
    Leave,
}
