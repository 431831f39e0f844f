//! Any sequence of inputs, sensible or not, is taken without a panic, and the hard limits hold throughout.

use std::{sync::Arc, time::Duration};

use argosy_kernel::{
    Action, Assignment, At, CommitNumber, CommitResult, Committed, Death, Epoch, Input, LaneKey,
    Offset, Order, ParkedState, Partition, Pump, PumpConfig, Record, RevokeNumber, RunEnd,
    StepNumber, Suspect, Time, TopicIndex, Waiting, WriteFault,
};
use proptest::{collection::vec, prelude::*};

use crate::world::{In, config};

fn partitions() -> impl Strategy<Value = Partition> {
    // Topic 9 is not subscribed; partition -1 does not exist.
    (prop_oneof![Just(0_u16), Just(9)], -1_i32..2).prop_map(|(topic, number)| Partition {
        topic: TopicIndex(topic),
        number,
    })
}

fn offsets() -> impl Strategy<Value = Offset> {
    prop_oneof![
        20 => (0_i64..12).prop_map(Offset),
        1 => Just(Offset(i64::MAX)),
        1 => Just(Offset(i64::MIN)),
        1 => Just(Offset(-1)),
    ]
}

fn assignments() -> impl Strategy<Value = Assignment> {
    prop_oneof![20 => (0_u64..5).prop_map(Assignment), 1 => Just(Assignment(u64::MAX))]
}

fn spots() -> impl Strategy<Value = At> {
    (partitions(), assignments(), offsets()).prop_map(|(partition, assignment, offset)| At {
        partition,
        assignment,
        offset,
    })
}

fn waits() -> impl Strategy<Value = Duration> {
    prop_oneof![
        8 => (0_u64..3_000).prop_map(Duration::from_millis),
        1 => Just(Duration::MAX),
    ]
}

fn records() -> impl Strategy<Value = Record<i64>> {
    let lanes = prop_oneof![
        (0_u8..4).prop_map(|key| LaneKey::Key(Arc::from([key]))),
        offsets().prop_map(LaneKey::Keyless),
        Just(LaneKey::Whole),
    ];
    let bytes = prop_oneof![9 => 0_usize..1_000, 1 => Just(usize::MAX)];
    (partitions(), offsets(), lanes, bytes, any::<bool>()).prop_map(
        |(partition, offset, lane, bytes, skip)| Record {
            partition,
            offset,
            lane,
            bytes,
            skip: skip.then_some("no handler"),
            body: offset.0,
        },
    )
}

fn ends() -> impl Strategy<Value = RunEnd<&'static str>> {
    prop_oneof![
        any::<bool>().prop_map(|emits| RunEnd::Done {
            emits: emits.then_some("events"),
        }),
        Just(RunEnd::Skipped("outdated")),
        proptest::option::of(waits()).prop_map(|retry_after| RunEnd::Failed {
            cause: Death::Attempts,
            retry_after,
            residue: "fault",
        }),
        waits().prop_map(|wait| RunEnd::Deferred {
            cause: Waiting::Quota("shop".into()),
            wait,
        }),
        waits().prop_map(|wait| RunEnd::Deferred {
            cause: Waiting::Suspect,
            wait,
        }),
        Just(RunEnd::Dead {
            cause: Death::Invalid,
            residue: "fault",
        }),
        any::<bool>().prop_map(|in_call| RunEnd::Dropped {
            in_call,
            residue: "dropped",
        }),
        Just(RunEnd::Fenced),
    ]
}

fn write_results() -> impl Strategy<Value = Result<(), WriteFault>> {
    prop_oneof![
        Just(Ok(())),
        Just(Err(WriteFault::Unavailable)),
        Just(Err(WriteFault::Rejected)),
    ]
}

/// Known and unknown offsets, the same one twice, any number of deaths.
fn suspects() -> impl Strategy<Value = Vec<Suspect>> {
    let deaths = prop_oneof![0_u32..5, Just(u32::MAX)];
    let suspect = (offsets(), deaths).prop_map(|(offset, deaths)| Suspect { offset, deaths });
    vec(suspect, 0..6)
}

