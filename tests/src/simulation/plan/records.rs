//! The workload: records of several keys, with handlers that call, emit, fail, overrun and die.

use std::{sync::Arc, time::Duration};

use argosy_kernel::{
    Partition,
    claims::{REMEMBERED_MARGIN, Repeat},
};
use argosy_store::{EffectId, EventKey};
use argosy_testkit::random::Random;

use super::{
    Ending, FaultKind, Faults, PlannedEffect, PlannedLane, PlannedRecord, RecordId, WORKER,
};

const RECORDS_MIN: u64 = 200;
const RECORDS_MAX: u64 = 240;
const EFFECTS_MAX: u64 = 3;

/// Draws all records and the effects that their handlers want.
pub(super) fn plan(
    draw: &mut Random,
    partitions: &[Partition],
) -> (Vec<PlannedRecord>, Vec<PlannedEffect>) {
    let keys = draw.between(3, 24);
    let count = draw.between(RECORDS_MIN, RECORDS_MAX);
    let worker: Arc<str> = Arc::from(WORKER);
    let source: Arc<str> = Arc::from("simulation");
    let mut effects = Vec::new();
    let records = (0..count as u32)
        .map(|number| {
            let of = EventKey {
                worker: Arc::clone(&worker),
                source: Arc::clone(&source),
                event: Arc::from(format!("event-{number}")),
            };
            plan_record(draw, partitions, keys, &of, &mut effects)
        })
        .collect();
    (records, effects)
}

fn plan_record(
    draw: &mut Random,
    partitions: &[Partition],
    keys: u64,
    of: &EventKey,
    effects: &mut Vec<PlannedEffect>,
) -> PlannedRecord {
    let (partition, lane) = plan_place(draw, partitions, keys);
    let first = effects.len() as u32;
    if draw.chance(650) {
        for number in 0..draw.between(1, EFFECTS_MAX) {
            effects.push(plan_effect(draw, of, number));
        }
    }
    PlannedRecord {
        partition,
        lane,
        bytes: draw.between(50, 900) as usize,
        skip: draw.chance(30).then_some("no handler"),
        effects: first..effects.len() as u32,
        emits: if draw.chance(400) {
            draw.between(1, 2) as u8
        } else {
            0
        },
        emits_rejected: draw.chance(10),
        work: plan_work(draw),
        faults: plan_faults(draw),
        ending: match draw.below(50) {
            0 => Ending::Refused,
            1 => Ending::Skipped,
            _ => Ending::Done,
        },
        is_mendable: false,
    }
}

/// A key always lands in the same partition of a topic.
fn plan_place(draw: &mut Random, partitions: &[Partition], keys: u64) -> (Partition, PlannedLane) {
    if draw.chance(100) {
        let partition = partitions[draw.index(partitions.len())];
        return (partition, PlannedLane::Keyless);
    }
    // The smaller of two draws: some keys are hot, others rare.
    let key = draw.below(keys).min(draw.below(keys));
    let topic = partitions[draw.index(partitions.len())].topic;
    let of_topic: Vec<Partition> = partitions
        .iter()
        .copied()
        .filter(|partition| partition.topic == topic)
        .collect();
    let partition = of_topic[key as usize % of_topic.len()];
    let bytes: Arc<[u8]> = Arc::from(key.to_be_bytes().as_slice());
    (partition, PlannedLane::Key(bytes))
}

fn plan_effect(draw: &mut Random, of: &EventKey, number: u64) -> PlannedEffect {
    PlannedEffect {
        id: EffectId {
            of: of.clone(),
            name: Arc::from("place-order"),
            key: Arc::from(format!("supplier-{number}")),
        },
        repeat: match draw.below(10) {
            0..4 => Repeat::Natural,
            // Trusted for little longer than a claim lasts, so that some expired claims are past it.
            4..7 => {
                Repeat::Remembered(REMEMBERED_MARGIN + Duration::from_secs(draw.between(10, 60)))
            }
            _ => Repeat::Never,
        },
        has_lookup: draw.chance(500),
    }
}

fn plan_work(draw: &mut Random) -> Duration {
    let longest = match draw.below(100) {
        0..85 => Duration::from_millis(30),
        85..98 => Duration::from_millis(500),
        _ => Duration::from_secs(5),
    };
    draw.span(Duration::from_micros(50), longest)
}

fn plan_faults(draw: &mut Random) -> Faults {
    let attempts = match draw.below(100) {
        0..8 => 1,
        8..12 => 2,
        12..15 => u32::MAX,
        _ => 0,
    };
    let kind = match draw.below(10) {
        0..5 => FaultKind::Fails,
        5..7 => FaultKind::FailsWithWish,
        7..9 => FaultKind::Panics,
        _ => FaultKind::Overruns,
    };
    Faults { attempts, kind }
}

impl RecordId {
    /// The record as an index.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}
