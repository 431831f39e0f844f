//! The vendors as the instances meet them. The judge sees every sending and every acceptance.

use std::time::Duration;

use argosy_testkit::vendor::{Answer, Reference};

use super::World;
use crate::simulation::{
    event::{CallId, Event, Incoming, InstanceId, Outgoing, RunId},
    plan::{CALL_TIMEOUT, EffectIndex},
};

impl World {
    /// A call goes out. It reaches the vendor before its timeout or never.
    pub(super) fn send_call(&mut self, from: InstanceId, call: CallId, effect: EffectIndex) {
        let now = self.now();
        self.judge.sends(effect, now);
        let on_the_way = self.vendor_latency().min(CALL_TIMEOUT / 2);
        self.agenda.add(
            now.plus(on_the_way),
            Event::Arrives(from, Outgoing::Call { call, effect }),
        );
        self.agenda.add(
            now.plus(CALL_TIMEOUT),
            Event::Hears(from, Incoming::CallTimedOut(call)),
        );
    }

    /// A call arrives.
    pub(super) fn reach_vendor(&mut self, from: InstanceId, call: CallId, effect: EffectIndex) {
        let now = self.now();
        let repeat = self.plan.effect(effect).repeat;
        let accepted = self.vendor.receipts().len();
        let answer = self.vendor.call(reference(effect), repeat, now);
        if let Some(receipt) = self.vendor.receipts().get(accepted) {
            let recognised = receipt.effect == argosy_testkit::vendor::Effect::Repeated;
            self.coverage.repeats_recognised += u64::from(recognised);
            self.coverage.answers_lost += u64::from(answer == Answer::Nothing);
        }
        self.note_of(from, "vendor is called for effect", i64::from(effect.0));
        self.judge
            .accepts(effect, self.vendor.applied(reference(effect)));
        if answer != Answer::Nothing {
            let back = self.vendor_latency();
            self.agenda.add(
                now.plus(back),
                Event::Hears(from, Incoming::CallAnswered(call, answer)),
            );
        }
    }

    /// A lookup arrives.
    pub(super) fn reach_lookup(&mut self, from: InstanceId, run: RunId, effect: EffectIndex) {
        let fails = self.network.chance(self.weather.vendor.failed_before);
        let found = (!fails).then(|| self.vendor.look_up(reference(effect)));
        self.coverage.effects_looked_up += u64::from(found == Some(true));
        let back = self.now().plus(self.latency());
        self.agenda
            .add(back, Event::Hears(from, Incoming::LookedUp(run, found)));
    }

    /// Vendors are slower than our own parts, and sometimes slower than any timeout.
    fn vendor_latency(&mut self) -> Duration {
        let longest = if self.network.chance(self.weather.vendor_slow) {
            CALL_TIMEOUT * 2
        } else {
            Duration::from_millis(60)
        };
        self.network.span(Duration::from_millis(1), longest)
    }
}

/// The effect as the vendor knows it.
pub(crate) fn reference(effect: EffectIndex) -> Reference {
    Reference(u64::from(effect.0))
}