fn inputs() -> impl Strategy<Value = In> {
    let committed =
        (offsets(), ".{0,20}").prop_map(|(offset, metadata)| Committed { offset, metadata });
    let results = prop_oneof![
        Just(CommitResult::Accepted),
        Just(CommitResult::Stale),
        Just(CommitResult::MetadataTooLarge),
        Just(CommitResult::Failed),
    ];
    prop_oneof![
        6 => vec(records(), 0..12).prop_map(Input::Records),
        3 => (assignments(), vec(partitions(), 0..3))
            .prop_map(|(assignment, partitions)| Input::Assigned { assignment, partitions }),
        4 => (partitions(), assignments(), -1_i64..5, proptest::option::of(committed), suspects()).prop_map(
            |(partition, assignment, epoch, committed, suspects)| Input::Owned {
                partition,
                assignment,
                epoch: Epoch(epoch),
                committed,
                parked: ParkedState {
                    suspects,
                    ..ParkedState::default()
                },
            }
        ),
        1 => (partitions(), assignments()).prop_map(|(partition, assignment)| Input::NotOwned {
            partition,
            assignment,
            cause: Waiting::Dependency("store".into()),
        }),
        1 => (0_u64..4, vec(partitions(), 0..3)).prop_map(|(revoke, partitions)| {
            Input::RevokeAsked { revoke: RevokeNumber(revoke), partitions }
        }),
        1 => vec(partitions(), 0..3).prop_map(|partitions| Input::Lost { partitions }),
        12 => (spots(), ends()).prop_map(|(at, end)| Input::Finished { at, end }),
        6 => (spots(), write_results()).prop_map(|(at, result)| Input::Published { at, result }),
        6 => (spots(), write_results()).prop_map(|(at, result)| Input::DeadLettered { at, result }),
        4 => (0_u64..20, vec((partitions(), results), 0..4)).prop_map(|(commit, results)| {
            Input::CommitEnded { commit: CommitNumber(commit), results }
        }),
        3 => prop_oneof![0_u64..40, Just(u64::MAX)]
            .prop_map(|step| Input::StepsAcknowledged(StepNumber(step))),
        4 => Just(Input::Tick),
    ]
}

fn configs() -> impl Strategy<Value = PumpConfig> {
    let orders = prop_oneof![Just(Order::Key), Just(Order::Partition), Just(Order::None)];
    (
        orders,
        0_usize..4,
        0_usize..4,
        0_usize..6,
        waits(),
        0_u32..4,
    )
        .prop_map(
            |(
                order,
                running_max,
                dispatch_records_max,
                partition_records_max,
                short,
                attempts_max,
            )| {
                let mut config = config();
                config.order = order;
                config.running_max = running_max;
                config.dispatch_records_max = dispatch_records_max;
                config.partition_records_max = partition_records_max;
                config.partition_bytes_max = 2_000;
                config.write_retry = short;
                config.run_deadline = short;
                config.drain_budget = short;
                config.commit_every = short;
                config.suspect_wait = short;
                config.deaths_max = attempts_max;
                config.metadata_bytes_max = 30;
                config.retry.attempts_max = attempts_max;
                config.retry.base = short;
                config
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_inputs_breaks_the_pump(
        config in configs(),
        steps in vec((inputs(), waits()), 1..80),
        shutdown_after in 0_usize..160,
    ) {
        let running_max = config.running_max.max(1);
        let mut pump = Pump::new(config, 7);
        let mut now = Time::default();
        let mut last_step = 0;
        let mut leaves = 0;
        for (index, (input, later)) in steps.into_iter().enumerate() {
            now = now.plus(later);
            let input = if index == shutdown_after { Input::Shutdown } else { input };
            for action in pump.on(input, now) {
                match action {
                    Action::Settled { step, .. } => {
                        last_step += 1;
                        prop_assert_eq!(step.0, last_step);
                    }
                    Action::Leave => leaves += 1,
                    Action::Run(dispatch) => prop_assert!(!dispatch.records.is_empty()),
                    _ => {}
                }
            }
            let live: usize = every_partition().map(|partition| pump.live_runs(partition)).sum();
            prop_assert!(live <= running_max);
        }
        prop_assert!(leaves <= 1);
    }
}

/// Every partition that the inputs can name.
fn every_partition() -> impl Iterator<Item = Partition> {
    [0, 9].into_iter().flat_map(|topic| {
        (-1..2).map(move |number| Partition {
            topic: TopicIndex(topic),
            number,
        })
    })
}
