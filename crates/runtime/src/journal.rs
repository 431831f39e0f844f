//! One effect of one run, as the outbound stack's recall and claim layers see it: identity, claim, outcome.
//!
//! Invariant: bytes are handed out for sending only under a claim that the store granted to this run, fenced by the
//! epoch of the partition's owner; what an existing claim allows is `argosy_kernel::claims::decide`'s word alone.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use argosy_kernel::{
    Epoch, Waiting,
    claims::{self, Decision as Allowed, Found, FoundState, Repeat},
};
use argosy_outbound::{Admission, Decision, Failure, Journal, Outcome, Recall};
use argosy_store::{
    Claim, ClaimAnswer, EffectId, EffectRow, EffectState, Grouped, OutcomeRow, OwnerKey,
    RecordedOutcome, StoreError,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use uuid::Uuid;

use crate::telemetry;

/// Namespace of idempotency keys: UUIDv5 of (worker, source, id, name, key), each with its length before it.
const IDEMPOTENCY: Uuid = Uuid::from_u128(0x6f1c_9d2e_51b7_5d0b_9a43_1f0e_7c55_a210);

/// How often one claim may find a changed row before the lane waits instead.
const CLAIM_ROUNDS_MAX: u32 = 4;

/// How often the store is asked for one claim before the lane waits for it instead.
const CLAIM_TRIES_MAX: u32 = 5;

/// Wait before the store is tried again.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// What is common to all effects of a run.
#[derive(Debug)]
pub(crate) struct RunIdentity {
    pub(crate) owner: OwnerKey,
    pub(crate) epoch: Epoch,
    pub(crate) run: Uuid,
}

/// What is being asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) id: EffectId,
    pub(crate) body_hash: [u8; 32],
    pub(crate) operation: Arc<str>,
    pub(crate) request: Bytes,
    pub(crate) repeat: Repeat,
    pub(crate) has_lookup: bool,
    /// From grant to deadline: the call's timeout and a grace.
    pub(crate) hold: Duration,
}

/// See the module page.
#[derive(Debug)]
pub(crate) struct EffectJournal {
    run: Arc<RunIdentity>,
    wanted: Wanted,
    store: Grouped,
    state: Mutex<State>,
}

/// A row as the store told it, and a moment before it was asked: since then the row has aged.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) row: EffectRow,
    pub(crate) asked: Instant,
}

#[derive(Debug)]
struct State {
    /// The row as it was last seen.
    seen: Option<Seen>,
    /// The number of this run's newest claim.
    number: Option<i64>,
}

