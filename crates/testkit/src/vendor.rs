//! The model vendor: it accepts calls, recognises repeats as its class promises, and keeps a receipt of each.
//!
//! A receipt is written at the moment of acceptance, whatever becomes of the answer: it is the truth about what
//! happened in the world, and no party under test can touch it.

use std::{collections::BTreeMap, time::Duration};

use argosy_kernel::{
    Time,
    claims::{REMEMBERED_MARGIN, Repeat},
};

use crate::random::Random;

/// A vendor forgets a key so much later than it is trusted to know it: long before it promised.
const FORGETS_AFTER: Duration = Duration::from_secs(30);

/// What identifies an effect at the vendor: both our reference in the body and the idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(pub u64);

/// What an accepted call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changed something.
    Applied,
    /// The vendor recognised it and changed nothing.
    Repeated,
}

/// The vendor's own record of a call it accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// When it was accepted.
    pub at: Time,
    /// Of which effect.
    pub reference: Reference,
    /// What it did.
    pub effect: Effect,
}

/// How a call ends for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It happened (now or earlier).
    Happened,
    /// The vendor says that it did nothing (503).
    NotExecuted,
    /// The vendor fails without saying what it did (500).
    Ambiguous,
    /// Nothing comes back: the connection is cut or the answer is later than any timeout.
    Nothing,
}

/// How often, in a thousand calls, each fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// 503 before anything is done.
    pub not_executed: u64,
    /// 500 before anything is done.
    pub failed_before: u64,
    /// 500 after it was done.
    pub failed_after: u64,
    /// The connection is cut before the call is read.
    pub cut_before: u64,
    /// The connection is cut after it was done.
    pub cut_after: u64,
}

/// What may go wrong with a call; the rates above, by name.
#[derive(Clone, Copy, Debug)]
enum Fault {
    NotExecuted,
    FailedBefore,
    FailedAfter,
    CutBefore,
    CutAfter,
}

/// A vendor that keeps receipts.
#[derive(Debug)]
pub struct ModelVendor {
    random: Random,
    rates: FaultRates,
    receipts: Vec<Receipt>,
    known: BTreeMap<Reference, Known>,
}

/// What the vendor holds of one effect.
#[derive(Clone, Copy, Debug)]
struct Known {
    last_applied: Time,
    applied: u32,
}

impl ModelVendor {
    /// A vendor without faults; `random` decides where they strike once there are some.
    pub fn new(random: Random) -> Self {
        Self {
            random,
            rates: FaultRates::default(),
            receipts: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// From now on faults strike so often.
    pub fn set_faults(&mut self, rates: FaultRates) {
        self.rates = rates;
    }

    /// A call arrives.
    pub fn call(&mut self, reference: Reference, repeat: Repeat, now: Time) -> Answer {
        let fault = self.draw_fault();
        if !matches!(
            fault,
            Some(Fault::NotExecuted | Fault::FailedBefore | Fault::CutBefore)
        ) {
            self.accept(reference, repeat, now);
        }
        match fault {
            None => Answer::Happened,
            Some(Fault::NotExecuted) => Answer::NotExecuted,
            Some(Fault::FailedBefore | Fault::FailedAfter) => Answer::Ambiguous,
            Some(Fault::CutBefore | Fault::CutAfter) => Answer::Nothing,
        }
    }

    /// Does the vendor know of this effect?
    pub fn look_up(&self, reference: Reference) -> bool {
        self.known.contains_key(&reference)
    }

    /// How many times this effect was applied.
    pub fn applied(&self, reference: Reference) -> u32 {
        self.known.get(&reference).map_or(0, |known| known.applied)
    }

    /// Everything it accepted, oldest first.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    fn draw_fault(&mut self) -> Option<Fault> {
        let rates = self.rates;
        let mut drawn = self.random.below(1_000);
        for (fault, rate) in [
            (Fault::NotExecuted, rates.not_executed),
            (Fault::FailedBefore, rates.failed_before),
            (Fault::FailedAfter, rates.failed_after),
            (Fault::CutBefore, rates.cut_before),
            (Fault::CutAfter, rates.cut_after),
        ] {
            if drawn < rate {
                return Some(fault);
            }
            drawn -= rate;
        }
        None
    }

    fn accept(&mut self, reference: Reference, repeat: Repeat, now: Time) {
        let known = self.known.get(&reference).copied();
        let recognised = known.is_some_and(|known| match repeat {
            Repeat::Natural => true,
            // The worst vendor that keeps its word as far as it is trusted: it forgets within the margin.
            Repeat::Remembered(memory) => {
                now.since(known.last_applied)
                    <= memory.saturating_sub(REMEMBERED_MARGIN) + FORGETS_AFTER
            }
            Repeat::Never => false,
        });
        let effect = if recognised {
            Effect::Repeated
        } else {
            self.known.insert(
                reference,
                Known {
                    last_applied: now,
                    applied: known.map_or(0, |known| known.applied) + 1,
                },
            );
            Effect::Applied
        };
        self.receipts.push(Receipt {
            at: now,
            reference,
            effect,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const EFFECT: Reference = Reference(1);

    fn at(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }

    #[test]
    fn each_class_treats_a_repeat_as_it_promises() {
        let day = Duration::from_secs(24 * 3_600);
        for (repeat, applied) in [
            (Repeat::Natural, 1),
            (Repeat::Remembered(day), 1),
            (Repeat::Never, 2),
        ] {
            let mut vendor = ModelVendor::new(Random::new(1));
            vendor.call(EFFECT, repeat, at(0));
            vendor.call(EFFECT, repeat, at(60));
            assert_eq!(vendor.applied(EFFECT), applied, "{repeat:?}");
            assert_eq!(vendor.receipts().len(), 2);
        }
    }

    #[test]
    fn a_remembered_key_is_forgotten_within_the_margin() {
        let mut vendor = ModelVendor::new(Random::new(1));
        let remembered = Repeat::Remembered(Duration::from_secs(2 * 3_600));
        vendor.call(EFFECT, remembered, at(0));
        vendor.call(EFFECT, remembered, at(2 * 3_600 - 60));
        assert_eq!(vendor.applied(EFFECT), 2);
    }

    #[test]
    fn a_call_cut_after_accepting_leaves_a_receipt_and_one_cut_before_does_not() {
        for (rates, accepted) in [
            (
                FaultRates {
                    cut_after: 1_000,
                    ..FaultRates::default()
                },
                true,
            ),
            (
                FaultRates {
                    cut_before: 1_000,
                    ..FaultRates::default()
                },
                false,
            ),
        ] {
            let mut vendor = ModelVendor::new(Random::new(1));
            vendor.set_faults(rates);
            assert_eq!(vendor.call(EFFECT, Repeat::Never, at(0)), Answer::Nothing);
            assert_eq!(vendor.look_up(EFFECT), accepted);
        }
    }
}
