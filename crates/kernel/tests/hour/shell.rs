//! Everything around the pump, on a simulated clock: broker, dependency, store, timelines.
//!
//! Invariant: whatever the pump asks for is answered after a time of its own, never at once.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use argosy_kernel::{
    Action, Assignment, At, CommitResult, Committed, Epoch, Input, LaneKey, Offset, ParkingConfig,
    Partition, Pump, PumpConfig, Record, RunEnd, StepNumber, Time, TopicIndex, Waiting,
};

use crate::store::Store;

const STEP_MS: u64 = 20;
const RUN_MS: u64 = 20;
const WRITE_MS: u64 = 20;
const COMMIT_MS: u64 = 40;
const TIMELINE_MS: u64 = 200;
/// Until a killed process is no member any longer.
const SESSION_MS: u64 = 20_000;
/// How long a breaker that is open says to wait.
const OPEN: Duration = Duration::from_secs(5);

type In = Input<u64, ()>;

/// How much comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) records_per_second: u64,
    /// Every other one needs the dependency.
    pub(crate) keys: usize,
    pub(crate) partitions: i32,
}

/// What is seen from outside.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) frontier_age_ms: u64,
    pub(crate) held_records: usize,
    pub(crate) parked_keys: usize,
    pub(crate) healthy_slowest_ms: u64,
    /// Records that settled twice.
    pub(crate) reruns: u64,
    /// How long before the last kill the oldest of them was settled.
    pub(crate) rerun_oldest_ms: u64,
}

/// A partition of the broker.
#[derive(Debug, Default)]
struct Log {
    /// When each record was written, and its key.
    records: Vec<(u64, u64)>,
    /// Position and map.
    committed: (i64, String),
    delivered: usize,
    is_held: bool,
    /// When each offset settled first.
    settled: HashMap<i64, u64>,
}

pub(crate) struct Shell {
    load: Load,
    pump: Pump<u64, ()>,
    now_ms: u64,
    answers: BTreeMap<u64, Vec<In>>,
    store: Store,
    writes: BTreeMap<u64, Vec<argosy_kernel::ParkWrite<u64>>>,
    logs: BTreeMap<Partition, Log>,
    is_down: bool,
    is_loaded: bool,
    next_key: u64,
    assignment: u64,
    last_step: u64,
    told_step: u64,
    /// Last offset done by key.
    done: HashMap<u64, i64>,
    healthy_slowest_ms: u64,
    unsettled: usize,
    killed_ms: u64,
    rerun_oldest_ms: u64,
    reruns: u64,
}

impl Shell {
    pub(crate) fn new(load: Load, seed: u64) -> Self {
        let logs = (0..load.partitions).map(|number| (partition(number), Log::default()));
        let mut shell = Self {
            pump: pump(seed),
            load,
            now_ms: 0,
            answers: BTreeMap::new(),
            store: Store::default(),
            writes: BTreeMap::new(),
            logs: logs.collect(),
            is_down: false,
            is_loaded: true,
            next_key: seed,
            assignment: 0,
            last_step: 0,
            told_step: 0,
            done: HashMap::new(),
            healthy_slowest_ms: 0,
            unsettled: 0,
            killed_ms: 0,
            rerun_oldest_ms: 0,
            reruns: 0,
        };
        shell.assign();
        shell
    }

    pub(crate) fn dependency_down(&mut self) {
        self.is_down = true;
    }

    pub(crate) fn dependency_up(&mut self) {
        self.is_down = false;
    }

    pub(crate) fn stop_load(&mut self) {
        self.is_loaded = false;
    }

    /// Records that are not settled.
    pub(crate) fn waiting(&self) -> usize {
        self.unsettled
    }

