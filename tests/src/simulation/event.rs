//! The messages of the simulated world: who may hear what, and what an instance sends out.

use std::{collections::BTreeSet, time::Duration};

use argosy_kernel::{
    Action, Assignment, At, CommitNumber, CommitResult, Committed, Death, Epoch, Hold, Input,
    LaneKey, Offset, ParkNumber, ParkedLoad, Partition, Replay, Settle, StepNumber, WriteFault,
};
use argosy_store::LetterRow;
use argosy_testkit::{
    broker::member::{self, MemberId, Notice},
    store, vendor,
};

use uuid::Uuid;

use super::plan::{EffectIndex, RecordId, Trouble};

/// One process, for its whole life; a process that starts later is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InstanceId(pub(crate) u16);

/// One execution of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunId(pub(crate) u64);

/// One request to a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallId(pub(crate) u64);

/// What a run leaves behind for its pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// So many events to publish.
    Emits(u8),
    /// The details of a fault.
    Fault,
}

/// The pump's input and action with this simulation's types.
pub(crate) type PumpInput = Input<RecordId, Left>;
/// See `PumpInput`.
pub(crate) type PumpAction = Action<RecordId, Left>;

/// What may happen next in the world.
#[derive(Debug)]
pub(crate) enum Event {
    /// The upstream system publishes a few records.
    PublishNext,
    /// Old records are deleted.
    Retention,
    /// A trouble strikes.
    Trouble(Trouble),
    /// The faults stop.
    Calm,
    /// An operator looks at dead letters.
    Operate,
    /// A dead letter is read into the store.
    Project(Box<LetterRow>),
    /// A process starts.
    Start,
    /// A frozen process goes on.
    Thaw(InstanceId),
    /// The store is back.
    StoreReturns,
    /// The broker is back.
    BrokerReturns,
    /// The store makes durable what it applied.
    StoreFlush,
    /// The coordinator looks for members that are late.
    GroupTimer,
    /// A request reaches the broker, the store or a vendor.
    Arrives(InstanceId, Outgoing),
    /// A process hears something.
    Hears(InstanceId, Incoming),
}

/// What an instance asks of the world.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// Join the group under this identity: as a new member (`None`), or again with what is owned.
    Join(MemberId, Option<BTreeSet<Partition>>),
    /// Leave the group.
    Leave(MemberId),
    /// Commit positions.
    Commit {
        member: MemberId,
        generation: u64,
        commit: CommitNumber,
        offsets: Vec<(Partition, Offset, Option<String>)>,
    },
    /// Read the group's committed position, for an ownership just taken.
    ReadCommitted {
        partition: Partition,
        assignment: Assignment,
        epoch: Epoch,
    },
    /// Write to the broker.
    Produce(Production),
    /// An operation of the store.
    Store(Purpose, Box<store::Operation>),
    /// A call to a vendor.
    Call { call: CallId, effect: EffectIndex },
    /// A look for an effect at its vendor.
    LookUp { run: RunId, effect: EffectIndex },
}

/// One write, retried by the producer itself until it gives up.
#[derive(Clone, Debug)]
pub(crate) struct Production {
    pub(crate) write: Write,
    pub(crate) sequence: u64,
    pub(crate) gives_up_after: Duration,
}

/// What is written.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    /// Events that a record's run emitted.
    Emits { at: At, record: RecordId, count: u8 },
    /// A dead letter.
    Letter {
        at: At,
        record: RecordId,
        cause: Death,
    },
    /// Steps of settlements.
    Steps(Vec<Step>),
}

/// One settlement on its way to the timelines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) record: RecordId,
    pub(crate) settle: Settle,
    pub(crate) number: StepNumber,
}

/// For whom a store operation was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An ownership.
    Owner(Partition, Assignment),
    /// What is parked, for an ownership just taken.
    Found {
        partition: Partition,
        assignment: Assignment,
        epoch: Epoch,
        committed: Option<Committed>,
    },
    /// A change of parked rows.
    Park {
        partition: Partition,
        assignment: Assignment,
        park: ParkNumber,
        change: Box<ParkedChange>,
    },
    /// What operators want of these partitions, as they are assigned to who asks.
    Steps(Vec<(Partition, Assignment)>),
    /// A load of parked rows.
    Load(ParkedLoad),
    /// What a dead process left behind.
    Left(Uuid),
    /// Nobody waits for it.
    Forget,
    /// A run: recall, claim, or the outcome of a lookup.
    Run(RunId),
    /// A call: its outcome.
    Outcome(CallId),
}

/// A change of a partition's parked rows, as far as the judge must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParkedChange {
    pub(crate) rows: Vec<RecordId>,
    pub(crate) holds: Vec<Hold>,
    pub(crate) released: Vec<LaneKey>,
    pub(crate) revived: Vec<Offset>,
    /// Replays whose steps were open when it arrived.
    pub(crate) replays: Vec<Replay>,
    /// Its epoch was not the newest when it arrived: it changed nothing.
    pub(crate) is_fenced: bool,
}

/// What an instance hears.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// The process begins.
    Begin,
    /// The timer set by `wake_at`, and for which moment.
    Tick(argosy_kernel::Time),
    /// There may be records.
    Poll,
    /// It is time to ask what operators want.
    StepsDue,
    /// The coordinator's word, to this identity.
    Notice(MemberId, Notice),
    /// What the member makes of it.
    Member(member::Event),
    /// The group's committed position, read for an ownership; `None` if the broker is away.
    CommittedRead {
        partition: Partition,
        assignment: Assignment,
        epoch: Epoch,
        committed: Option<Option<Committed>>,
    },
    /// A commit's results.
    CommitEnded(CommitNumber, Vec<(Partition, CommitResult)>),
    /// A write's result.
    Produced(Write, Result<(), WriteFault>),
    /// The store's answer; `None` if it is unavailable.
    StoreAnswered(Purpose, Option<store::Answer>),
    /// The vendor's answer.
    CallAnswered(CallId, vendor::Answer),
    /// The call's timeout has passed.
    CallTimedOut(CallId),
    /// What a lookup found; `None` if the vendor failed.
    LookedUp(RunId, Option<bool>),
    /// A run's own pause is over.
    RunWoken(RunId),
    /// A run's end reaches the pump.
    Completion(PumpInput),
    /// The timeline's linger is over.
    TimelineDue,
    /// The process is asked to stop.
    Shutdown,
    /// Records come whose partitions have gone.
    LateRecords(Vec<Partition>),
    /// The rest of a turn that a freeze interrupted.
    Carry(Vec<PumpAction>),
}
