//! Group commit in front of a store that answers only when told to.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use argosy_kernel::Epoch;
use argosy_store::{
    AuditRow, BATCHES_IN_FLIGHT_MAX, Claim, ClaimAnswer, DueStep, EffectId, EffectRow, EffectState,
    EventKey, EventStatus, FoundParked, GROUP_ITEMS_MAX, Grouped, LeftRunning, Letter, LetterId,
    LetterQuestion, LetterRow, LoadedRow, OutcomeRow, OwnerKey, ParkAnswer, ParkChange, ParkLoad,
    PlanStepAnswer, PlanStepKind, QUEUE_ITEMS_MAX, RecordedOutcome, Resolution, Resolved, Store,
    StoreError, TimelinePlace, TimelineRow, limits,
};
use argosy_testkit::store::SharedModelStore;
use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(10);

/// The model store behind a gate: a batch passes when a permit is given, and fails if told so.
#[derive(Debug)]
struct GatedStore {
    model: SharedModelStore,
    gate: Semaphore,
    groups: Mutex<Vec<usize>>,
    fails: bool,
}

impl GatedStore {
    fn new(fails: bool) -> Arc<Self> {
        Arc::new(Self {
            model: SharedModelStore::new(),
            gate: Semaphore::new(0),
            groups: Mutex::new(Vec::new()),
            fails,
        })
    }

    async fn pass(&self, items: usize) -> Result<(), StoreError> {
        self.groups
            .lock()
            .expect("no test panics with it")
            .push(items);
        self.gate
            .acquire()
            .await
            .expect("it is never closed")
            .forget();
        if self.fails {
            return Err(StoreError::Unavailable("it was told to fail".to_owned()));
        }
        Ok(())
    }

    fn groups(&self) -> Vec<usize> {
        self.groups.lock().expect("no test panics with it").clone()
    }

    async fn own(&self) {
        self.model
            .take_owners(Uuid::nil(), vec![owner()])
            .await
            .expect("the model is never away");
    }
}

impl Store for GatedStore {
    fn take_owners(
        &self,
        instance: Uuid,
        owners: Vec<OwnerKey>,
    ) -> BoxFuture<'_, Result<Vec<Epoch>, StoreError>> {
        self.model.take_owners(instance, owners)
    }

    fn recall(
        &self,
        events: Vec<EventKey>,
    ) -> BoxFuture<'_, Result<Vec<Vec<EffectRow>>, StoreError>> {
        Box::pin(async move {
            self.pass(events.len()).await?;
            self.model.recall(events).await
        })
    }

    fn claim(&self, claims: Vec<Claim>) -> BoxFuture<'_, Result<Vec<ClaimAnswer>, StoreError>> {
        Box::pin(async move {
            self.pass(claims.len()).await?;
            self.model.claim(claims).await
        })
    }

    fn record(&self, outcomes: Vec<OutcomeRow>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.pass(outcomes.len()).await?;
            self.model.record(outcomes).await
        })
    }

    fn park(&self, changes: Vec<ParkChange>) -> BoxFuture<'_, Result<Vec<ParkAnswer>, StoreError>> {
        Box::pin(async move {
            self.pass(changes.len()).await?;
            self.model.park(changes).await
        })
    }

    fn parked(&self, owner: OwnerKey) -> BoxFuture<'_, Result<FoundParked, StoreError>> {
        self.model.parked(owner)
    }

    fn load_parked(
        &self,
        loads: Vec<ParkLoad>,
    ) -> BoxFuture<'_, Result<Vec<Vec<LoadedRow>>, StoreError>> {
        Box::pin(async move {
            self.pass(loads.len()).await?;
            self.model.load_parked(loads).await
        })
    }

    fn suspect(&self, left: LeftRunning) -> BoxFuture<'_, Result<(), StoreError>> {
        self.model.suspect(left)
    }

    fn forget_suspects(
        &self,
        owner: OwnerKey,
        offsets: Vec<i64>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.model.forget_suspects(owner, offsets)
    }

    fn resolve(
        &self,
        id: EffectId,
        resolution: Resolution,
        actor: String,
    ) -> BoxFuture<'_, Result<Resolved, StoreError>> {
        self.model.resolve(id, resolution, actor)
    }

    fn effects(
        &self,
        source: String,
        event: String,
    ) -> BoxFuture<'_, Result<Vec<EffectRow>, StoreError>> {
        self.model.effects(source, event)
    }

    fn audit(&self, rows_max: u32) -> BoxFuture<'_, Result<Vec<AuditRow>, StoreError>> {
        self.model.audit(rows_max)
    }

    fn project(&self, rows: Vec<TimelineRow>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.model.project(rows)
    }

    fn timeline(
        &self,
        correlation: String,
        after: TimelinePlace,
        rows_max: u32,
    ) -> BoxFuture<'_, Result<Vec<TimelineRow>, StoreError>> {
        self.model.timeline(correlation, after, rows_max)
    }

    fn status(
        &self,
        source: String,
        event: String,
    ) -> BoxFuture<'_, Result<Vec<EventStatus>, StoreError>> {
        self.model.status(source, event)
    }

    fn project_letters(&self, rows: Vec<LetterRow>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.model.project_letters(rows)
    }

    fn dead_letters(
        &self,
        question: LetterQuestion,
    ) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        self.model.dead_letters(question)
    }

    fn dead_letter(&self, id: LetterId) -> BoxFuture<'_, Result<Option<Letter>, StoreError>> {
        self.model.dead_letter(id)
    }

    fn ask_plan_step(
        &self,
        id: LetterId,
        kind: PlanStepKind,
        actor: String,
    ) -> BoxFuture<'_, Result<PlanStepAnswer, StoreError>> {
        self.model.ask_plan_step(id, kind, actor)
    }

    fn due_plan_steps(
        &self,
        owners: Vec<OwnerKey>,
        rows_max: u32,
    ) -> BoxFuture<'_, Result<Vec<DueStep>, StoreError>> {
        self.model.due_plan_steps(owners, rows_max)
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.model.ping()
    }
}

