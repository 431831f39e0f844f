//! What the pump and its shell say to each other about parked records.

use std::time::Duration;

use crate::{
    cause::Waiting,
    ids::{Assignment, Epoch, LaneKey, LoadNumber, Offset, Partition, PlanStepNumber},
    pump::alone::Suspect,
};

/// When lanes move to the store, and how much of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParkingConfig {
    /// A lane is parked when its head will have been waiting for so long since its first run.
    pub after: Duration,
    /// Keys parked at once, per partition.
    pub keys_max: usize,
    /// Bytes parked at once, over all partitions of the instance.
    pub bytes_max: usize,
    /// Records per write; at least 1.
    pub write_records_max: usize,
    /// Bytes per write; a larger record is written alone.
    pub write_bytes_max: usize,
    /// Records loaded of a lane at once; at least 1.
    pub load_records_max: usize,
    /// Parked lanes of one cause, or with a time of their own, that run at once, per partition; at least 1.
    pub lanes_max: usize,
    /// The longest time between two looks at a dependency that is down.
    pub look_max: Duration,
}

impl Default for ParkingConfig {
    fn default() -> Self {
        Self {
            after: Duration::from_secs(30),
            keys_max: 100_000,
            bytes_max: 1 << 30,
            write_records_max: 512,
            write_bytes_max: 1 << 20,
            load_records_max: 64,
            lanes_max: 64,
            look_max: Duration::from_secs(30),
        }
    }
}

/// Number of a park write, so that its answer can be told from another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParkNumber(pub u64);

/// What a new owner finds in the store, read after its row was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkedState {
    /// Keys with rows that are not settled, and keys that are held.
    pub lanes: Vec<ParkedLane>,
    /// Offsets of all rows, settled ones included, ascending: a redelivery of these is clear.
    pub offsets: Vec<Offset>,
    /// Records that were running when a process died.
    pub suspects: Vec<Suspect>,
}

/// One parked key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedLane {
    /// The key.
    pub key: LaneKey,
    /// Rows that are not settled.
    pub records: usize,
    /// Their size.
    pub bytes: usize,
    /// Why it waits.
    pub cause: Waiting,
    /// How long until it is worth a look; zero if that time has passed.
    pub due: Duration,
    /// The oldest row that is not settled.
    pub head: Option<Offset>,
    /// Rows behind this offset wait: the record there is dead, and nobody ended the hold yet.
    pub held: Option<Offset>,
}

/// A record out of the store.
#[derive(Clone, Debug)]
pub struct ParkedRecord<R> {
    /// Its position.
    pub offset: Offset,
    /// Its size in memory.
    pub bytes: usize,
    /// Attempts that it has spent.
    pub attempts: u32,
    /// Its age when it was parked, without what it waited for others.
    pub age: Duration,
    /// It was dead, and an operator had it replayed.
    pub replayed: bool,
    /// The record itself.
    pub body: R,
}

/// A parked lane's oldest rows are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedLoad {
    /// The number to answer with.
    pub load: LoadNumber,
    /// Which partition.
    pub partition: Partition,
    /// For which assignment.
    pub assignment: Assignment,
    /// Whose.
    pub key: LaneKey,
    /// At most so many.
    pub records_max: usize,
    /// None behind this offset: the key is held there.
    pub through: Option<Offset>,
}

/// One transaction on a partition's parked rows, fenced by its owner's row.
#[derive(Clone, Debug)]
pub struct ParkWrite<R> {
    /// Its number.
    pub park: ParkNumber,
    /// Which partition.
    pub partition: Partition,
    /// For which assignment it was made.
    pub assignment: Assignment,
    /// The epoch that fences it.
    pub epoch: Epoch,
    /// Rows to add; one that exists stays as it is.
    pub records: Vec<ParkRecord<R>>,
    /// What is new about the heads of parked lanes.
    pub looks: Vec<Look>,
    /// Rows that settled: they become tombstones.
    pub settled: Vec<Offset>,
    /// Those of them whose record was dead before, and is done or skipped now.
    pub revived: Vec<Offset>,
    /// Keys that are held from now on, wherever they were held before.
    pub holds: Vec<Hold>,
    /// Keys that are held no longer; none of `holds`.
    pub released: Vec<LaneKey>,
    /// Dead records that become rows again, with their bytes from the dead letter, each only if its step is still open.
    pub replays: Vec<Replay>,
    /// Plan steps that are carried out otherwise.
    pub ended: Vec<PlanStepNumber>,
    /// The group has committed this position: tombstones below it can go.
    pub passed: Option<Offset>,
}

/// A record on its way into the store.
#[derive(Clone, Debug)]
pub struct ParkRecord<R> {
    /// Its lane.
    pub key: LaneKey,
    /// Its position.
    pub offset: Offset,
    /// The record.
    pub body: R,
}

/// A key that is held: its rows behind the offset wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The key.
    pub key: LaneKey,
    /// Its dead record.
    pub offset: Offset,
}

/// A dead record on its way back to the head of its lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The plan step that wants it.
    pub number: PlanStepNumber,
    /// Its lane.
    pub key: LaneKey,
    /// Its position.
    pub offset: Offset,
}

/// What an operator wants done with one dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStep {
    /// Its number.
    pub number: PlanStepNumber,
    /// The lane of the dead record, as in [`Record::lane`](crate::Record::lane).
    pub lane: LaneKey,
    /// The dead record.
    pub offset: Offset,
    /// What.
    pub kind: PlanStepKind,
}

/// What is to be done with a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanStepKind {
    /// Its record runs again, at the head of its lane.
    Replay {
        /// The record's size in memory.
        bytes: usize,
    },
    /// Its key is held no longer.
    Release,
}

/// What the head of a parked lane waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The lane.
    pub key: LaneKey,
    /// The head.
    pub offset: Offset,
    /// Why it waits.
    pub cause: Waiting,
    /// How long until it is worth a look.
    pub due: Duration,
    /// Attempts that it has spent.
    pub attempts: u32,
    /// Its age, without what it waited for others.
    pub age: Duration,
}

/// Why the store did not do as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkFault {
    /// It may work later.
    Unavailable,
    /// The owner's row has another epoch.
    Fenced,
}
