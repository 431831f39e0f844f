//! What a worker instance says about itself, for probes: written by its owner, read by anyone.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;

/// Shared view of one instance's health.
#[derive(Clone, Debug)]
pub struct Health {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    heartbeat: std::time::Duration,
    assigned: usize,
    joined: bool,
    draining: bool,
    oldest_overdue: Option<std::time::Duration>,
    broker_fault: Option<String>,
}

/// A moment's view.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Time since the pump last turned.
    pub heartbeat_age: std::time::Duration,
    /// Partitions assigned now.
    pub assigned: usize,
    /// An assignment has been received at least once.
    pub joined: bool,
    /// The instance is shutting down.
    pub draining: bool,
    /// By how much the most overdue run has overrun its deadline.
    pub overdue: Option<std::time::Duration>,
    /// What the broker's client last complained of, until it worked again.
    pub broker_fault: Option<String>,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// Nothing known yet.
    pub fn new() -> Self {
        Self {
            clock: Clock::start(),
            state: Arc::default(),
        }
    }

    /// What is known now.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.clock.now().0;
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Snapshot {
            heartbeat_age: now.saturating_sub(state.heartbeat),
            assigned: state.assigned,
            joined: state.joined,
            draining: state.draining,
            overdue: state.oldest_overdue,
            broker_fault: state.broker_fault.clone(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn turned(&self, assigned: usize, overdue: Option<std::time::Duration>) {
        let now = self.clock.now().0;
        self.change(|state| {
            state.heartbeat = now;
            state.assigned = assigned;
            state.oldest_overdue = overdue;
        });
    }

    pub(crate) fn joined(&self) {
        self.change(|state| {
            state.joined = true;
            state.broker_fault = None;
        });
    }

    pub(crate) fn draining(&self) {
        self.change(|state| state.draining = true);
    }

    pub(crate) fn broker_fault(&self, fault: Option<String>) {
        self.change(|state| state.broker_fault = fault);
    }
}
