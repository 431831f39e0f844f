//! The store suite: what every store must do, as cases that run on the model and on real databases alike.
//!
//! A case names everything after its own salt, so cases and runs share a database without meeting. It panics when
//! the store breaks a rule.

mod agreement;
mod claims;
mod expect;
mod held;
mod hostile;
mod letters;
mod outcomes;
mod owners;
mod parked;
mod replays;
mod resolutions;
mod suspects;
mod timelines;

use std::{fmt, sync::Arc, time::Duration};

use argosy_kernel::Epoch;
use argosy_store::{Claim, EffectId, EventKey, OutcomeRow, OwnerKey, RecordedOutcome, Store};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use uuid::Uuid;

pub use agreement::agree;

/// One rule, tried on a store.
#[derive(Clone, Copy)]
pub struct Case {
    /// The rule, as a sentence.
    pub name: &'static str,
    run: for<'a> fn(&'a World<'a>) -> BoxFuture<'a, ()>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Case {
    /// Tries it; panics if the store breaks the rule.
    pub async fn run(&self, store: &dyn Store, salt: Uuid) {
        let world = World { store, salt };
        (self.run)(&world).await;
    }
}

/// All cases.
pub fn cases() -> Vec<Case> {
    [
        owners::CASES,
        claims::CASES,
        outcomes::CASES,
        parked::CASES,
        suspects::CASES,
        held::CASES,
        letters::CASES,
        replays::CASES,
        resolutions::CASES,
        timelines::CASES,
        hostile::CASES,
    ]
    .concat()
}

/// A list of cases by their functions' names.
macro_rules! list {
    ($($case:ident),+ $(,)?) => {
        /// The cases of this file.
        pub(super) const CASES: &[super::Case] = &[
            $(super::Case {
                name: stringify!($case),
                run: |world| Box::pin($case(world)),
            }),+
        ];
    };
}
use list;

/// Longer than any case takes.
const LONG: Duration = Duration::from_secs(3_600);

/// A claim that has expired when it is granted.
const EXPIRED: Duration = Duration::ZERO;

/// A case's corner of the store.
struct World<'a> {
    store: &'a dyn Store,
    salt: Uuid,
}

impl World<'_> {
    fn owner(&self, partition: i32) -> OwnerKey {
        OwnerKey {
            worker: self.named("orders"),
            topic: Arc::from("orders.v1"),
            partition,
        }
    }

    fn event(&self, event: &str) -> EventKey {
        EventKey {
            worker: self.named("orders"),
            source: self.named("shop"),
            event: Arc::from(event),
        }
    }

    fn effect(&self, event: &str, key: &str) -> EffectId {
        EffectId {
            of: self.event(event),
            name: Arc::from("draft"),
            key: Arc::from(key),
        }
    }

    /// A fresh claim by `run` at epoch 1 of partition 0.
    fn claim(&self, event: &str, run: u128) -> Claim {
        Claim {
            id: self.effect(event, "north"),
            owner: self.owner(0),
            epoch: Epoch(1),
            run: Uuid::from_u128(run),
            body_hash: [7; 32],
            operation: Arc::from("north.draft"),
            request: Bytes::from(format!("request of run {run}")),
            hold: LONG,
            over: None,
        }
    }

    fn named(&self, name: &str) -> Arc<str> {
        Arc::from(format!("{name}-{}", self.salt))
    }

    /// Takes partition 0 and expects the first epoch.
    async fn own(&self) {
        let epochs = self
            .store
            .take_owners(self.salt, vec![self.owner(0)])
            .await
            .expect("a partition can be taken");
        assert_eq!(epochs, [Epoch(1)]);
    }
}

fn succeeded(id: EffectId, number: i64, answer: &'static str) -> OutcomeRow {
    OutcomeRow {
        id,
        number,
        outcome: RecordedOutcome::Succeeded(Bytes::from_static(answer.as_bytes())),
    }
}

fn not_happened(id: EffectId, number: i64) -> OutcomeRow {
    OutcomeRow {
        id,
        number,
        outcome: RecordedOutcome::NotHappened,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SharedModelStore;

    #[tokio::test]
    async fn the_model_keeps_every_rule() {
        let store = SharedModelStore::new();
        for (number, case) in cases().into_iter().enumerate() {
            case.run(&store, Uuid::from_u128(number as u128)).await;
        }
    }

    #[tokio::test]
    async fn the_model_agrees_with_itself() {
        let store = SharedModelStore::new();
        for seed in 0..50 {
            agree(&store, Uuid::from_u128(u128::from(seed)), seed, 100).await;
        }
    }
}