impl EffectJournal {
    pub(crate) fn new(
        run: Arc<RunIdentity>,
        wanted: Wanted,
        seen: Option<Seen>,
        store: Grouped,
    ) -> Self {
        Self {
            run,
            wanted,
            store,
            state: Mutex::new(State { seen, number: None }),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an existing row allows; for an expired open claim also whether this is a takeover.
    ///
    /// A process may have stood still since it read the row, so the effect's age is counted on.
    fn allowed(&self, Seen { row, asked }: &Seen) -> (Allowed, bool) {
        let own = row.run == self.run.run;
        let state = match row.state {
            EffectState::Succeeded(_) => FoundState::Succeeded,
            EffectState::Released => FoundState::Released,
            EffectState::Open(remaining) => FoundState::Open {
                own,
                remaining,
                age: row.age + asked.elapsed(),
            },
        };
        let found = Found {
            same_body: row.body_hash == self.wanted.body_hash,
            state,
        };
        let takeover = matches!(row.state, EffectState::Open(None)) && !own;
        (
            claims::decide(found, self.wanted.repeat, self.wanted.has_lookup),
            takeover,
        )
    }

    async fn claim_rounds(&self) -> Result<Admission, Failure> {
        let mut seen = self.state().seen.clone();
        for _ in 0..CLAIM_ROUNDS_MAX {
            let mut takeover = false;
            let mut over = None;
            // Given up, it is known not to have happened: this try is not a repeat of anything.
            let released = matches!(&seen, Some(seen) if seen.row.state == EffectState::Released);
            if let Some(last) = &seen {
                let row = &last.row;
                let (allowed, expired) = self.allowed(last);
                match allowed {
                    Allowed::Claim => {
                        takeover = expired;
                        over = (row.run != self.run.run || row.state == EffectState::Released)
                            .then_some(row.number);
                    }
                    other => return self.admission(other, row),
                }
            }
            let (asked, answer) = self.ask(over).await?;
            match answer {
                ClaimAnswer::Granted { number, request } => {
                    if takeover {
                        telemetry::claim_taken_over(&self.wanted.id, number);
                    }
                    let mut state = self.state();
                    state.number = Some(number);
                    state.seen = None;
                    return Ok(Admission::Send {
                        request,
                        sendable_until: (asked + claims::SENDABLE_FOR).into_std(),
                        repeat: number > 1 && !released,
                    });
                }
                ClaimAnswer::Found(row) => {
                    seen = Some(Seen { row, asked });
                    self.state().seen.clone_from(&seen);
                }
                ClaimAnswer::Fenced => {
                    return Err(Failure::new(
                        Decision::Fenced,
                        "another instance owns the partition by now",
                    ));
                }
            }
        }
        Err(waits(claims::CLAIMED_RECHECK))
    }

    /// Asks the store, patiently: a claim that was granted and not answered belongs to this run alone, and another
    /// run would have to wait for its deadline. With the answer comes the moment before it was asked: the grant cannot
    /// be older than that.
    async fn ask(&self, over: Option<i64>) -> Result<(Instant, ClaimAnswer), Failure> {
        let mut tries = 1;
        loop {
            let asked = Instant::now();
            match self.store.claim(self.claim_of(over)).await {
                Ok(answer) => return Ok((asked, answer)),
                Err(StoreError::Unavailable(_)) if tries < CLAIM_TRIES_MAX => {
                    tries += 1;
                    tokio::time::sleep(STORE_RETRY).await;
                }
                Err(error) => return Err(store_down(&error)),
            }
        }
    }

    /// What any decision but `Claim` comes to.
    fn admission(&self, allowed: Allowed, row: &EffectRow) -> Result<Admission, Failure> {
        match allowed {
            Allowed::Return => match &row.state {
                EffectState::Succeeded(answer) => Ok(Admission::Succeeded(answer.clone())),
                EffectState::Released | EffectState::Open(_) => Err(waits(claims::CLAIMED_RECHECK)),
            },
            Allowed::Claim => Err(waits(claims::CLAIMED_RECHECK)),
            Allowed::Wait(wait) => Err(waits(wait)),
            Allowed::LookUp => {
                self.state().number = Some(row.number);
                Ok(Admission::LookUp)
            }
            Allowed::Dead(cause) => {
                let EffectId { name, key, .. } = &self.wanted.id;
                Err(Failure::dead(
                    cause,
                    format!("effect {name}/{key}: {}", death_of(cause)),
                ))
            }
        }
    }

    fn claim_of(&self, over: Option<i64>) -> Claim {
        Claim {
            id: self.wanted.id.clone(),
            owner: self.run.owner.clone(),
            epoch: self.run.epoch,
            run: self.run.run,
            body_hash: self.wanted.body_hash,
            operation: Arc::clone(&self.wanted.operation),
            request: self.wanted.request.clone(),
            hold: self.wanted.hold,
            over,
        }
    }
}

impl Journal for EffectJournal {
    fn idempotency_key(&self) -> Uuid {
        idempotency_key(&self.wanted.id)
    }

    fn recall(&self) -> BoxFuture<'_, Result<Recall, Failure>> {
        Box::pin(async move {
            let Some(seen) = self.state().seen.clone() else {
                return Ok(Recall::Unknown);
            };
            let (allowed, _) = self.allowed(&seen);
            match allowed {
                Allowed::Return | Allowed::Dead(argosy_kernel::Death::IdentityReused) => {}
                // An open claim is looked at by the claim layer, behind limiter and breaker.
                _ => return Ok(Recall::Unknown),
            }
            match self.admission(allowed, &seen.row)? {
                Admission::Succeeded(answer) => Ok(Recall::Succeeded(answer)),
                Admission::Send { .. } | Admission::LookUp => Ok(Recall::Unknown),
            }
        })
    }

    fn claim(&self) -> BoxFuture<'_, Result<Admission, Failure>> {
        Box::pin(self.claim_rounds())
    }

