//! Maps that are not ours to use: another group's, another topic's, of another base, or damaged. All of them lie.
//!
//! They come out of a real pump that is shown a partition in which everything but the first record is done.

use std::time::Duration;

use argosy_kernel::{
    Action, Assignment, Committed, Epoch, Input, LaneKey, Offset, Order, ParkedState, Partition,
    Pump, PumpConfig, Record, RunEnd, Time,
};

/// Records that a lying map calls clear.
const LIES: i64 = 12;

/// Metadata to be found beside `base`; `kind` chooses what is wrong with it. `None` if the pump makes no map.
pub(crate) fn map(
    config: &PumpConfig,
    partition: Partition,
    base: Offset,
    kind: u64,
) -> Option<String> {
    let mut config = config.clone();
    config.metadata_bytes_max = 4_096;
    let mut at = base;
    match kind % 4 {
        0 => config.group.push_str("-other"),
        1 => {
            for topic in &mut config.topics {
                topic.push_str("-other");
            }
        }
        2 => at = Offset(base.0 + 1 + (kind >> 8 & 3) as i64),
        _ => return draw(config, partition, base).map(|map| damage(map, kind >> 8)),
    }
    draw(config, partition, at)
}

/// What a pump of this configuration commits when all but the record at `base` are done.
fn draw(mut config: PumpConfig, partition: Partition, base: Offset) -> Option<String> {
    config.order = Order::None;
    config.running_max = 64;
    config.partition_records_max = 64;
    config.partition_bytes_max = 1 << 20;
    let mut pump: Pump<(), ()> = Pump::new(config, 0);
    let start = Time(Duration::from_secs(1));
    let assignment = Assignment(1);
    let mut actions = pump.on(
        Input::Assigned {
            assignment,
            partitions: vec![partition],
        },
        start,
    );
    actions.extend(pump.on(
        Input::Owned {
            partition,
            assignment,
            epoch: Epoch(1),
            committed: Some(Committed {
                offset: base,
                metadata: String::new(),
            }),
            parked: ParkedState::default(),
        },
        start,
    ));
    let records = (base.0..=base.0 + LIES)
        .map(|offset| Record {
            partition,
            offset: Offset(offset),
            lane: LaneKey::Keyless(Offset(offset)),
            bytes: 1,
            skip: None,
            body: (),
        })
        .collect();
    actions.extend(pump.on(Input::Records(records), start));
    finish_all_but(base, &mut pump, actions, start);
    let later = start.plus(Duration::from_secs(60));
    pump.on(Input::Tick, later)
        .into_iter()
        .find_map(|action| match action {
            Action::Commit { offsets, .. } => offsets.into_iter().find_map(|(.., map)| map),
            _ => None,
        })
}

fn finish_all_but(
    base: Offset,
    pump: &mut Pump<(), ()>,
    mut actions: Vec<Action<(), ()>>,
    now: Time,
) {
    while !actions.is_empty() {
        let mut next = Vec::new();
        for action in actions {
            match action {
                Action::Run(dispatch) => {
                    for run in dispatch.records.iter().filter(|run| run.at.offset != base) {
                        let end = RunEnd::Done { emits: None };
                        next.extend(pump.on(Input::Finished { at: run.at, end }, now));
                    }
                }
                Action::Settled { step, .. } => {
                    next.extend(pump.on(Input::StepsAcknowledged(step), now));
                }
                _ => {}
            }
        }
        actions = next;
    }
}

/// One character replaced, or the end cut off.
fn damage(map: String, how: u64) -> String {
    let mut bytes = map.into_bytes();
    let position = (how >> 1) as usize % bytes.len().max(1);
    if how & 1 == 0 {
        bytes.truncate(position);
    } else if let Some(byte) = bytes.get_mut(position) {
        *byte = if *byte == b'A' { b'B' } else { b'A' };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
