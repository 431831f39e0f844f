//! The strikes, the groups of events that they strike, and what must come of each.

use std::time::Duration;

use argosy_events::murmur2::partition_for;
use argosy_testkit::random::Random;
use serde_json::{Value, json};

use crate::{
    grounds::Fault,
    trial_worker::{CLASSES, Class, Deed, Patience, pausing},
};

/// Partitions of the order topic.
const PARTITIONS: i32 = 12;

/// A killed process is killed well before this, so that nothing was sent.
const KILLED_WITHIN: Duration = Duration::from_secs(20);

/// Over before a frozen process is thawed, so that it comes back with a granted claim in its hands.
const FROZEN_WITHIN: Duration = Duration::from_secs(4);

/// Of a group whose strike comes while an answer is under way; shorter than a brisk call may take.
const SLOW_MS: u64 = 2_500;

/// The same for patient calls: over before the process is thawed.
const SLOWER_MS: u64 = 7_000;

/// A call that lasts through a rebalance.
const LASTING_MS: u64 = 30_000;

/// What happens between an effect's claim and its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Strike {
    /// The supplier accepts and closes the connection without an answer.
    Cut,
    /// kill -9 between claim and send.
    KilledBeforeSending,
    /// kill -9 between send and outcome.
    KilledAfterSending,
    /// Frozen between claim and send, past the membership; thawed around the end of its claim.
    FrozenBeforeSending,
    /// Frozen between send and outcome, past the membership; thawed while its claim is good.
    FrozenWithinClaim,
    /// The same; thawed when another instance has settled what could be settled.
    FrozenPastClaim,
    /// A second instance joins while a call lasts.
    Rebalanced,
}

/// All of them.
pub(super) const STRIKES: [Strike; 7] = [
    Strike::Cut,
    Strike::KilledBeforeSending,
    Strike::KilledAfterSending,
    Strike::FrozenBeforeSending,
    Strike::FrozenWithinClaim,
    Strike::FrozenPastClaim,
    Strike::Rebalanced,
];

/// How an event ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Ambiguous,
}

/// What must come of an event: how it ends, and how often the supplier has applied its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Must {
    pub(super) end: End,
    pub(super) applied: usize,
}

/// One event.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) class: Class,
    /// The event's id, and our reference at the supplier.
    pub(super) event: String,
    pub(super) key: String,
    pub(super) must: Must,
}

/// Events that are struck together, by a worker of their own.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) strike: Strike,
    pub(super) cases: Vec<Case>,
    /// Draws when exactly it strikes.
    pub(super) random: Random,
}

impl Strike {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::KilledBeforeSending => "killed-before-sending",
            Self::KilledAfterSending => "killed-after-sending",
            Self::FrozenBeforeSending => "frozen-before-sending",
            Self::FrozenWithinClaim => "frozen-within-claim",
            Self::FrozenPastClaim => "frozen-past-claim",
            Self::Rebalanced => "rebalanced",
        }
    }

    pub(super) fn patience(self) -> Patience {
        match self {
            Self::FrozenWithinClaim | Self::Rebalanced => Patience::Patient,
            _ => Patience::Brisk,
        }
    }

    fn pause(self) -> Option<Duration> {
        match self {
            Self::KilledBeforeSending => Some(KILLED_WITHIN),
            Self::FrozenBeforeSending => Some(FROZEN_WITHIN),
            _ => None,
        }
    }

    fn fault(self) -> Option<Value> {
        match self {
            Self::Cut => Some(json!({ "cut": "after" })),
            Self::KilledBeforeSending | Self::FrozenBeforeSending => None,
            Self::KilledAfterSending | Self::FrozenPastClaim => {
                Some(json!({ "slow_body_ms": SLOW_MS }))
            }
            Self::FrozenWithinClaim => Some(json!({ "slow_body_ms": SLOWER_MS })),
            Self::Rebalanced => Some(json!({ "latency_ms": LASTING_MS })),
        }
    }

    /// A pause holds back every claim of its batch, and two batches are at the store at once: so no more than two
    /// events are paused by one worker.
    fn classes(self) -> Vec<Vec<Class>> {
        match self.pause() {
            Some(_) => CLASSES.chunks(2).map(<[Class]>::to_vec).collect(),
            None => vec![CLASSES.to_vec()],
        }
    }

    fn events_per_class(self) -> i32 {
        match self {
            // One on each partition: whichever partitions move, some events of each class move.
            Self::Rebalanced => PARTITIONS,
            _ if self.pause().is_some() => 1,
            _ => 3,
        }
    }
}

