//! Which keys there are, and what befalls them.
//!
//! Invariant: drawn from the seed alone; most keys are healthy all the while.

use argosy_testkit::random::Random;

use crate::trial_worker::Deed;

/// Keys in all.
pub(super) const KEYS: usize = 40;

/// What befalls a key, and how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Nothing.
    Healthy,
    /// One record panics; the key is released.
    Released,
    /// The supplier refuses one record; when the supplier is mended, it is replayed.
    Replayed,
    /// The same, but it is replayed before the supplier is mended as well, and dies again.
    ReplayedTwice,
    /// One record panics, and nobody cares until all is released.
    Left,
    /// The same, and behind it a second one panics when all is released.
    LeftTwice,
}

impl Fate {
    /// What the fatal record tells the worker; none where the supplier is what fails.
    pub(super) fn deed(self) -> Option<Deed> {
        match self {
            Self::Released | Self::Left | Self::LeftTwice => Some(Deed::Panic),
            Self::Healthy | Self::Replayed | Self::ReplayedTwice => None,
        }
    }

    /// Whether the supplier refuses its orders until it is mended.
    pub(super) fn is_refused(self) -> bool {
        matches!(self, Self::Replayed | Self::ReplayedTwice)
    }

    /// The cause of its death.
    pub(super) fn cause(self) -> &'static str {
        if self.is_refused() {
            "refused"
        } else {
            "panicked"
        }
    }

    /// Records of its key that stay dead.
    pub(super) fn dead_for_good(self) -> usize {
        match self {
            Self::Healthy | Self::Replayed | Self::ReplayedTwice => 0,
            Self::Released | Self::Left => 1,
            Self::LeftTwice => 2,
        }
    }
}

/// How many keys have each fate but the healthy one.
const STRUCK: [(Fate, usize); 5] = [
    (Fate::Released, 3),
    (Fate::Replayed, 3),
    (Fate::ReplayedTwice, 2),
    (Fate::Left, 1),
    (Fate::LeftTwice, 1),
];

/// Every key with its fate.
pub(super) fn keys(seed: u64) -> Vec<(String, Fate)> {
    let mut fates: Vec<Fate> = STRUCK
        .iter()
        .flat_map(|(fate, count)| std::iter::repeat_n(*fate, *count))
        .collect();
    fates.resize(KEYS, Fate::Healthy);
    Random::new(seed).shuffle(&mut fates);
    let named = fates.into_iter().enumerate();
    named
        .map(|(n, fate)| (format!("order-{seed}-{n}"), fate))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fate_is_met_and_most_keys_are_healthy() {
        for seed in 0..50 {
            let keys = keys(seed);
            let count = |wanted: Fate| keys.iter().filter(|(_, fate)| *fate == wanted).count();
            assert!(STRUCK.iter().all(|(fate, wanted)| count(*fate) == *wanted));
            assert!(count(Fate::Healthy) * 2 > keys.len());
        }
        assert_eq!(keys(3), keys(3));
        assert_ne!(
            keys(3).iter().map(|(_, fate)| *fate).collect::<Vec<_>>(),
            keys(4).iter().map(|(_, fate)| *fate).collect::<Vec<_>>()
        );
    }
}
