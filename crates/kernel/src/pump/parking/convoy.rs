//! Stays that wait for the same thing: one of them looks, and if it gets through the others follow at a ramp.
//!
//! Invariant: a stay that rests stands in one convoy, or has a timer until it does.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::StayIndex;
use crate::ids::Time;

/// The first wait after a look that failed.
const LOOK_FIRST: Duration = Duration::from_secs(1);

/// What the stays of a convoy wait for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::pump) enum Awaited {
    /// A dependency.
    Dependency(Arc<str>),
    /// Their turn: their own time has come.
    Turn,
}

/// The stays of one partition that wait for one thing.
#[derive(Debug)]
pub(in crate::pump) struct Convoy {
    waiting: VecDeque<StayIndex>,
    /// How many may run at once.
    window: usize,
    /// How many do.
    out: usize,
    /// How many got through since the window last grew.
    through: usize,
    /// Nothing looks before.
    look_at: Time,
    wait: Duration,
}

/// The convoys of one partition.
#[derive(Debug, Default)]
pub(in crate::pump) struct Convoys(BTreeMap<Awaited, Convoy>);

impl Convoys {
    /// A stay waits for this; the first one says how many may run at once.
    pub(in crate::pump) fn join(
        &mut self,
        awaited: Awaited,
        stay: StayIndex,
        look_at: Time,
        window: usize,
    ) {
        let convoy = self.0.entry(awaited).or_insert_with(|| Convoy {
            waiting: VecDeque::new(),
            window,
            out: 0,
            through: 0,
            look_at,
            wait: LOOK_FIRST,
        });
        convoy.waiting.push_back(stay);
    }

    /// One that ran waits for the same again: the others look later and one by one.
    pub(in crate::pump) fn turned_back(
        &mut self,
        awaited: &Awaited,
        hint: Duration,
        now: Time,
        wait_max: Duration,
    ) {
        let Some(convoy) = self.0.get_mut(awaited) else {
            return;
        };
        convoy.out = convoy.out.saturating_sub(1);
        convoy.window = 1;
        convoy.through = 0;
        // Those that left together come back together: they lengthen the wait once.
        if convoy.look_at <= now {
            convoy.look_at = now.plus(convoy.wait.max(hint));
            convoy.wait = convoy.wait.saturating_mul(2).min(wait_max);
        }
    }

    /// One that ran did not have to wait for it: as many more may follow as got through before.
    pub(in crate::pump) fn got_through(&mut self, awaited: &Awaited, window_max: usize) {
        let Some(convoy) = self.0.get_mut(awaited) else {
            return;
        };
        convoy.out = convoy.out.saturating_sub(1);
        convoy.wait = LOOK_FIRST;
        convoy.through += 1;
        if convoy.through >= convoy.window {
            convoy.through = 0;
            convoy.window = convoy.window.saturating_mul(2).min(window_max);
        }
        self.forget_ended(awaited);
    }

    /// The next stay that may look, if one may.
    pub(in crate::pump) fn next(&mut self, now: Time) -> Option<(Awaited, StayIndex)> {
        for (awaited, convoy) in &mut self.0 {
            if convoy.out < convoy.window
                && convoy.look_at <= now
                && let Some(stay) = convoy.waiting.pop_front()
            {
                convoy.out += 1;
                return Some((awaited.clone(), stay));
            }
        }
        None
    }

    /// When the next look is due, if time is all that it waits for.
    pub(in crate::pump) fn look_at(&self) -> Option<Time> {
        let convoys = self.0.values();
        convoys
            .filter(|convoy| !convoy.waiting.is_empty() && convoy.out < convoy.window)
            .map(|convoy| convoy.look_at)
            .min()
    }

    fn forget_ended(&mut self, awaited: &Awaited) {
        let ended = self
            .0
            .get(awaited)
            .is_some_and(|convoy| convoy.waiting.is_empty() && convoy.out == 0);
        if ended {
            self.0.remove(awaited);
        }
    }
}