    fn record(&self, outcome: Outcome) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            let Some(number) = self.state().number else {
                return Ok(());
            };
            let outcome = match outcome {
                Outcome::Succeeded(answer) => RecordedOutcome::Succeeded(answer),
                Outcome::NotHappened => RecordedOutcome::NotHappened,
            };
            let row = OutcomeRow {
                id: self.wanted.id.clone(),
                number,
                outcome,
            };
            self.store
                .record(row)
                .await
                .map_err(|error| store_down(&error))
        })
    }
}

/// UUIDv5 of exactly the effect's identity; each part has its length before it, so no two identities share a name.
pub(crate) fn idempotency_key(id: &EffectId) -> Uuid {
    let mut name = Vec::new();
    for part in [
        &id.of.worker,
        &id.of.source,
        &id.of.event,
        &id.name,
        &id.key,
    ] {
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&IDEMPOTENCY, &name)
}

/// The store's faults are a dependency's, except for what it will never take.
pub(crate) fn store_down(error: &StoreError) -> Failure {
    match error {
        StoreError::TooLarge { .. } => {
            Failure::dead(argosy_kernel::Death::Refused, error.to_string())
        }
        StoreError::Unavailable(_) | StoreError::Schema { .. } | StoreError::Unreadable(_) => {
            Failure::new(
                Decision::Wait(Waiting::Dependency("store".into()), STORE_RETRY),
                error.to_string(),
            )
        }
    }
}

fn waits(wait: Duration) -> Failure {
    Failure::new(
        Decision::Wait(Waiting::Claimed, wait),
        "an earlier run, here or elsewhere, holds the claim and has not said what came of its call",
    )
}

fn death_of(cause: argosy_kernel::Death) -> &'static str {
    match cause {
        argosy_kernel::Death::IdentityReused => "the same event identity came with another body",
        argosy_kernel::Death::Ambiguous => {
            "whether an earlier call happened cannot be found out; resolve it with `argosy effects resolve`"
        }
        _ => "not allowed",
    }
}

#[cfg(test)]
mod tests {
    use argosy_kernel::Death;
    use argosy_store::EventKey;
    use argosy_testkit::store::SharedModelStore;
    use tokio_util::task::TaskTracker;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_row_ages_while_the_process_stands_still() {
        let id = EffectId {
            of: EventKey {
                worker: Arc::from("orders"),
                source: Arc::from("shop"),
                event: Arc::from("1"),
            },
            name: Arc::from("draft"),
            key: Arc::from("acme"),
        };
        let run = RunIdentity {
            owner: OwnerKey {
                worker: Arc::from("orders"),
                topic: Arc::from("orders"),
                partition: 0,
            },
            epoch: Epoch(1),
            run: Uuid::from_u128(1),
        };
        let wanted = Wanted {
            id: id.clone(),
            body_hash: [0; 32],
            operation: Arc::from("acme/draft"),
            request: Bytes::new(),
            repeat: Repeat::Remembered(120 * MINUTE),
            has_lookup: false,
            hold: MINUTE,
        };
        let row = EffectRow {
            id,
            number: 1,
            run: Uuid::from_u128(2),
            body_hash: [0; 32],
            operation: Arc::from("acme/draft"),
            request: Bytes::new(),
            state: EffectState::Open(None),
            age: 30 * MINUTE,
        };
        let seen = Seen {
            row,
            asked: Instant::now(),
        };
        let store = Grouped::start(Arc::new(SharedModelStore::new()), &TaskTracker::new());
        let journal = EffectJournal::new(Arc::new(run), wanted, Some(seen.clone()), store);
        assert_eq!(journal.allowed(&seen), (Allowed::Claim, true));
        // The vendor's memory is trusted for an hour less than it promises.
        tokio::time::advance(30 * MINUTE).await;
        assert_eq!(
            journal.allowed(&seen),
            (Allowed::Dead(Death::Ambiguous), true)
        );
    }
}
