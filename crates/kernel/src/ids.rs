//! The newtypes by which the kernel tells places, moments and ownerships apart.

use std::{fmt, sync::Arc, time::Duration};

/// Index of a topic in the worker's own list of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicIndex(pub u16);

/// One partition of one subscribed topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The topic.
    pub topic: TopicIndex,
    /// The partition's number, from 0.
    pub number: i32,
}

/// Position of a record within its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Offset(pub i64);

impl Offset {
    /// The position after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Number of an ownership of a partition, counted in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub i64);

/// Number of an assignment event, counted by this instance. A completion of another assignment never touches offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Assignment(pub u64);

/// Number under which a revoke waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RevokeNumber(pub u64);

/// Number of a commit, so that its result can be told from another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitNumber(pub u64);

/// Number of a settlement, in the order in which the pump made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepNumber(pub u64);

/// Number of a plan step, given by the store: what an operator wants done with one dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlanStepNumber(pub i64);

/// Number of a load of parked records, so that its answer can be told from another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoadNumber(pub u64);

/// A moment, as time since the instance's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    /// The moment `later` after this one.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// How long ago `earlier` was; zero if it is yet to come.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What orders a record: records of one lane key run one at a time, in offset order.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LaneKey {
    /// The record's key, compared by content.
    Key(Arc<[u8]>),
    /// A record without a key is a lane of its own.
    Keyless(Offset),
    /// All records of a partition share one lane (`Order::Partition`).
    Whole,
}

impl fmt::Debug for LaneKey {
    /// Keys may name customers: only a length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(bytes) => write!(f, "Key({} bytes)", bytes.len()),
            Self::Keyless(offset) => write!(f, "Keyless({})", offset.0),
            Self::Whole => f.write_str("Whole"),
        }
    }
}
