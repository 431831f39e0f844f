//! The closed list of causes: why a lane waits, why a record is dead. The same names in code, logs, metrics and docs.

use std::{fmt, sync::Arc};

use crate::ids::{Assignment, Offset, Time};

/// Why a lane is not running now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Its head has been running since then.
    Running(Time),
    /// Other lanes run first.
    Backlog,
    /// The partition's owner row is not taken yet.
    Unassigned(Assignment),
    /// The last run ended in the record's own fault.
    Retry,
    /// A dependency is down, or the store is.
    Dependency(Arc<str>),
    /// A dependency's quota is used up.
    Quota(Arc<str>),
    /// Another run holds the claim of an effect.
    Claimed,
    /// An earlier record of its key, the one at this offset, is dead, and an operator has not ended that yet.
    Hold(Offset),
    /// Emitted events are not acknowledged yet.
    EmitWrite,
    /// The dead letter is not acknowledged yet.
    DeadLetterWrite,
    /// A process died while it ran: it runs alone, when its turn comes.
    Suspect,
    /// The store has no room for more of its partition's, or its instance's, parked records.
    ParkedFull,
    /// The partition is being given back.
    Draining,
}

impl Waiting {
    /// The cause's name, bounded, as it stands in metrics and timelines.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running(_) => "running",
            Self::Backlog => "backlog",
            Self::Unassigned(_) => "unassigned",
            Self::Retry => "retry",
            Self::Dependency(_) => "dependency",
            Self::Quota(_) => "quota",
            Self::Claimed => "claimed",
            Self::Hold(_) => "hold",
            Self::EmitWrite => "emit_write",
            Self::DeadLetterWrite => "dead_letter_write",
            Self::Suspect => "suspect",
            Self::ParkedFull => "parked_full",
            Self::Draining => "draining",
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dependency(name) | Self::Quota(name) => write!(f, "{}({name})", self.name()),
            Self::Hold(offset) => write!(f, "{}({})", self.name(), offset.0),
            _ => f.write_str(self.name()),
        }
    }
}

/// Why a record is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Death {
    /// The value is not what its headers say.
    Undecodable,
    /// The value decodes, and breaks a rule of its type.
    Invalid,
    /// The handler, or a vendor, refused it for good.
    Refused,
    /// Every attempt that the policy allows was spent.
    Attempts,
    /// It grew older than the policy allows, or its last run overran its deadline.
    Deadline,
    /// Its handler panicked in every attempt.
    Panicked,
    /// The process died each time that it ran alone.
    Crashed,
    /// A call's outcome is unknown and cannot be found out.
    Ambiguous,
    /// The same event identity came with another body.
    IdentityReused,
    /// One effect name and key was used for two requests within a run.
    EffectReused,
    /// The broker will never take an event that it emits.
    EmitRejected,
    /// The worker's configuration cannot serve it.
    Misconfigured,
}

impl Death {
    /// The cause's name, as it stands in headers, metrics and timelines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Invalid => "invalid",
            Self::Refused => "refused",
            Self::Attempts => "attempts",
            Self::Deadline => "deadline",
            Self::Panicked => "panicked",
            Self::Crashed => "crashed",
            Self::Ambiguous => "ambiguous",
            Self::IdentityReused => "identity_reused",
            Self::EffectReused => "effect_reused",
            Self::EmitRejected => "emit_rejected",
            Self::Misconfigured => "misconfigured",
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