/// The one place that says what each strike must come to.
pub(super) fn must(strike: Strike, class: Class) -> Must {
    let (done, ambiguous) = (
        |applied| Must {
            end: End::Done,
            applied,
        },
        |applied| Must {
            end: End::Ambiguous,
            applied,
        },
    );
    match (strike, class) {
        // The call runs on, and its outcome is recorded by whoever made it.
        (Strike::FrozenWithinClaim | Strike::Rebalanced, _)
        // Repeated, and the repeat is recognised; or the first to be sent at all.
        | (_, Class::Natural | Class::Remembered) => done(1),
        // Nobody can know that it was not sent.
        (Strike::KilledBeforeSending | Strike::FrozenBeforeSending, Class::Never | Class::Blind) => ambiguous(0),
        (_, Class::Never) => done(1),
        (_, Class::Blind) => ambiguous(1),
    }
}

/// All groups of a seed.
pub(super) fn groups(seed: u64) -> Vec<Group> {
    let root = Random::new(seed);
    let mut groups = Vec::new();
    for strike in STRIKES {
        for (n, classes) in strike.classes().into_iter().enumerate() {
            let name = format!("{}-{n}", strike.name());
            let mut random = root.fork(groups.len() as u64 + 1);
            let cases = classes
                .iter()
                .flat_map(|class| (0..strike.events_per_class()).map(|index| (*class, index)))
                .map(|(class, index)| case(strike, class, index, &name, &mut random))
                .collect();
            groups.push(Group {
                name,
                strike,
                cases,
                random,
            });
        }
    }
    groups
}

fn case(strike: Strike, class: Class, index: i32, group: &str, random: &mut Random) -> Case {
    let drawn = |random: &mut Random| {
        format!(
            "{group}-{}-{index}-{:08x}",
            class.name(),
            random.draw() as u32
        )
    };
    let mut key = drawn(random);
    while strike == Strike::Rebalanced && partition_for(key.as_bytes(), PARTITIONS) != index {
        key = drawn(random);
    }
    let event = match strike.pause() {
        Some(pause) => pausing(&key, pause),
        None => key.clone(),
    };
    Case {
        class,
        event,
        key,
        must: must(strike, class),
    }
}

impl Group {
    /// What the suppliers do to this group's orders.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let fault = |case: &Case| {
            Some(Fault {
                key: case.key.clone(),
                effect: self.strike.fault()?,
                // Whatever follows the first call meets a healthy supplier.
                times: Some(1),
            })
        };
        self.cases.iter().filter_map(fault).collect()
    }

    pub(super) fn deed(&self, case: &Case) -> Deed {
        Deed::Call(case.class, self.strike.patience())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_strike_meets_every_class() {
        let met: BTreeSet<_> = groups(1)
            .iter()
            .flat_map(|group| group.cases.iter().map(|case| (group.strike, case.class)))
            .collect();
        assert_eq!(met.len(), STRIKES.len() * CLASSES.len());
    }

    #[test]
    fn no_event_may_be_applied_twice_and_what_cannot_be_known_is_ambiguous() {
        for strike in STRIKES {
            for class in CLASSES {
                let Must { end, applied } = must(strike, class);
                assert!(applied <= 1);
                let is_known = end == End::Done;
                assert!(!is_known || applied == 1, "{strike:?} {class:?}");
                assert!(is_known || matches!(class, Class::Never | Class::Blind));
            }
        }
    }

    #[test]
    fn keys_are_distinct_seeds_differ_and_a_rebalance_meets_every_partition() {
        let (first, second) = (groups(1), groups(2));
        let keys = |groups: &[Group]| -> BTreeSet<String> {
            let cases = groups.iter().flat_map(|group| &group.cases);
            cases.map(|case| case.key.clone()).collect()
        };
        let cases: usize = first.iter().map(|group| group.cases.len()).sum();
        assert_eq!(keys(&first).len(), cases);
        assert!(keys(&first).is_disjoint(&keys(&second)));
        let rebalanced = first
            .iter()
            .find(|group| group.strike == Strike::Rebalanced);
        let partitions: BTreeSet<i32> = rebalanced
            .unwrap()
            .cases
            .iter()
            .map(|case| partition_for(case.key.as_bytes(), PARTITIONS))
            .collect();
        assert_eq!(partitions.len(), PARTITIONS as usize);
    }
}