fn owner() -> OwnerKey {
    OwnerKey {
        worker: Arc::from("orders"),
        topic: Arc::from("orders.v1"),
        partition: 0,
    }
}

fn event(number: usize) -> EventKey {
    EventKey {
        worker: Arc::from("orders"),
        source: Arc::from("shop"),
        event: Arc::from(number.to_string()),
    }
}

fn effect(number: usize) -> EffectId {
    EffectId {
        of: event(number),
        name: Arc::from("draft"),
        key: Arc::from("north"),
    }
}

fn claim(number: usize) -> Claim {
    Claim {
        id: effect(number),
        owner: owner(),
        epoch: Epoch(1),
        run: Uuid::from_u128(number as u128),
        body_hash: [0; 32],
        operation: Arc::from("north.draft"),
        request: Bytes::from(number.to_string()),
        hold: Duration::from_secs(20),
        over: None,
    }
}

/// Lets every ready task run until the condition holds.
async fn until(what: &str, condition: impl Fn() -> bool + Send + Sync) {
    timeout(PATIENCE, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// Both places for batches are taken by one claim each.
async fn fill_flight(store: &GatedStore, grouped: &Grouped, tasks: &TaskTracker) {
    for number in 0..BATCHES_IN_FLIGHT_MAX {
        let grouped = grouped.clone();
        tasks.spawn(async move { grouped.claim(claim(number)).await });
        until("a batch is out", || store.groups().len() == number + 1).await;
    }
}

#[tokio::test]
async fn what_waits_goes_out_as_one_batch_and_each_caller_gets_its_own_answer() {
    let store = GatedStore::new(false);
    store.own().await;
    let (tracker, tasks) = (TaskTracker::new(), TaskTracker::new());
    let grouped = Grouped::start(Arc::clone(&store) as Arc<dyn Store>, &tracker);
    fill_flight(&store, &grouped, &tasks).await;

    let waiting = (100..150).map(|number| grouped.claim(claim(number)));
    let answers = async {
        let answers = join_all(waiting);
        tokio::pin!(answers);
        // Polled once, all are in the queue; only then may the store answer.
        assert!(futures_util::poll!(&mut answers).is_pending());
        store.gate.add_permits(3);
        answers.await
    };
    let answers = timeout(PATIENCE, answers).await.unwrap();

    assert_eq!(store.groups(), [1, 1, 50]);
    for (number, answer) in (100..150).zip(answers) {
        let ClaimAnswer::Granted { request, .. } = answer.unwrap() else {
            panic!("a fresh claim was not granted");
        };
        assert_eq!(request, number.to_string());
    }
}

#[tokio::test]
async fn a_group_is_bounded() {
    let store = GatedStore::new(false);
    store.own().await;
    let (tracker, tasks) = (TaskTracker::new(), TaskTracker::new());
    let grouped = Grouped::start(Arc::clone(&store) as Arc<dyn Store>, &tracker);
    fill_flight(&store, &grouped, &tasks).await;

    let items = GROUP_ITEMS_MAX + 10;
    let answers = join_all((1_000..1_000 + items).map(|number| grouped.claim(claim(number))));
    tokio::pin!(answers);
    assert!(futures_util::poll!(&mut answers).is_pending());
    store.gate.add_permits(4);
    let answers = timeout(PATIENCE, answers).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(store.groups(), [1, 1, GROUP_ITEMS_MAX, 10]);
}

#[tokio::test]
async fn a_full_queue_refuses_and_keeps_what_it_has() {
    let store = GatedStore::new(false);
    store.own().await;
    let (tracker, tasks) = (TaskTracker::new(), TaskTracker::new());
    let grouped = Grouped::start(Arc::clone(&store) as Arc<dyn Store>, &tracker);
    fill_flight(&store, &grouped, &tasks).await;

    let mut waiting: Vec<_> = (0..QUEUE_ITEMS_MAX)
        .map(|number| Box::pin(grouped.claim(claim(1_000 + number))))
        .collect();
    for caller in &mut waiting {
        assert!(futures_util::poll!(caller).is_pending());
    }
    let refused = grouped.claim(claim(1)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));

    store.gate.add_permits(1_000);
    let answers = timeout(PATIENCE, join_all(waiting)).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_failed_batch_fails_each_of_its_callers() {
    let store = GatedStore::new(true);
    let tracker = TaskTracker::new();
    let grouped = Grouped::start(Arc::clone(&store) as Arc<dyn Store>, &tracker);
    store.gate.add_permits(1_000);
    let answers = join_all((0..20).map(|number| grouped.recall(event(number)))).await;
    for answer in answers {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))));
    }
}

