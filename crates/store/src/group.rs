//! Group commit: single claims, outcomes and recalls, asked for concurrently, go to the store as batches.
//!
//! What is asked while the statements of its kind are out waits and goes out together with the next one. An item
//! that was taken in is sent, whether or not its caller still waits; a caller that goes away harms nobody.
//!
//! A claim waits here too: whoever limits how long a grant may be used counts from before the call, not from its
//! answer.

use std::{fmt, sync::Arc};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use metrics::histogram;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::task::TaskTracker;

use crate::{
    Claim, ClaimAnswer, EffectRow, EventKey, LoadedRow, OutcomeRow, ParkAnswer, ParkChange,
    ParkLoad, Store, StoreError,
};

/// A batch has at most this many items.
pub const GROUP_ITEMS_MAX: usize = 256;

/// At most this many items of a kind wait; the next one is refused as unavailable.
pub const QUEUE_ITEMS_MAX: usize = 4_096;

/// At most this many batches of a kind are at the store.
pub const BATCHES_IN_FLIGHT_MAX: usize = 2;

/// The store as a run uses it: one item at a time, grouped behind its back. Its tasks end with its last clone.
#[derive(Clone)]
pub struct Grouped {
    claims: Queue<Claims>,
    outcomes: Queue<Outcomes>,
    recalls: Queue<Recalls>,
    parks: Queue<Parks>,
    loads: Queue<Loads>,
}

impl fmt::Debug for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grouped")
            .field("claims_waiting", &self.claims.waiting())
            .field("outcomes_waiting", &self.outcomes.waiting())
            .field("recalls_waiting", &self.recalls.waiting())
            .finish_non_exhaustive()
    }
}

impl Grouped {
    /// Starts a task per kind on the tracker.
    pub fn start(store: Arc<dyn Store>, tracker: &TaskTracker) -> Self {
        Self {
            claims: Queue::start(Arc::clone(&store), tracker),
            outcomes: Queue::start(Arc::clone(&store), tracker),
            recalls: Queue::start(Arc::clone(&store), tracker),
            parks: Queue::start(Arc::clone(&store), tracker),
            loads: Queue::start(store, tracker),
        }
    }

    /// Claims one effect.
    pub async fn claim(&self, claim: Claim) -> Result<ClaimAnswer, StoreError> {
        claim.check()?;
        self.claims.ask(claim).await
    }

    /// Records one outcome.
    pub async fn record(&self, outcome: OutcomeRow) -> Result<(), StoreError> {
        outcome.check()?;
        self.outcomes.ask(outcome).await
    }

    /// All effects of one event.
    pub async fn recall(&self, event: EventKey) -> Result<Vec<EffectRow>, StoreError> {
        self.recalls.ask(event).await
    }

    /// Changes the parked rows of one partition. Two changes of one partition must not be out at once.
    pub async fn park(&self, change: ParkChange) -> Result<ParkAnswer, StoreError> {
        change.check()?;
        self.parks.ask(change).await
    }

    /// The oldest rows of one parked lane.
    pub async fn load_parked(&self, load: ParkLoad) -> Result<Vec<LoadedRow>, StoreError> {
        self.loads.ask(load).await
    }
}

/// What can be grouped: how a batch of it is sent.
trait Kind: Send + Sync + 'static {
    const OPERATION: &'static str;
    type Item: Send + 'static;
    type Answer: Send + 'static;

    /// One answer per item, in the order asked.
    fn send(
        store: &dyn Store,
        items: Vec<Self::Item>,
    ) -> BoxFuture<'_, Result<Vec<Self::Answer>, StoreError>>;
}

struct Claims;

impl Kind for Claims {
    const OPERATION: &'static str = "claim";
    type Item = Claim;
    type Answer = ClaimAnswer;

    fn send(
        store: &dyn Store,
        items: Vec<Claim>,
    ) -> BoxFuture<'_, Result<Vec<ClaimAnswer>, StoreError>> {
        store.claim(items)
    }
}

struct Outcomes;

impl Kind for Outcomes {
    const OPERATION: &'static str = "record";
    type Item = OutcomeRow;
    type Answer = ();

    fn send(
        store: &dyn Store,
        items: Vec<OutcomeRow>,
    ) -> BoxFuture<'_, Result<Vec<()>, StoreError>> {
        Box::pin(async move {
            let answers = vec![(); items.len()];
            store.record(items).await?;
            Ok(answers)
        })
    }
}

struct Recalls;

impl Kind for Recalls {
    const OPERATION: &'static str = "recall";
    type Item = EventKey;
    type Answer = Vec<EffectRow>;