    /// Lets seconds pass.
    pub(crate) fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 1_000 / STEP_MS {
            self.now_ms += STEP_MS;
            if self.is_loaded {
                self.write_load();
            }
            self.deliver();
            self.answer();
            if self.now_ms.is_multiple_of(TIMELINE_MS) && self.told_step > 0 {
                self.feed(Input::StepsAcknowledged(StepNumber(self.told_step)));
            }
            if self.now_ms.is_multiple_of(TIMELINE_MS) {
                self.told_step = self.last_step;
            }
            while self.pump.wake_at().is_some_and(|at| at <= self.now()) {
                self.feed(Input::Tick);
            }
        }
    }

    /// The process is killed, and another one takes its partitions when its membership has lapsed.
    pub(crate) fn kill(&mut self) {
        self.killed_ms = self.now_ms;
        for _ in 0..SESSION_MS / STEP_MS {
            self.now_ms += STEP_MS;
            self.write_load();
        }
        self.pump = pump(self.now_ms);
        self.answers.clear();
        // A write that was under way may have reached the store.
        for write in std::mem::take(&mut self.writes).into_values().flatten() {
            self.store.write(&write);
        }
        (self.last_step, self.told_step) = (0, 0);
        for log in self.logs.values_mut() {
            log.delivered = usize::try_from(log.committed.0).expect("positions are not negative");
            log.is_held = false;
        }
        self.assign();
    }

    pub(crate) fn look(&mut self) -> Seen {
        let mut seen = Seen {
            healthy_slowest_ms: std::mem::take(&mut self.healthy_slowest_ms),
            reruns: self.reruns,
            rerun_oldest_ms: self.rerun_oldest_ms,
            ..Seen::default()
        };
        for (partition, log) in &self.logs {
            let at = usize::try_from(log.committed.0).expect("positions are not negative");
            if let Some((written, _)) = log.records.get(at) {
                seen.frontier_age_ms = seen.frontier_age_ms.max(self.now_ms - written);
            }
            seen.held_records += self.pump.held(*partition).records;
            seen.parked_keys += self.pump.in_store(*partition).keys;
        }
        seen
    }

    pub(crate) fn check_all_settled_in_order(&self) {
        for (partition, log) in &self.logs {
            let missing = (0..log.records.len() as i64).find(|at| !log.settled.contains_key(at));
            assert_eq!(missing, None, "{partition:?}");
        }
    }

    fn now(&self) -> Time {
        Time(Duration::from_millis(self.now_ms))
    }

    fn assign(&mut self) {
        self.assignment += 1;
        let partitions: Vec<_> = self.logs.keys().copied().collect();
        self.feed(Input::Assigned {
            assignment: Assignment(self.assignment),
            partitions,
        });
    }

    fn write_load(&mut self) {
        let partitions = u64::try_from(self.load.partitions).expect("there are some");
        for _ in 0..self.load.records_per_second * STEP_MS / 1_000 {
            // Steps by a number without common divisor visit all keys in an order that looks drawn.
            self.next_key = (self.next_key + 7_919) % self.load.keys as u64;
            let of = partition((self.next_key / 2 % partitions) as i32);
            let log = self.logs.get_mut(&of).expect("it was made");
            log.records.push((self.now_ms, self.next_key));
            self.unsettled += 1;
        }
    }

    fn deliver(&mut self) {
        let mut records = Vec::new();
        for (&partition, log) in &mut self.logs {
            if log.is_held {
                continue;
            }
            let new = log
                .records
                .iter()
                .enumerate()
                .skip(log.delivered)
                .take(1_000);
            records.extend(new.map(|(offset, &(_, key))| Record {
                partition,
                offset: Offset(offset as i64),
                lane: LaneKey::Key(Arc::from(key.to_be_bytes().as_slice())),
                bytes: 500,
                skip: None,
                body: key,
            }));
            log.delivered = log.records.len().min(log.delivered + 1_000);
        }
        if !records.is_empty() {
            self.feed(Input::Records(records));
        }
    }

    fn answer(&mut self) {
        while let Some(due) = self
            .writes
            .first_entry()
            .filter(|due| *due.key() <= self.now_ms)
        {
            for write in due.remove() {
                self.store.write(&write);
            }
        }
        while let Some(due) = self
            .answers
            .first_entry()
            .filter(|due| *due.key() <= self.now_ms)
        {
            for input in due.remove() {
                self.feed(input);
            }
        }
    }

    fn later(&mut self, after_ms: u64, input: In) {
        let due = self.now_ms + after_ms;
        self.answers.entry(due).or_default().push(input);
    }

    fn feed(&mut self, input: In) {
        for action in self.pump.on(input, self.now()) {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action<u64, ()>) {
        match action {
            Action::TakeOwner {
                partition,
                assignment,
            } => self.own(partition, assignment),
            Action::Run(dispatch) => {
                for (place, record) in (1..).zip(&dispatch.records) {
                    let needs = record.body % 2 == 0;
                    let end = if needs && self.is_down {
                        RunEnd::Deferred {
                            cause: Waiting::Dependency("acme".into()),
                            wait: OPEN,
                        }
                    } else {
                        RunEnd::Done { emits: None }
                    };
                    let is_last = matches!(end, RunEnd::Deferred { .. });
                    self.later(RUN_MS * place, Input::Finished { at: record.at, end });
                    if is_last {
                        break;
                    }
                }
            }
            Action::Park(write) => {
                let ok = Input::Parked {
                    partition: write.partition,
                    assignment: write.assignment,
                    park: write.park,
                    result: Ok(()),
                };
                let due = self.now_ms + WRITE_MS;
                self.writes.entry(due).or_default().push(write);
                self.later(WRITE_MS, ok);
            }
            Action::LoadParked(load) => {
                let rows = self.store.load(&load);
                let loaded = Input::ParkedLoaded {
                    partition: load.partition,
                    assignment: load.assignment,
                    load: load.load,
                    key: load.key,
                    result: Ok(rows),
                };
                self.later(WRITE_MS, loaded);
            }
            Action::Settled { at, body, step, .. } => self.settled(at, body, step),
            Action::Commit { commit, offsets } => {
                let mut results = Vec::new();
                for (partition, offset, map) in offsets {
                    let map = map.unwrap_or_default();
                    assert!(map.len() <= 4_096, "a map of {} bytes", map.len());
                    let log = self.logs.get_mut(&partition).expect("it was made");
                    log.committed = (offset.0, map);
                    results.push((partition, CommitResult::Accepted));
                }
                self.later(COMMIT_MS, Input::CommitEnded { commit, results });
            }
            Action::HoldIntake(partition) => self.log(partition).is_held = true,
            Action::ResumeIntake(partition) => self.log(partition).is_held = false,
            Action::Waits { .. } | Action::ForgetSuspects { .. } => {}
            Action::MapIgnored { reason, .. } => panic!("a map is ignored: {reason:?}"),
            other => panic!("nothing here asks for {other:?}"),
        }
    }

    fn log(&mut self, partition: Partition) -> &mut Log {
        self.logs.get_mut(&partition).expect("it was made")
    }

    fn own(&mut self, partition: Partition, assignment: Assignment) {
        let (offset, metadata) = self.log(partition).committed.clone();
        let owned = Input::Owned {
            partition,
            assignment,
            epoch: Epoch(assignment.0 as i64),
            committed: Some(Committed {
                offset: Offset(offset),
                metadata,
            }),
            parked: self.store.state(partition),
        };
        self.later(WRITE_MS, owned);
    }

    fn settled(&mut self, at: At, key: u64, step: StepNumber) {
        self.last_step = step.0;
        let now_ms = self.now_ms;
        let log = self.logs.get_mut(&at.partition).expect("it was made");
        let (written, _) = log.records[at.offset.0 as usize];
        if let Some(&before) = log.settled.get(&at.offset.0) {
            let age = self.killed_ms.saturating_sub(before);
            self.rerun_oldest_ms = self.rerun_oldest_ms.max(age);
            self.reruns += 1;
            return;
        }
        log.settled.insert(at.offset.0, now_ms);
        self.unsettled -= 1;
        let before = self.done.insert(key, at.offset.0);
        assert!(
            before < Some(at.offset.0),
            "key {key}: {} after {before:?}",
            at.offset.0
        );
        if key % 2 == 1 {
            self.healthy_slowest_ms = self.healthy_slowest_ms.max(now_ms - written);
        }
    }
}

fn pump(seed: u64) -> Pump<u64, ()> {
    let config = PumpConfig {
        parking: Some(ParkingConfig::default()),
        ..PumpConfig::new("orders", vec!["orders.v1".into()])
    };
    Pump::new(config, seed)
}

fn partition(number: i32) -> Partition {
    Partition {
        topic: TopicIndex(0),
        number,
    }
}
