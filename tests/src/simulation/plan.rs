//! What a seed decides before anything runs: the workload, the settings, the weather and the troubles.
//!
//! Nothing here depends on what the pumps do, so a change in the kernel leaves a seed's plan as it was.

mod records;
mod troubles;

use std::{sync::Arc, time::Duration};

use argosy_kernel::{
    LaneKey, Order, ParkingConfig, Partition, PumpConfig, RetryPolicy, TopicIndex, claims::Repeat,
};
use argosy_store::EffectId;
use argosy_testkit::{broker::group::GroupSettings, random::Random, vendor::FaultRates};

pub(crate) use self::troubles::{POINTS, Point, TROUBLED_FOR, Trouble, TroubleKind, When};

/// The group under test, and the worker's name in the store.
pub(crate) const WORKER: &str = "orders";

/// Longest a call may take, from sending to its end; no vendor applies a call later than that.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Index of a planned record; the body that the pumps carry around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RecordId(pub(crate) u32);

/// Index of a planned effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EffectIndex(pub(crate) u32);

/// Everything that a seed decides.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) random: Random,
    pub(crate) pump: PumpConfig,
    pub(crate) group: GroupSettings,
    pub(crate) instances: usize,
    pub(crate) records: Vec<PlannedRecord>,
    pub(crate) effects: Vec<PlannedEffect>,
    pub(crate) weather: Weather,
    pub(crate) troubles: Vec<Trouble>,
    /// The record that kills every process that runs it, if there is one.
    pub(crate) killer: Option<RecordId>,
}

/// A record to be published, and how its handler will conduct itself.
#[derive(Debug)]
pub(crate) struct PlannedRecord {
    pub(crate) partition: Partition,
    pub(crate) lane: PlannedLane,
    pub(crate) bytes: usize,
    pub(crate) skip: Option<&'static str>,
    pub(crate) effects: std::ops::Range<u32>,
    pub(crate) emits: u8,
    pub(crate) emits_rejected: bool,
    pub(crate) work: Duration,
    pub(crate) faults: Faults,
    pub(crate) ending: Ending,
    /// Who asks for its replay has found what it died of, and mended that: its faults are over.
    pub(crate) is_mendable: bool,
}

/// What orders a record, before its offset is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PlannedLane {
    Key(Arc<[u8]>),
    Keyless,
}

impl PlannedLane {
    /// The lane key, once the broker has given the record its offset.
    pub(crate) fn key(&self, offset: argosy_kernel::Offset) -> LaneKey {
        match self {
            Self::Key(key) => LaneKey::Key(Arc::clone(key)),
            Self::Keyless => LaneKey::Keyless(offset),
        }
    }
}

/// The first attempts of a record end in its own fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Faults {
    pub(crate) attempts: u32,
    pub(crate) kind: FaultKind,
}

/// How an attempt goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The handler fails, after its effects.
    Fails,
    /// The handler asks for a wait of its own.
    FailsWithWish,
    /// The handler panics.
    Panics,
    /// The handler never comes back.
    Overruns,
}

/// How a run ends that has no fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Done,
    Skipped,
    Refused,
}

/// An effect that a handler wants.
#[derive(Debug)]
pub(crate) struct PlannedEffect {
    pub(crate) id: EffectId,
    pub(crate) repeat: Repeat,
    pub(crate) has_lookup: bool,
}

/// How often, in a thousand times, things go wrong by themselves until the faults stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) vendor: FaultRates,
    pub(crate) vendor_slow: u64,
    pub(crate) produce_lost: u64,
    pub(crate) produce_refused: u64,
    pub(crate) commit_failed: u64,
    pub(crate) commit_unanswered: u64,
    pub(crate) store_answer_lost: u64,
    pub(crate) delivered_twice: u64,
    pub(crate) delivered_late: u64,
    pub(crate) slow_message: u64,
    pub(crate) stuck_message: u64,
    pub(crate) foreign_map: u64,
    pub(crate) markers: u64,
}

