//! A faithful shell that answers in any order, with any result, under a seed; what it saw is judged at every step.
//!
//! The truth about every record is kept here, outside the pump: whether a handler of it is live, whether it settled,
//! whether its step was acknowledged.

mod group;
mod judge;
mod operator;
mod rows;
mod suspects;

use std::collections::{BTreeMap, BTreeSet};

use argosy_kernel::{
    Assignment, At, CommitNumber, CommitResult, Committed, Death, Epoch, Input, LaneKey, Offset,
    ParkWrite, ParkedLoad, ParkingConfig, Partition, PlanStep, Pump, PumpConfig, Record, RunEnd,
    StepNumber, Time, Waiting, WriteFault,
};
use proptest::prelude::*;

use crate::world::{In, P0, P1, config, key, millis};

const RECORDS: i64 = 60;
const TURNS: usize = 900;
const KEYS: u64 = 7;

/// Every tenth offset is a gap, as a transaction marker leaves it.
fn is_delivered(offset: i64) -> bool {
    offset % 10 != 0
}

/// An answer that the shell owes.
#[derive(Clone, Debug)]
enum Owed {
    /// The handler of the first of these is live.
    Run(Vec<At>),
    Publish(At),
    DeadLetter(At),
    Owner(Partition, Assignment),
    Commit(CommitNumber, Time, Vec<(Partition, Offset, Option<String>)>),
    Park(ParkWrite<i64>),
    Load(ParkedLoad),
}

struct Shell {
    pump: Pump<i64, &'static str>,
    now: Time,
    random: u64,
    assignment: u64,
    epoch: i64,
    /// The newest epoch of each partition.
    epochs: BTreeMap<Partition, i64>,
    rows: BTreeMap<(Partition, i64), rows::Row>,
    /// Keys that are held, by their dead record.
    holds: BTreeMap<(Partition, LaneKey), i64>,
    /// Records whose letter is acknowledged, and whether they are dead still.
    letters: BTreeMap<(Partition, i64), bool>,
    /// Open plan steps.
    steps: BTreeMap<i64, (Partition, PlanStep)>,
    step: i64,
    parks: bool,
    holds_keys: bool,
    held_keys: usize,
    replayed: usize,
    /// Records that were parked.
    parked: usize,
    /// What the owner was told and did not run yet, with its deaths.
    suspects: BTreeMap<(Partition, i64), u32>,
    /// The last one that ran alone.
    alone: Option<(At, u32)>,
    ran_alone: usize,
    condemned: BTreeSet<(Partition, i64)>,
    owed: Vec<Owed>,
    /// By partition: the next offset to deliver, while it is assigned.
    position: BTreeMap<Partition, i64>,
    committed: BTreeMap<Partition, (i64, String)>,
    /// Settled, with the step, and its acknowledgement.
    settled: BTreeMap<(Partition, i64), (u64, bool)>,
    last_step: u64,
    acknowledged: u64,
    /// The highest offset of a lane that settled under the current assignment.
    lane_position: BTreeMap<(Partition, LaneKey), i64>,
    revokes: BTreeMap<u64, Vec<Partition>>,
    revoke: u64,
    held: BTreeSet<Partition>,
    left: bool,
    /// Faults stop, so that everything can end.
    calm: bool,
}

fn lane_of(offset: i64) -> LaneKey {
    match offset.unsigned_abs() % KEYS {
        0 => LaneKey::Keyless(Offset(offset)),
        name => key(&name.to_string()),
    }
}

impl Shell {
    fn new(seed: u64, config: PumpConfig) -> Self {
        Self {
            now: Time::default(),
            random: seed,
            assignment: 0,
            epoch: 0,
            epochs: BTreeMap::new(),
            rows: BTreeMap::new(),
            holds: BTreeMap::new(),
            letters: BTreeMap::new(),
            steps: BTreeMap::new(),
            step: 0,
            parks: config.parking.is_some(),
            holds_keys: config.hold_after_dead,
            held_keys: 0,
            replayed: 0,
            pump: Pump::new(config, seed),
            parked: 0,
            suspects: BTreeMap::new(),
            alone: None,
            ran_alone: 0,
            condemned: BTreeSet::new(),
            owed: Vec::new(),
            position: BTreeMap::new(),
            committed: BTreeMap::new(),
            settled: BTreeMap::new(),
            last_step: 0,
            acknowledged: 0,
            lane_position: BTreeMap::new(),
            revokes: BTreeMap::new(),
            revoke: 0,
            held: BTreeSet::new(),
            left: false,
            calm: false,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        // A linear congruential generator, its high half: enough to shuffle.
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.random >> 33) % below
    }

    fn chance(&mut self, percent: u64) -> bool {
        !self.calm && self.draw(100) < percent
    }

    fn live(&self) -> Vec<At> {
        let runs = self.owed.iter().filter_map(|owed| match owed {
            Owed::Run(rest) => rest.first().copied(),
            _ => None,
        });
        runs.collect()
    }

