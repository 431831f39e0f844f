//! What a found claim allows: the one decision by which an effect happens once.
//!
//! The store answers a claim with what it holds; this module says what may follow. Times are the store's own,
//! as spans, so that no two clocks are ever compared.

use std::time::Duration;

use crate::Death;

/// A claim is good for starting to send for this long after it was granted; older, it is claimed anew.
pub const SENDABLE_FOR: Duration = Duration::from_secs(5);

/// A claim's deadline lies this long past its call's timeout: past it, nothing of that run can still be sent.
pub const DEADLINE_GRACE: Duration = Duration::from_secs(10);

/// Another run's open claim is looked at again after this long, because its outcome may be recorded meanwhile.
pub const CLAIMED_RECHECK: Duration = Duration::from_secs(1);

/// A vendor's memory of idempotency keys is trusted for this much less than it promises.
pub const REMEMBERED_MARGIN: Duration = Duration::from_secs(3600);

/// How a vendor treats a second identical call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It changes nothing more: an upsert, or a call keyed by our own reference.
    Natural,
    /// Its idempotency key is recognised for this long.
    Remembered(Duration),
    /// It would happen again.
    Never,
}

/// What the store holds for an effect that was claimed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The event's body hashes as it did when the effect was first claimed.
    pub same_body: bool,
    /// Where the effect stands.
    pub state: FoundState,
}

/// Where a found effect stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundState {
    /// A success is recorded.
    Succeeded,
    /// It is known not to have happened: free to be claimed.
    Released,
    /// Claimed, without an outcome.
    Open {
        /// The claim is this run's own.
        own: bool,
        /// Time to the claim's deadline; `None` once it has passed.
        remaining: Option<Duration>,
        /// Time since the effect was first claimed.
        age: Duration,
    },
}

/// What may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Return the recorded success; nothing is called.
    Return,
    /// Take the claim over (or refresh one's own) and send the stored bytes.
    Claim,
    /// Wait so long, cause `claimed`, and ask again.
    Wait(Duration),
    /// Find out at the vendor whether it happened.
    LookUp,
    /// The record is dead.
    Dead(Death),
}

/// Decides what an existing claim allows to a run that wants the same effect.
pub fn decide(found: Found, repeat: Repeat, has_lookup: bool) -> Decision {
    if !found.same_body {
        return Decision::Dead(Death::IdentityReused);
    }
    match found.state {
        FoundState::Succeeded => Decision::Return,
        FoundState::Released | FoundState::Open { own: true, .. } => Decision::Claim,
        FoundState::Open {
            remaining: Some(remaining),
            ..
        } => Decision::Wait(remaining.min(CLAIMED_RECHECK)),
        FoundState::Open {
            remaining: None,
            age,
            ..
        } => expired(repeat, age, has_lookup),
    }
}

/// What an expired claim of another run allows, by repeat class.
fn expired(repeat: Repeat, age: Duration, has_lookup: bool) -> Decision {
    match repeat {
        Repeat::Natural => Decision::Claim,
        Repeat::Remembered(memory) if age < memory.saturating_sub(REMEMBERED_MARGIN) => {
            Decision::Claim
        }
        Repeat::Remembered(_) | Repeat::Never if has_lookup => Decision::LookUp,
        Repeat::Remembered(_) | Repeat::Never => Decision::Dead(Death::Ambiguous),
    }
}
