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

    /// A claim arrives that wants to take this row over.
    pub(crate) fn takes_over(&mut self, claim: &Claim, row: &EffectRow, plan: &Plan) {
        let as_seen = claim.over == Some(row.number) && claim.run != row.run;
        let allowed = match &row.state {
            EffectState::Open(_) if !as_seen => true,
            EffectState::Open(Some(_)) => false,
            EffectState::Open(None) => match plan.repeat_of(&claim.id) {
                Repeat::Natural => true,
                Repeat::Remembered(memory) => {
                    row.age < memory.saturating_sub(REMEMBERED_MARGIN) + ARRIVES_WITHIN
                }
                Repeat::Never => false,
            },
            EffectState::Succeeded(_) | EffectState::Released => true,
        };
        if !allowed {
            self.rule(Rule::TakeoversAreAllowed, || {
                format!(
                    "claim {} of {:?} is {:?}",
                    row.number, row.id.of.event, row.state
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
