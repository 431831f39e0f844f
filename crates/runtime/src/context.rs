//! What a handler may do: effects, reads, emits, time.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use argosy_events::{Envelope, Payload};
use argosy_kernel::{Death, claims};
use argosy_outbound::{Call, CallReport, Failure, Recorded, Stack};
use argosy_store::{EffectId, EventKey, Grouped};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::{
    clock,
    emit::{Emits, Emitted},
    journal::{EffectJournal, RunIdentity, Seen, Wanted, store_down},
    timeline::{RunSteps, Steps},
};

/// Effects of one run; a handler that needs more should emit pages.
const EFFECTS_MAX: usize = 1_000;

/// Name and key of an effect within its event.
type Slot = (Arc<str>, Arc<str>);

/// What a handler may do. One per run.
#[derive(Debug)]
pub struct Context {
    worker: &'static str,
    handled: Arc<[&'static str]>,
    envelope: Arc<Envelope>,
    stack: Arc<Stack>,
    store: Grouped,
    run: Arc<RunIdentity>,
    started: SystemTime,
    body_hash: [u8; 32],
    /// What the store holds for this event, loaded before its first effect.
    known: Option<HashMap<Slot, Seen>>,
    /// Request hashes by (name, key), to catch one identity used for two requests.
    used: HashMap<Slot, [u8; 32]>,
    emits: Emits,
    misused: Option<Failure>,
    steps: RunSteps,
    in_call: Arc<AtomicBool>,
}

/// Everything that a context is made of.
#[derive(Debug)]
pub(crate) struct ContextParts {
    pub(crate) worker: &'static str,
    pub(crate) handled: Arc<[&'static str]>,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) stack: Arc<Stack>,
    pub(crate) store: Grouped,
    pub(crate) run: Arc<RunIdentity>,
    pub(crate) steps: RunSteps,
    pub(crate) in_call: Arc<AtomicBool>,
}

impl Context {
    pub(crate) fn new(parts: ContextParts) -> Self {
        Self {
            worker: parts.worker,
            handled: parts.handled,
            envelope: parts.envelope,
            stack: parts.stack,
            store: parts.store,
            run: parts.run,
            started: clock::wall(),
            body_hash: [0; 32],
            known: None,
            used: HashMap::new(),
            emits: Emits::default(),
            misused: None,
            steps: parts.steps,
            in_call: parts.in_call,
        }
    }

    /// The event is decoded: what its effects are bound to is known.
    pub(crate) fn begin(&mut self, body_hash: [u8; 32]) {
        self.body_hash = body_hash;
    }

    /// One effect per (worker, event, `name`, `key`): a recorded success is returned without calling; an unknown
    /// outcome is repeated only as the call's repeat class allows.
    ///
    /// Cancellation: when the run is dropped, a call that was sent runs on and its outcome is recorded.
    ///
    /// # Errors
    ///
    /// The vendor's classified failure; `effect_reused` if this run used the same name and key for another request;
    /// a wait while another run's claim is open, or while the store is down.
    pub async fn effect<T: Recorded>(
        &mut self,
        name: &'static str,
        key: impl ToString + Send,
        call: Call<T>,
    ) -> Result<T, Failure> {
        let id = EffectId {
            of: self.event_key(),
            name: Arc::from(name),
            key: Arc::from(key.to_string()),
        };
        let request = call.request.encode()?;
        self.keep_unique(&id, &request)?;
        let timeout = self.stack.call_timeout(&call.dependency).ok_or_else(|| {
            Failure::dead(
                Death::Misconfigured,
                format!("no dependency `{}` is configured", call.dependency),
            )
        })?;
        let seen = self.known(&id).await?;
        let wanted = Wanted {
            operation: format!("{}/{}", call.dependency, call.operation).into(),
            body_hash: self.body_hash,
            request,
            repeat: call.repeat,
            has_lookup: call.lookup.is_some(),
            hold: timeout + claims::DEADLINE_GRACE,
            id: id.clone(),
        };
        let journal = Arc::new(EffectJournal::new(
            Arc::clone(&self.run),
            wanted,
            seen,
            self.store.clone(),
        ));
        let inside = InCall::enter(&self.in_call);
        let calling = self.stack.effect(call, journal);
        let (result, report) = self.steps.telling(calling).await;
        drop(inside);
        self.report(name, &id.key, &report);
        result
    }

