//! One record through one worker's handler, without a broker: for tests of handlers.

use std::sync::Arc;

use argosy_broker::{Delivery, Message};
use argosy_kernel::{
    Assignment, At, Death, Dispatch, Input, Offset, Partition, RunEnd, RunRecord, TopicIndex,
    Waiting,
};
use argosy_outbound::Stack;
use argosy_store::{Grouped, OwnerKey, Store, StoreError};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    Worker, clock,
    delivered::{Delivered, Residue},
    owner::Inbox,
    run::{self, Shop, Stop},
    slots::{AloneTurn, Slots},
    timeline::Timelines,
};

/// What one run came to.
#[derive(Debug)]
pub enum Trial {
    /// Done; what it would publish.
    Done(Vec<Message>),
    /// Skipped, and why.
    Skipped(&'static str),
    /// An attempt was spent; the fault's message.
    Failed(Death, String),
    /// No attempt was spent: what the lane would wait for.
    Deferred(Waiting),
    /// Dead; the fault's message.
    Dead(Death, String),
    /// The claim was refused by epoch.
    Fenced,
    /// The run was dropped.
    Dropped,
}

/// Runs a record once, under a fresh ownership of its partition in this store.
///
/// # Errors
///
/// The store's, if the ownership cannot be taken.
pub async fn trial(
    worker: &Worker,
    delivery: Delivery,
    stack: Arc<Stack>,
    store: Arc<dyn Store>,
) -> Result<Trial, StoreError> {
    let owner = OwnerKey {
        worker: Arc::from(worker.name()),
        topic: Arc::clone(&delivery.from.topic),
        partition: delivery.from.partition,
    };
    let epochs = store.take_owners(Uuid::now_v7(), vec![owner]).await?;
    let epoch = epochs
        .first()
        .copied()
        .ok_or_else(|| StoreError::Unreadable("no epoch was answered".into()))?;
    let tracker = TaskTracker::new();
    let (inbox, mut told) = Inbox::new();
    let shop = Arc::new(Shop {
        worker: worker.name(),
        handled: worker.handlers.types().collect(),
        stack,
        store: Grouped::start(store, &tracker),
        timelines: Timelines::none(inbox.clone()),
        inbox,
        slots: Slots::none(),
        alone: AloneTurn::default(),
    });
    let at = At {
        partition: Partition {
            topic: TopicIndex(0),
            number: delivery.from.partition,
        },
        assignment: Assignment(1),
        offset: Offset(delivery.offset),
    };
    let body = Arc::new(Delivered::read(
        delivery,
        clock::wall_ms(),
        &worker.handlers,
    ));
    let records = vec![RunRecord {
        at,
        attempts: 0,
        body,
    }];
    let stop = Stop {
        abort: CancellationToken::new(),
        gate: CancellationToken::new(),
    };
    run::dispatch(
        shop,
        Dispatch {
            epoch,
            alone: false,
            records,
        },
        stop,
    )
    .await;
    Ok(match told.recv().await {
        Some(Input::Finished { end, .. }) => trial_of(end),
        _ => Trial::Dropped,
    })
}

fn trial_of(end: RunEnd<Residue>) -> Trial {
    match end {
        RunEnd::Done {
            emits: Some(Residue::Emits(events)),
        } => Trial::Done(events.iter().map(|event| event.message.clone()).collect()),
        RunEnd::Done { .. } => Trial::Done(Vec::new()),
        RunEnd::Skipped(reason) => Trial::Skipped(reason),
        RunEnd::Failed { cause, residue, .. } => Trial::Failed(cause, message_of(&residue)),
        RunEnd::Deferred { cause, .. } => Trial::Deferred(cause),
        RunEnd::Dead { cause, residue } => Trial::Dead(cause, message_of(&residue)),
        RunEnd::Fenced => Trial::Fenced,
        RunEnd::Dropped { .. } => Trial::Dropped,
    }
}

fn message_of(residue: &Residue) -> String {
    match residue {
        Residue::Fault(fault) => fault.message.clone(),
        Residue::Emits(_) => String::new(),
    }
}