impl Weather {
    /// Nothing goes wrong any more.
    pub(crate) const CALM: Self = Self {
        vendor: FaultRates {
            not_executed: 0,
            failed_before: 0,
            failed_after: 0,
            cut_before: 0,
            cut_after: 0,
        },
        vendor_slow: 0,
        produce_lost: 0,
        produce_refused: 0,
        commit_failed: 0,
        commit_unanswered: 0,
        store_answer_lost: 0,
        delivered_twice: 0,
        delivered_late: 0,
        slow_message: 0,
        stuck_message: 0,
        foreign_map: 0,
        markers: 0,
    };
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let random = Random::new(seed);
        let mut draw = random.fork(1);
        let topics = draw.between(1, 2);
        let partitions: Vec<Partition> = (0..topics)
            .flat_map(|topic| {
                let count = draw.between(2, 3) as i32;
                (0..count).map(move |number| Partition {
                    topic: TopicIndex(topic as u16),
                    number,
                })
            })
            .collect();
        let mut pump = pump_config(&mut draw, topics);
        pump.parking = parking(&mut random.fork(4));
        let group = GroupSettings {
            partitions,
            session_timeout: Duration::from_secs(6),
            rebalance_timeout: Duration::from_secs(10),
            metadata_bytes_max: if draw.chance(150) { 24 } else { 4_096 },
        };
        let mut holding = random.fork(6);
        pump.hold_after_dead = pump.parking.is_some() && holding.chance(500);
        let (mut records, effects) = records::plan(&mut random.fork(2), &group.partitions);
        for record in &mut records {
            record.is_mendable = holding.chance(500);
        }
        let mut deadly = random.fork(5);
        pump.suspect_wait = deadly.span(Duration::from_millis(200), Duration::from_secs(3));
        let killer = killer(&mut deadly, &records);
        Self {
            pump,
            killer,
            group,
            instances: draw.between(2, 3) as usize,
            records,
            effects,
            weather: weather(&mut draw),
            troubles: troubles::plan(&mut random.fork(3)),
            random,
        }
    }

    /// The record's plan.
    pub(crate) fn record(&self, record: RecordId) -> &PlannedRecord {
        &self.records[record.0 as usize]
    }

    /// What a repeat of this effect does.
    pub(crate) fn repeat_of(&self, id: &EffectId) -> Repeat {
        self.effects
            .iter()
            .find(|effect| effect.id == *id)
            .map_or(Repeat::Never, |effect| effect.repeat)
    }

    /// The effect's plan.
    pub(crate) fn effect(&self, effect: EffectIndex) -> &PlannedEffect {
        &self.effects[effect.0 as usize]
    }
}

/// In some seeds one record kills its process; one that is run at all.
fn killer(draw: &mut Random, records: &[PlannedRecord]) -> Option<RecordId> {
    let chosen = draw.index(records.len());
    let is_run = records[chosen].skip.is_none();
    (draw.chance(200) && is_run).then_some(RecordId(chosen as u32))
}

fn pump_config(draw: &mut Random, topics: u64) -> PumpConfig {
    let names = (0..topics).map(topic_name).collect();
    let mut config = PumpConfig::new(WORKER, names);
    config.order = match draw.below(10) {
        0 => Order::Partition,
        1 => Order::None,
        _ => Order::Key,
    };
    config.running_max = draw.between(2, 10) as usize;
    config.dispatch_records_max = draw.between(1, 6) as usize;
    config.partition_records_max = draw.between(6, 40) as usize;
    config.partition_bytes_max = draw.between(2_000, 100_000) as usize;
    config.commit_every = draw.span(Duration::from_millis(200), Duration::from_millis(1_200));
    config.commit_timeout = Duration::from_secs(3);
    config.drain_budget = draw.span(Duration::from_millis(300), Duration::from_secs(4));
    config.shutdown_budget = draw.span(Duration::from_millis(500), Duration::from_secs(6));
    config.run_deadline = draw.span(Duration::from_secs(6), Duration::from_secs(12));
    config.write_retry = draw.span(Duration::from_millis(100), Duration::from_millis(500));
    config.metadata_bytes_max = if draw.chance(100) { 20 } else { 4_096 };
    config.retry = RetryPolicy {
        attempts_max: draw.between(2, 4) as u32,
        base: Duration::from_millis(50),
        wait_max: Duration::from_secs(2),
        age_max: Duration::from_secs(3_600),
    };
    config
}

/// Narrow limits, so that all of them are met; some seeds park nothing.
fn parking(draw: &mut Random) -> Option<ParkingConfig> {
    if draw.chance(300) {
        return None;
    }
    Some(ParkingConfig {
        after: draw.span(Duration::from_millis(100), Duration::from_secs(3)),
        keys_max: draw.between(1, 12) as usize,
        bytes_max: draw.between(4_000, 200_000) as usize,
        write_records_max: draw.between(1, 16) as usize,
        write_bytes_max: draw.between(500, 20_000) as usize,
        load_records_max: draw.between(1, 8) as usize,
        lanes_max: draw.between(1, 8) as usize,
        look_max: draw.span(Duration::from_secs(1), Duration::from_secs(5)),
    })
}

/// The name of a subscribed topic.
pub(crate) fn topic_name(index: u64) -> String {
    format!("orders-{index}")
}

fn weather(draw: &mut Random) -> Weather {
    // Some seeds are calm in one respect, so that a fault's consequences are also seen without the noise of others.
    let mut up_to = |worst: u64| {
        if draw.chance(300) {
            0
        } else {
            draw.below(worst + 1)
        }
    };
    Weather {
        vendor: FaultRates {
            not_executed: up_to(60),
            failed_before: up_to(30),
            failed_after: up_to(30),
            cut_before: up_to(20),
            cut_after: up_to(30),
        },
        vendor_slow: up_to(40),
        produce_lost: up_to(60),
        produce_refused: up_to(60),
        commit_failed: up_to(120),
        commit_unanswered: up_to(30),
        store_answer_lost: up_to(15),
        delivered_twice: up_to(80),
        delivered_late: up_to(300),
        slow_message: up_to(60),
        stuck_message: up_to(6),
        foreign_map: up_to(400),
        markers: up_to(150),
    }
}