#[tokio::test]
async fn what_a_caller_asked_is_done_though_it_went_away() {
    let store = GatedStore::new(false);
    store.own().await;
    let (tracker, tasks) = (TaskTracker::new(), TaskTracker::new());
    let grouped = Grouped::start(Arc::clone(&store) as Arc<dyn Store>, &tracker);
    fill_flight(&store, &grouped, &tasks).await;

    {
        let gone = grouped.claim(claim(7));
        tokio::pin!(gone);
        assert!(futures_util::poll!(&mut gone).is_pending());
    }
    let stays = grouped.claim(claim(8));
    store.gate.add_permits(3);
    assert!(matches!(
        timeout(PATIENCE, stays).await.unwrap(),
        Ok(ClaimAnswer::Granted { .. })
    ));
    assert_eq!(store.groups(), [1, 1, 2]);
    let rows = store.model.recall(vec![event(7)]).await.unwrap();
    assert_eq!(rows[0].len(), 1);
}

#[tokio::test]
async fn its_tasks_end_with_the_last_handle_after_sending_what_they_hold() {
    let store = GatedStore::new(false);
    store.own().await;
    let tracker = TaskTracker::new();
    let grouped = Grouped::start(Arc::clone(&store) as Arc<dyn Store>, &tracker);
    tracker.close();
    assert_eq!(tracker.len(), 5);
    {
        let gone = grouped.claim(claim(7));
        tokio::pin!(gone);
        assert!(futures_util::poll!(&mut gone).is_pending());
    }
    drop(grouped);
    store.gate.add_permits(1);
    timeout(PATIENCE, tracker.wait()).await.unwrap();
    assert_eq!(
        store.model.recall(vec![event(7)]).await.unwrap()[0].len(),
        1
    );
}

#[tokio::test]
async fn an_oversized_item_fails_alone() {
    let store = GatedStore::new(false);
    store.own().await;
    store.gate.add_permits(1_000);
    let tracker = TaskTracker::new();
    let grouped = Grouped::start(Arc::clone(&store) as Arc<dyn Store>, &tracker);
    let oversized = Claim {
        request: Bytes::from(vec![0; limits::REQUEST_BYTES_MAX + 1]),
        ..claim(1)
    };
    let (refused, granted) = tokio::join!(grouped.claim(oversized), grouped.claim(claim(2)));
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
    assert!(matches!(granted, Ok(ClaimAnswer::Granted { .. })));
}

#[tokio::test]
async fn claim_outcome_and_recall_agree() {
    let store = GatedStore::new(false);
    store.own().await;
    store.gate.add_permits(1_000);
    let tracker = TaskTracker::new();
    let grouped = Grouped::start(Arc::clone(&store) as Arc<dyn Store>, &tracker);
    grouped.claim(claim(1)).await.unwrap();
    grouped
        .record(OutcomeRow {
            id: effect(1),
            number: 1,
            outcome: RecordedOutcome::Succeeded(Bytes::from_static(b"\"yes\"")),
        })
        .await
        .unwrap();
    let rows = grouped.recall(event(1)).await.unwrap();
    assert_eq!(
        rows[0].state,
        EffectState::Succeeded(Bytes::from_static(b"\"yes\""))
    );
}