    fn on(&mut self, input: In) {
        let actions = self.pump.on(input, self.now);
        for action in actions {
            self.carry_out(action);
        }
        self.judge();
    }

    fn turn(&mut self) {
        match self.draw(14) {
            0..=2 => self.deliver(),
            3..=8 => self.answer(),
            9 | 10 => self.acknowledge(),
            11 => self.pass(),
            12 => self.rebalance(),
            _ if self.parks && self.chance(30) => self.operate(),
            _ if self.chance(15) => self.revoke_or_lose(),
            _ => self.answer(),
        }
    }

    fn deliver(&mut self) {
        let partition = if self.draw(2) == 0 { P0 } else { P1 };
        let revoking = self.revokes.values().flatten().any(|p| *p == partition);
        if revoking || self.held.contains(&partition) {
            return;
        }
        let Some(&from) = self.position.get(&partition) else {
            return;
        };
        let to = (from + 1 + self.draw(9) as i64).min(RECORDS);
        let again = if self.chance(10) { 2 } else { 0 };
        let offsets = (from - again).max(0)..to;
        let records = offsets
            .filter(|offset| offset % 10 != 0)
            .map(|offset| Record {
                partition,
                offset: Offset(offset),
                lane: lane_of(offset),
                bytes: 10,
                skip: (offset % 11 == 0).then_some("no handler"),
                body: offset,
            });
        let records = records.collect();
        self.position.insert(partition, to);
        self.on(Input::Records(records));
    }

    fn answer(&mut self) {
        if self.owed.is_empty() {
            return;
        }
        let place = self.draw(self.owed.len() as u64) as usize;
        match self.owed.swap_remove(place) {
            Owed::Run(rest) => self.end_run(rest),
            Owed::Publish(at) => {
                let result = self.write_result();
                self.on(Input::Published { at, result });
            }
            Owed::DeadLetter(at) => {
                let result = self.write_result();
                if result.is_ok() {
                    self.letters.insert((at.partition, at.offset.0), true);
                }
                self.on(Input::DeadLettered { at, result });
            }
            Owed::Owner(partition, assignment) => self.answer_owner(partition, assignment),
            Owed::Commit(commit, _, offsets) => self.answer_commit(commit, offsets),
            Owed::Park(write) => self.answer_park(&write),
            Owed::Load(load) => self.answer_load(load),
        }
    }

    fn end_run(&mut self, mut rest: Vec<At>) {
        let at = rest.remove(0);
        let refused = self.refuse_to_run_alone(at);
        let end = match self.draw(if self.calm { 4 } else { 10 }) {
            0..=2 => RunEnd::Done { emits: None },
            3 => RunEnd::Done {
                emits: Some("events"),
            },
            4 => RunEnd::Skipped("outdated"),
            5 => RunEnd::Failed {
                cause: Death::Attempts,
                retry_after: None,
                residue: "fault",
            },
            6 => RunEnd::Deferred {
                cause: Waiting::Dependency("shop".into()),
                wait: millis(300),
            },
            7 => RunEnd::Dead {
                cause: Death::Refused,
                residue: "fault",
            },
            8 => RunEnd::Dropped {
                in_call: true,
                residue: "dropped",
            },
            _ if self.chance(20) => RunEnd::Fenced,
            _ => RunEnd::Dropped {
                in_call: false,
                residue: "dropped",
            },
        };
        let end = refused.unwrap_or(end);
        let goes_on = matches!(end, RunEnd::Done { emits: None } | RunEnd::Skipped(_));
        if goes_on && !rest.is_empty() {
            self.owed.push(Owed::Run(rest));
        }
        self.on(Input::Finished { at, end });
    }

    fn write_result(&mut self) -> Result<(), WriteFault> {
        match self.draw(20) {
            0..=3 if !self.calm => Err(WriteFault::Unavailable),
            4 if !self.calm => Err(WriteFault::Rejected),
            _ => Ok(()),
        }
    }

    fn answer_owner(&mut self, partition: Partition, assignment: Assignment) {
        if self.chance(20) {
            let cause = Waiting::Dependency("store".into());
            self.on(Input::NotOwned {
                partition,
                assignment,
                cause,
            });
            return;
        }
        self.epoch += 1;
        self.epochs.insert(partition, self.epoch);
        // What settled without a tombstone runs again.
        self.lane_position.retain(|(of, _), _| *of != partition);
        let mut parked = self.found(partition);
        parked.suspects = self.draw_suspects(partition, assignment);
        let committed = self
            .committed
            .get(&partition)
            .map(|(offset, metadata)| Committed {
                offset: Offset(*offset),
                metadata: metadata.clone(),
            });
        self.on(Input::Owned {
            partition,
            assignment,
            epoch: Epoch(self.epoch),
            committed,
            parked,
        });
    }

