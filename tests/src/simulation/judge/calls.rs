//! Rules about effects: applied at most once, never two calls under way.

use std::time::Duration;

use argosy_kernel::{
    Time,
    claims::{REMEMBERED_MARGIN, Repeat},
};
use argosy_store::{Claim, EffectRow, EffectState};

use super::{Judge, Rule};
use crate::simulation::plan::{CALL_TIMEOUT, EffectIndex, Plan};

/// Between the decision to take a claim over and its arrival at the store a message may be stuck for so long.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

impl Judge {
    /// A call goes out.
    pub(crate) fn sends(&mut self, effect: EffectIndex, now: Time) {
        let until = now.plus(CALL_TIMEOUT);
        let before = self.calls_until.insert(effect, until);
        if before.is_some_and(|before| now < before) {
            self.rule(Rule::CallsDoNotOverlap, || {
                format!("effect {} is sent while an earlier call may live", effect.0)
            });
        }
    }

    /// The caller has heard: that call is over.
    pub(crate) fn hears_answer(&mut self, effect: EffectIndex, now: Time) {
        self.calls_until.insert(effect, now);
    }

    /// A claim arrives that wants to take this row over. What time cannot change is judged here, also where the store
    /// then refuses: a claim that was seen to have expired has expired, and what may never be repeated never may.
    pub(crate) fn asks_to_take_over(&mut self, claim: &Claim, row: &EffectRow, plan: &Plan) {
        let as_seen = claim.over == Some(row.number) && claim.run != row.run;
        let allowed = match &row.state {
            EffectState::Open(_) if !as_seen => true,
            EffectState::Open(Some(_)) => false,
            EffectState::Open(None) => plan.repeat_of(&claim.id) != Repeat::Never,
            EffectState::Succeeded(_) | EffectState::Released => true,
        };
        self.check_takeover(allowed, row);
    }

    /// The store has granted it. Only now its age counts: a process that stood still asks late, by what it saw before,
    /// and is refused by its epoch once another owns the partition. Nothing is taken over then.
    pub(crate) fn takes_over(&mut self, row: &EffectRow, plan: &Plan) {
        let allowed = match plan.repeat_of(&row.id) {
            Repeat::Natural => true,
            Repeat::Remembered(memory) => {
                row.age < memory.saturating_sub(REMEMBERED_MARGIN) + ARRIVES_WITHIN
            }
            Repeat::Never => false,
        };
        self.check_takeover(allowed, row);
    }

    fn check_takeover(&mut self, allowed: bool, row: &EffectRow) {
        if !allowed {
            self.rule(Rule::TakeoversAreAllowed, || {
                format!(
                    "claim {} of {:?} is {:?}, {:?} old",
                    row.number, row.id.of.event, row.state, row.age
                )
            });
        }
    }

    /// The vendor has accepted a call; so many of this effect were applied by now.
    pub(crate) fn accepts(&mut self, effect: EffectIndex, applied: u32) {
        if applied > 1 {
            self.rule(Rule::EffectsAtMostOnce, || {
                format!("effect {} was applied {applied} times", effect.0)
            });
        }
    }
}