    fn send(
        store: &dyn Store,
        items: Vec<EventKey>,
    ) -> BoxFuture<'_, Result<Vec<Vec<EffectRow>>, StoreError>> {
        store.recall(items)
    }
}

struct Parks;

impl Kind for Parks {
    const OPERATION: &'static str = "park";
    type Item = ParkChange;
    type Answer = ParkAnswer;

    fn send(
        store: &dyn Store,
        items: Vec<ParkChange>,
    ) -> BoxFuture<'_, Result<Vec<ParkAnswer>, StoreError>> {
        store.park(items)
    }
}

struct Loads;

impl Kind for Loads {
    const OPERATION: &'static str = "load_parked";
    type Item = ParkLoad;
    type Answer = Vec<LoadedRow>;

    fn send(
        store: &dyn Store,
        items: Vec<ParkLoad>,
    ) -> BoxFuture<'_, Result<Vec<Vec<LoadedRow>>, StoreError>> {
        store.load_parked(items)
    }
}

/// An item and who waits for its answer.
struct Waiting<K: Kind> {
    item: K::Item,
    caller: oneshot::Sender<Result<K::Answer, StoreError>>,
}

/// The way in for one kind.
struct Queue<K: Kind> {
    items: mpsc::Sender<Waiting<K>>,
}

impl<K: Kind> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self {
            items: self.items.clone(),
        }
    }
}

impl<K: Kind> Queue<K> {
    fn start(store: Arc<dyn Store>, tracker: &TaskTracker) -> Self {
        let (items, queue) = mpsc::channel(QUEUE_ITEMS_MAX);
        tracker.spawn(send_groups::<K>(store, queue));
        Self { items }
    }

    async fn ask(&self, item: K::Item) -> Result<K::Answer, StoreError> {
        let (caller, answer) = oneshot::channel();
        self.items
            .try_send(Waiting { item, caller })
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => StoreError::Unavailable(format!(
                    "{QUEUE_ITEMS_MAX} items to {} wait for it already",
                    K::OPERATION
                )),
                mpsc::error::TrySendError::Closed(_) => task_ended(),
            })?;
        answer.await.unwrap_or_else(|_| Err(task_ended()))
    }

    fn waiting(&self) -> usize {
        self.items.max_capacity() - self.items.capacity()
    }
}

fn task_ended() -> StoreError {
    StoreError::Unavailable("the task that groups for it has ended".to_owned())
}

/// Takes what waits whenever fewer than the allowed batches are out; ends when the last handle is gone and all is
/// sent. Neither arm starves the other: answers free a place, and a free place is what lets items be taken.
async fn send_groups<K: Kind>(store: Arc<dyn Store>, mut queue: mpsc::Receiver<Waiting<K>>) {
    let mut in_flight = FuturesUnordered::new();
    let mut is_open = true;
    while is_open || !in_flight.is_empty() {
        let mut group = Vec::new();
        tokio::select! {
            Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
            taken = queue.recv_many(&mut group, GROUP_ITEMS_MAX),
                if is_open && in_flight.len() < BATCHES_IN_FLIGHT_MAX =>
            {
                is_open = taken > 0;
                if is_open {
                    in_flight.push(send_group::<K>(&*store, group));
                }
            }
        }
    }
}

async fn send_group<K: Kind>(store: &dyn Store, group: Vec<Waiting<K>>) {
    let (items, callers): (Vec<_>, Vec<_>) = group
        .into_iter()
        .map(|waiting| (waiting.item, waiting.caller))
        .unzip();
    let started = Instant::now();
    let answered = K::send(store, items).await;
    let seconds = started.elapsed().as_secs_f64();
    histogram!("argosy_store_operation_seconds", "operation" => K::OPERATION).record(seconds);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a group is far below 2^52 items"
    )]
    histogram!("argosy_store_group_size", "operation" => K::OPERATION).record(callers.len() as f64);

    let answered = answered.and_then(|answers| {
        if answers.len() == callers.len() {
            return Ok(answers);
        }
        Err(StoreError::Unreadable(format!(
            "{} answers to {} items to {}",
            answers.len(),
            callers.len(),
            K::OPERATION
        )))
    });
    match answered {
        Ok(answers) => {
            for (caller, answer) in callers.into_iter().zip(answers) {
                // A caller that went away needs no answer; what it asked for is done.
                caller.send(Ok(answer)).ok();
            }
        }
        Err(error) => {
            for caller in callers {
                caller.send(Err(error.clone())).ok();
            }
        }
    }
}