    fn answer_commit(
        &mut self,
        commit: CommitNumber,
        offsets: Vec<(Partition, Offset, Option<String>)>,
    ) {
        let mut results = Vec::new();
        for (partition, offset, metadata) in offsets {
            let result = match self.draw(10) {
                0 if !self.calm => CommitResult::Stale,
                1 if !self.calm => CommitResult::Failed,
                2 if !self.calm && metadata.is_some() => CommitResult::MetadataTooLarge,
                _ => CommitResult::Accepted,
            };
            if result == CommitResult::Accepted {
                let position = (offset.0, metadata.unwrap_or_default());
                self.committed.insert(partition, position);
            }
            results.push((partition, result));
        }
        self.on(Input::CommitEnded { commit, results });
    }

    fn acknowledge(&mut self) {
        let open = self.last_step - self.acknowledged;
        if open == 0 {
            return;
        }
        self.acknowledged += 1 + self.draw(open);
        for (step, acknowledged) in self.settled.values_mut() {
            *acknowledged |= *step <= self.acknowledged;
        }
        self.on(Input::StepsAcknowledged(StepNumber(self.acknowledged)));
    }

    fn pass(&mut self) {
        let later = match self.draw(40) {
            0 => millis(61_000),
            1 => millis(6_000),
            _ => millis(self.draw(400)),
        };
        self.now = self.now.plus(later);
        self.on(Input::Tick);
    }

    /// Without faults everything settles, is committed, and a shutdown ends.
    fn wind_up(&mut self) {
        self.calm = true;
        for round in 0..20_000 {
            let done = self
                .committed
                .values()
                .filter(|(offset, _)| *offset >= RECORDS)
                .count();
            let waits = self.rows.values().any(|row| !row.is_settled);
            if done == 2 && !waits && self.holds.is_empty() && self.steps.is_empty() {
                break;
            }
            assert!(
                round < 19_999,
                "not settled: {:?} {:?} {:?} {:?} {:?}",
                self.committed,
                self.owed,
                self.holds,
                self.steps,
                self.rows
                    .iter()
                    .filter(|(_, row)| !row.is_settled)
                    .collect::<Vec<_>>()
            );
            self.turn();
            self.acknowledge();
            if round % 20 == 0 {
                self.release_all();
            }
            if round % 10 == 0 {
                self.now = self.now.plus(millis(200));
                self.on(Input::Tick);
            }
        }
        self.on(Input::Shutdown);
        for _ in 0..2_000 {
            self.answer();
            self.acknowledge();
            self.now = self.now.plus(millis(100));
            self.on(Input::Tick);
        }
        for partition in [P0, P1] {
            for offset in (0..RECORDS).filter(|&offset| is_delivered(offset)) {
                assert!(
                    self.settled.contains_key(&(partition, offset)),
                    "{offset} was parked and forgotten"
                );
            }
        }
        assert!(self.left, "the shutdown ends");
        assert!(self.revokes.is_empty(), "every revoke is answered");
    }
}

fn judge_seed(seed: u64, parking: Option<ParkingConfig>, hold_after_dead: bool) -> Shell {
    let config = PumpConfig {
        hold_after_dead,
        running_max: 5,
        dispatch_records_max: 3,
        partition_records_max: 12,
        parking,
        suspect_wait: millis(500),
        ..config()
    };
    let mut shell = Shell::new(seed, config);
    shell.rebalance();
    for _ in 0..TURNS {
        shell.turn();
    }
    shell.wind_up();
    shell
}

/// Small limits, so that all of them are met.
fn narrow() -> ParkingConfig {
    ParkingConfig {
        after: millis(200),
        keys_max: 3,
        bytes_max: 200,
        write_records_max: 4,
        write_bytes_max: 25,
        load_records_max: 2,
        lanes_max: 2,
        look_max: millis(1_000),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_order_of_answers_nothing_is_lost_passed_over_or_run_twice_at_once(seed: u64) {
        judge_seed(seed, None, false);
    }

    #[test]
    fn what_is_parked_on_the_way_is_neither_lost_nor_overtaken(seed: u64) {
        judge_seed(seed, Some(narrow()), false);
    }

    #[test]
    fn behind_a_dead_record_its_key_waits_until_an_operator_ends_that(seed: u64) {
        judge_seed(seed, Some(narrow()), true);
    }
}

#[test]
fn the_seeds_do_park_hold_and_replay() {
    let shells: Vec<Shell> = (0..20)
        .map(|seed| judge_seed(seed, Some(narrow()), true))
        .collect();
    let sum = |of: fn(&Shell) -> usize| shells.iter().map(of).sum::<usize>();
    let (parked, held, replayed) = (
        sum(|shell| shell.parked),
        sum(|shell| shell.held_keys),
        sum(|shell| shell.replayed),
    );
    assert!(parked > 200, "{parked}");
    assert!(held > 50, "{held}");
    assert!(replayed > 20, "{replayed}");
}

#[test]
fn the_seeds_do_run_suspects_alone_and_condemn_some() {
    let shells = (0..20).map(|seed| judge_seed(seed, None, false));
    let (alone, condemned) = shells.fold((0, 0), |(alone, condemned), shell| {
        (alone + shell.ran_alone, condemned + shell.condemned.len())
    });
    assert!(alone > 50 && condemned > 20, "{alone} {condemned}");
}
