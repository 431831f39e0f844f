//! A batch on its way: its messages one after the other, its results from wherever they come.
//!
//! Invariant: every message gets exactly one result, at the place of the message, also when its ticket is dropped.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout_at},
};

use crate::port::{BrokerError, Message};

/// Partition and offset of a message, or why it has none.
pub(super) type Outcome = Result<(i32, i64), BrokerError>;

/// Messages that have no result yet.
#[derive(Default)]
pub(super) struct Traffic {
    outstanding: AtomicUsize,
    /// Somebody waits for an end.
    watchers: AtomicUsize,
    ended: Notify,
}

/// Where the results of a batch come together.
struct Pending {
    results: Mutex<Collected>,
    left: AtomicUsize,
}

struct Collected {
    outcomes: Vec<Option<Outcome>>,
    /// Taken by the last.
    sender: Option<oneshot::Sender<Vec<Outcome>>>,
}

/// A message's claim on its result; dropped without one, it reports that.
pub(super) struct Ticket {
    pending: Arc<Pending>,
    index: usize,
    traffic: Arc<Traffic>,
    is_done: bool,
}

/// What is left of a batch to enqueue.
pub(super) struct Feed {
    messages: std::vec::IntoIter<Message>,
    /// The message that found the queue full.
    pub(super) next: Option<(Message, Box<Ticket>)>,
    index: usize,
    pending: Arc<Pending>,
    traffic: Arc<Traffic>,
}

/// The messages of a batch, and where its results will be.
pub(super) fn feed(
    messages: Vec<Message>,
    traffic: &Arc<Traffic>,
) -> (Feed, oneshot::Receiver<Vec<Outcome>>) {
    let (sender, receiver) = oneshot::channel();
    let count = messages.len();
    let pending = Arc::new(Pending {
        results: Mutex::new(Collected {
            outcomes: vec![None; count],
            sender: Some(sender),
        }),
        left: AtomicUsize::new(count),
    });
    let feed = Feed {
        messages: messages.into_iter(),
        next: None,
        index: 0,
        pending,
        traffic: Arc::clone(traffic),
    };
    (feed, receiver)
}

impl Feed {
    /// The next message, with the claim on its result.
    pub(super) fn next(&mut self) -> Option<(Message, Box<Ticket>)> {
        if let Some(next) = self.next.take() {
            return Some(next);
        }
        let message = self.messages.next()?;
        self.traffic.outstanding.fetch_add(1, Ordering::AcqRel);
        let ticket = Box::new(Ticket {
            pending: Arc::clone(&self.pending),
            index: self.index,
            traffic: Arc::clone(&self.traffic),
            is_done: false,
        });
        self.index += 1;
        Some((message, ticket))
    }
}

impl Drop for Feed {
    /// Whoever sends may stop waiting while the queue is full.
    fn drop(&mut self) {
        while self.next().is_some() {}
    }
}

impl Ticket {
    /// The result; the first counts.
    pub(super) fn done(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.is_done, true) {
            self.pending.set(self.index, outcome);
            self.traffic.end();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let why = "the producer ended before the broker answered";
        self.done(Err(BrokerError::Unavailable(why.into())));
    }
}

impl Pending {
    fn set(&self, index: usize, outcome: Outcome) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.outcomes[index] = Some(outcome);
        if self.left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let all = std::mem::take(&mut results.outcomes);
        if let Some(sender) = results.sender.take() {
            // Nobody may be waiting any more.
            sender.send(all.into_iter().flatten().collect()).ok();
        }
    }
}

impl Traffic {
    /// How many have no result yet.
    pub(super) fn count(&self) -> usize {
        self.outstanding.load(Ordering::Acquire)
    }

    fn end(&self) {
        self.outstanding.fetch_sub(1, Ordering::AcqRel);
        if self.watchers.load(Ordering::Acquire) > 0 {
            self.ended.notify_waiters();
        }
    }

    /// Waits for the end of a message; false at the deadline.
    pub(super) async fn ends_before(&self, deadline: Instant) -> bool {
        let watch = Watch::of(self);
        let ended = self.ended.notified();
        tokio::pin!(ended);
        ended.as_mut().enable();
        if self.count() == 0 {
            return true;
        }
        let is_ended = timeout_at(deadline.min(Instant::now() + LOOK_AGAIN), ended)
            .await
            .is_ok();
        drop(watch);
        is_ended || Instant::now() < deadline
    }
}

/// A message that ended between a full queue and the watch is found by looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

struct Watch<'a>(&'a Traffic);

impl<'a> Watch<'a> {
    fn of(traffic: &'a Traffic) -> Self {
        traffic.watchers.fetch_add(1, Ordering::AcqRel);
        Self(traffic)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Ordering::AcqRel);
    }
}
