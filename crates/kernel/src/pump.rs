//! The pump: one instance's view of its partitions, as a pure state machine.
//!
//! `Pump::on(input, now)` returns actions; see [`Input`] and [`Action`] for the contract. Any sequence of inputs
//! is taken without a panic: what is unknown, stale or repeated is ignored.

mod alone;
mod api;
mod assigned;
mod commit;
mod config;
mod dispatch;
mod drain;
mod intake;
mod lane;
mod lanes;
mod ownership;
mod parking;
mod run;
mod settle;
mod timers;
mod view;
mod wait;
mod write;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use alone::Suspect;
pub use api::{
    Abort, Action, At, CommitResult, Committed, Dispatch, Input, Record, RunEnd, RunRecord, Settle,
    WriteFault,
};
pub use assigned::Held;
pub use config::{Order, PumpConfig, RetryPolicy};
pub use parking::{
    Hold, Look, ParkFault, ParkNumber, ParkRecord, ParkWrite, ParkedLane, ParkedLoad, ParkedRecord,
    ParkedState, ParkingConfig, PlanStep, PlanStepKind, Replay,
};
pub use view::{LaneState, LaneView, Parked};

use self::{
    alone::Alone,
    assigned::Assigned,
    commit::Commits,
    drain::{Revokes, Stop},
    settle::Steps,
    timers::Timers,
};
use crate::{
    ids::{LoadNumber, Offset, Partition, Time},
    random::Random,
};

/// One instance's pump. `R` is a record's body, `X` what a run leaves behind; both cheap to clone.
#[derive(Debug)]
pub struct Pump<R, X> {
    config: PumpConfig,
    random: Random,
    partitions: BTreeMap<Partition, Assigned<R, X>>,
    /// Runs of assignments that are gone, until they answer: the live record, and those handed over after it.
    orphans: BTreeMap<At, VecDeque<Offset>>,
    /// Lanes running, orphans included.
    running: usize,
    /// Partitions with ready lanes, in the order of their turn.
    turn: VecDeque<Partition>,
    timers: Timers,
    steps: Steps,
    commits: Commits,
    parks: ParkNumber,
    loads: LoadNumber,
    /// Partitions in which stays may wake, or something is to be parked.
    parking_dirty: BTreeSet<Partition>,
    /// Partitions with records that wait for room in the store.
    parking_full: BTreeSet<Partition>,
    alone: Alone,
    draining: BTreeSet<Partition>,
    revokes: Revokes,
    stop: Stop,
    actions: Vec<Action<R, X>>,
}

impl<R: Clone, X: Clone> Pump<R, X> {
    /// An idle pump. `seed` feeds the jitter of retries and nothing else.
    pub fn new(mut config: PumpConfig, seed: u64) -> Self {
        config.running_max = config.running_max.max(1);
        config.dispatch_records_max = config.dispatch_records_max.max(1);
        config.deaths_max = config.deaths_max.max(1);
        Self {
            config,
            random: Random::new(seed),
            partitions: BTreeMap::new(),
            orphans: BTreeMap::new(),
            running: 0,
            turn: VecDeque::new(),
            timers: Timers::default(),
            steps: Steps::default(),
            commits: Commits::default(),
            parks: ParkNumber(0),
            loads: LoadNumber(0),
            parking_dirty: BTreeSet::new(),
            parking_full: BTreeSet::new(),
            alone: Alone::default(),
            draining: BTreeSet::new(),
            revokes: Revokes::default(),
            stop: Stop::default(),
            actions: Vec::new(),
        }
    }

    /// Takes one input and returns what must be done, in order.
    pub fn on(&mut self, input: Input<R, X>, now: Time) -> Vec<Action<R, X>> {
        match input {
            Input::Records(records) => self.take_in(records, now),
            Input::Assigned {
                assignment,
                partitions,
            } => self.assign(assignment, partitions),
            Input::Owned {
                partition,
                assignment,
                epoch,
                committed,
                parked,
            } => self.own(partition, assignment, epoch, committed, parked, now),
            Input::NotOwned {
                partition,
                assignment,
                cause,
            } => self.refuse(partition, assignment, cause, now),
            Input::RevokeAsked { revoke, partitions } => self.revoke(revoke, partitions, now),
            Input::Lost { partitions } => self.lose(partitions),
            Input::Finished { at, end } => self.finish(at, end, now),
            Input::Published { at, result } => self.published(at, result, now),
            Input::DeadLettered { at, result } => self.dead_lettered(at, result, now),
            Input::CommitEnded { commit, results } => self.commit_ended(commit, &results, now),
            Input::Parked {
                partition,
                assignment,
                park,
                result,
            } => self.parked(partition, assignment, park, result, now),
            Input::ParkedLoaded {
                partition,
                assignment,
                load,
                key,
                result,
            } => self.parked_loaded(partition, assignment, load, &key, result, now),
            Input::PlanSteps {
                partition,
                assignment,
                steps,
            } => self.plan_steps(partition, assignment, steps),
            Input::StepsAcknowledged(step) => self.acknowledge(step),
            Input::Shutdown => self.shut_down(now),
            Input::Tick => {}
        }
        self.fire_timers(now);
        self.expire_commit(now);
        self.advance_drains(now);
        self.commit(now);
        // A partition that had nothing left to commit is let go in the same turn.
        self.advance_drains(now);
        self.advance_parking(now);
        self.dispatch(now);
        std::mem::take(&mut self.actions)
    }

    /// When the next `Tick` is due at the latest; `None` if only an input can bring news.
    pub fn wake_at(&self) -> Option<Time> {
        let times = [
            self.timers.next(),
            self.commits
                .next(self.config.commit_every, self.config.commit_timeout),
            self.next_drain(),
            self.alone.next(),
        ];
        times.into_iter().flatten().min()
    }
}
