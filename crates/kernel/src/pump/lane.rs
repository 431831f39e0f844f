//! One lane: the FIFO of one key within one partition, and where its head stands.
//!
//! Invariant: at most one record of a lane, its head, is run, published or dead-lettered at a time.

use std::{collections::VecDeque, time::Duration};

use crate::{
    cause::{Death, Waiting},
    ids::{LaneKey, Offset, Time},
    pump::api::Abort,
};

/// A record that is not settled yet.
#[derive(Debug)]
pub(super) struct Queued<R> {
    pub(super) offset: Offset,
    pub(super) bytes: usize,
    /// It came out of the store: its row is settled, not its offset.
    pub(super) is_stored: bool,
    /// It was dead before: an operator had it replayed.
    pub(super) is_replayed: bool,
    pub(super) body: R,
}

/// The history of a lane's head.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) attempts: u32,
    /// When its first run began; `None` if it never ran.
    pub(super) first_run: Option<Time>,
    /// Its age before it was parked.
    pub(super) aged: Duration,
    /// How long it waited for others; not counted as age.
    pub(super) excused: Duration,
    /// The last wait between attempts, from which the next is drawn.
    pub(super) retry_wait: Duration,
    /// The cause that its timeline was last told.
    pub(super) announced: Option<Waiting>,
}

impl Head {
    /// Its age, without what it waited for others.
    pub(super) fn age(&self, now: Time) -> Duration {
        let running = self
            .first_run
            .map_or(Duration::ZERO, |first| now.since(first));
        self.aged
            .saturating_add(running.saturating_sub(self.excused))
    }
}

/// A dead letter, until it is acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Letter<X> {
    pub(super) cause: Death,
    pub(super) attempts: u32,
    pub(super) residue: Option<X>,
}

/// What a waiting lane does when its time has come.
#[derive(Debug)]
pub(super) enum Next<X> {
    Run,
    Publish(X),
    DeadLetter(Letter<X>),
}

/// Where a lane's head stands.
#[derive(Debug)]
pub(super) enum State<X> {
    Ready,
    Running {
        /// Records handed over and not answered yet, the head included.
        handed: usize,
        /// When the head began.
        since: Time,
        /// The head was told to stop.
        abort: Option<Abort>,
    },
    Publishing(X),
    DeadLettering(Letter<X>),
    /// The dead letter is acknowledged, the hold of its key is not durable yet.
    Holding(Death),
    Waiting {
        cause: Waiting,
        since: Time,
        until: Time,
        next: Next<X>,
    },
}

/// A lane.
#[derive(Debug)]
pub(super) struct Lane<R, X> {
    pub(super) key: LaneKey,
    /// Empty only while the lane is free.
    pub(super) queue: VecDeque<Queued<R>>,
    pub(super) head: Head,
    pub(super) state: State<X>,
    /// Its entry in the pump's timers.
    pub(super) timer: Option<Time>,
}

impl<R, X> Lane<R, X> {
    pub(super) fn new(key: LaneKey) -> Self {
        Self {
            key,
            queue: VecDeque::new(),
            head: Head::default(),
            state: State::Ready,
            timer: None,
        }
    }

    /// Drops records that `wanted` refuses; true if the head is gone, and its history with it.
    pub(super) fn retain(&mut self, wanted: impl FnMut(&Queued<R>) -> bool) -> bool {
        let head = self.queue.front().map(|record| record.offset);
        self.queue.retain(wanted);
        let is_gone = head != self.queue.front().map(|record| record.offset);
        if is_gone {
            self.head = Head::default();
        }
        is_gone
    }
}