    /// A call that changes nothing; repeated freely.
    ///
    /// # Errors
    ///
    /// The vendor's classified failure.
    pub async fn read<T: Recorded>(&mut self, call: Call<T>) -> Result<T, Failure> {
        let operation = call.operation;
        let inside = InCall::enter(&self.in_call);
        let calling = self.stack.read(call);
        let (result, report) = self.steps.telling(calling).await;
        drop(inside);
        self.report(operation, "", &report);
        result
    }

    /// A read whose answer decides something: journaled, so that a second run decides the same.
    ///
    /// # Errors
    ///
    /// As for [`Context::effect`].
    pub async fn remember<T: Recorded>(
        &mut self,
        name: &'static str,
        key: impl ToString + Send,
        call: Call<T>,
    ) -> Result<T, Failure> {
        let call = Call {
            repeat: claims::Repeat::Natural,
            ..call
        };
        self.effect(name, key, call).await
    }

    /// The time of this run's start.
    pub fn now(&self) -> SystemTime {
        self.started
    }

    /// Publishes after the run is done, before the input settles. A failed run emits nothing.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an emitted event is given away: nothing may change it later"
    )]
    pub fn emit<P: Payload>(&mut self, body: P) {
        if self.handled.contains(&P::TYPE) {
            let message = format!(
                "worker `{}` emits `{}`, which it handles itself: a loop",
                self.worker,
                P::TYPE
            );
            self.misused = Some(Failure::dead(Death::Misconfigured, message));
            return;
        }
        self.emits.push(&self.envelope, self.worker, &body);
    }

    /// The envelope of the event being handled.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Ends the run: its events and its steps, or what it did wrong.
    pub(crate) fn finish(self) -> (Result<Vec<Emitted>, Failure>, RunSteps) {
        (self.misused.map_or(Ok(self.emits.events), Err), self.steps)
    }

    fn event_key(&self) -> EventKey {
        EventKey {
            worker: Arc::from(self.worker),
            source: Arc::clone(&self.envelope.source),
            event: Arc::clone(&self.envelope.id),
        }
    }

    fn keep_unique(&mut self, id: &EffectId, request: &[u8]) -> Result<(), Failure> {
        let hash: [u8; 32] = Sha256::digest(request).into();
        let slot = (Arc::clone(&id.name), Arc::clone(&id.key));
        if self.used.len() >= EFFECTS_MAX && !self.used.contains_key(&slot) {
            return Err(Failure::dead(
                Death::Refused,
                format!("a run makes at most {EFFECTS_MAX} effects"),
            ));
        }
        match self.used.insert(slot, hash) {
            Some(before) if before != hash => {
                let message = format!(
                    "effect {}/{} was used for two requests within one run",
                    id.name, id.key
                );
                Err(Failure::dead(Death::EffectReused, message))
            }
            _ => Ok(()),
        }
    }

    /// The row of this effect, if the store has one. All rows of the event are loaded at once, before its first
    /// effect; a run without effects asks the store nothing.
    async fn known(&mut self, id: &EffectId) -> Result<Option<Seen>, Failure> {
        if self.known.is_none() {
            let asked = Instant::now();
            let recalling = self.store.recall(id.of.clone());
            let rows = self
                .steps
                .telling(recalling)
                .await
                .map_err(|error| store_down(&error))?;
            let by_slot = rows.into_iter().map(|row| {
                (
                    (Arc::clone(&row.id.name), Arc::clone(&row.id.key)),
                    Seen { row, asked },
                )
            });
            self.known = Some(by_slot.collect());
        }
        let slot = (Arc::clone(&id.name), Arc::clone(&id.key));
        Ok(self.known.as_mut().and_then(|known| known.remove(&slot)))
    }

    fn report(&mut self, name: &str, key: &str, report: &CallReport) {
        let call = Steps::call(name, key, report);
        self.steps.push(call, Instant::now());
    }
}

/// Marks the run as being inside a vendor call for as long as it lives.
struct InCall<'a>(&'a AtomicBool);

impl<'a> InCall<'a> {
    fn enter(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Relaxed);
        Self(flag)
    }
}

impl Drop for InCall<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
