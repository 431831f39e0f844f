//! A pump with its clock, and short words for its inputs and actions.

use std::{sync::Arc, time::Duration};

use argosy_kernel::{
    Action, Assignment, At, CommitNumber, CommitResult, Committed, Death, Epoch, Input, LaneKey,
    LaneState, LaneView, Offset, ParkedState, Partition, Pump, PumpConfig, Record, RevokeNumber,
    RunEnd, StepNumber, Time, TopicIndex, Waiting, WriteFault,
};

pub(crate) type Act = Action<i64, &'static str>;
pub(crate) type In = Input<i64, &'static str>;
pub(crate) type End = RunEnd<&'static str>;

pub(crate) const P0: Partition = partition(0, 0);
pub(crate) const P1: Partition = partition(0, 1);

pub(crate) const fn partition(topic: u16, number: i32) -> Partition {
    Partition {
        topic: TopicIndex(topic),
        number,
    }
}

pub(crate) fn config() -> PumpConfig {
    PumpConfig::new("orders", vec!["orders.v1".into(), "products.v1".into()])
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn key(name: &str) -> LaneKey {
    LaneKey::Key(Arc::from(name.as_bytes()))
}

/// A record of 100 bytes.
pub(crate) fn record(partition: Partition, offset: i64, lane: LaneKey) -> Record<i64> {
    Record {
        partition,
        offset: Offset(offset),
        lane,
        bytes: 100,
        skip: None,
        body: offset,
    }
}

/// A record that no handler wants.
pub(crate) fn foreign(partition: Partition, offset: i64) -> Record<i64> {
    Record {
        skip: Some("no handler"),
        ..record(partition, offset, key("foreign"))
    }
}

pub(crate) const DONE: End = RunEnd::Done { emits: None };

pub(crate) fn emits(events: &'static str) -> End {
    RunEnd::Done {
        emits: Some(events),
    }
}

pub(crate) fn failed() -> End {
    RunEnd::Failed {
        cause: Death::Attempts,
        retry_after: None,
        residue: "fault",
    }
}

pub(crate) fn failed_until(retry_after: Duration) -> End {
    RunEnd::Failed {
        cause: Death::Attempts,
        retry_after: Some(retry_after),
        residue: "fault",
    }
}

pub(crate) fn deferred(dependency: &str, wait: Duration) -> End {
    RunEnd::Deferred {
        cause: Waiting::Dependency(dependency.into()),
        wait,
    }
}

pub(crate) fn dropped(in_call: bool) -> End {
    RunEnd::Dropped {
        in_call,
        residue: "dropped",
    }
}

/// The pump under test, at a time that only the test moves.
pub(crate) struct World {
    pub(crate) pump: Pump<i64, &'static str>,
    pub(crate) now: Time,
    assignment: u64,
    last_step: u64,
}

impl World {
    pub(crate) fn new(config: PumpConfig) -> Self {
        Self {
            pump: Pump::new(config, 1),
            now: Time::default(),
            assignment: 0,
            last_step: 0,
        }
    }

    /// A world in which these partitions are assigned and owned at epoch 1, nothing committed.
    pub(crate) fn owning(config: PumpConfig, partitions: &[Partition]) -> Self {
        let mut world = Self::new(config);
        world.assign(partitions);
        for &partition in partitions {
            world.own(partition, 1, None);
        }
        world
    }

    pub(crate) fn on(&mut self, input: In) -> Vec<Act> {
        let actions = self.pump.on(input, self.now);
        for action in &actions {
            if let Action::Settled { step, .. } = action {
                assert_eq!(step.0, self.last_step + 1, "steps increase by one");
                self.last_step = step.0;
            }
        }
        if let Some(wake_at) = self.pump.wake_at() {
            assert!(wake_at > self.now, "what is due was done: {wake_at:?}");
        }
        // Some tests hold tens of thousands of records: looking at all of them each time takes minutes.
        if self.pump.held(P0).records < 100 {
            self.check_wake_ups();
        }
        actions
    }

    fn check_wake_ups(&self) {
        for lane in self.pump.lanes() {
            if let LaneState::Waiting { until, .. } = lane.state {
                assert!(self.pump.wake_at().is_some_and(|wake_at| wake_at <= until));
            }
        }
    }

    pub(crate) fn assign(&mut self, partitions: &[Partition]) -> Vec<Act> {
        self.assignment += 1;
        self.on(Input::Assigned {
            assignment: self.assignment(),
            partitions: partitions.to_vec(),
        })
    }

    pub(crate) fn assignment(&self) -> Assignment {
        Assignment(self.assignment)
    }

    pub(crate) fn own(
        &mut self,
        partition: Partition,
        epoch: i64,
        committed: Option<(i64, &str)>,
    ) -> Vec<Act> {
        self.on(Input::Owned {
            partition,
            assignment: self.assignment(),
            epoch: Epoch(epoch),
            committed: committed.map(|(offset, metadata)| Committed {
                offset: Offset(offset),
                metadata: metadata.to_owned(),
            }),
            parked: ParkedState::default(),
        })
    }

    pub(crate) fn records(&mut self, records: Vec<Record<i64>>) -> Vec<Act> {
        self.on(Input::Records(records))
    }

    /// Delivers offsets of one key.
    pub(crate) fn deliver(
        &mut self,
        name: &str,
        offsets: impl IntoIterator<Item = i64>,
    ) -> Vec<Act> {
        let records = offsets.into_iter();
        self.records(
            records
                .map(|offset| record(P0, offset, key(name)))
                .collect(),
        )
    }

    /// Delivers offsets without a key: each is a lane of its own.
    pub(crate) fn deliver_keyless(&mut self, offsets: impl IntoIterator<Item = i64>) -> Vec<Act> {
        let records = offsets.into_iter();
        let keyless = records.map(|offset| record(P0, offset, LaneKey::Keyless(Offset(offset))));
        self.records(keyless.collect())
    }

    pub(crate) fn at(&self, partition: Partition, offset: i64) -> At {
        At {
            partition,
            assignment: self.assignment(),
            offset: Offset(offset),
        }
    }

    pub(crate) fn finish(&mut self, offset: i64, end: End) -> Vec<Act> {
        self.finish_at(self.at(P0, offset), end)
    }

    pub(crate) fn finish_at(&mut self, at: At, end: End) -> Vec<Act> {
        self.on(Input::Finished { at, end })
    }

    pub(crate) fn published(&mut self, offset: i64, result: Result<(), WriteFault>) -> Vec<Act> {
        self.on(Input::Published {
            at: self.at(P0, offset),
            result,
        })
    }

    pub(crate) fn dead_lettered(
        &mut self,
        offset: i64,
        result: Result<(), WriteFault>,
    ) -> Vec<Act> {
        self.on(Input::DeadLettered {
            at: self.at(P0, offset),
            result,
        })
    }

    /// Acknowledges every step so far.
    pub(crate) fn acknowledge(&mut self) -> Vec<Act> {
        self.on(Input::StepsAcknowledged(StepNumber(self.last_step)))
    }

    pub(crate) fn commit_ended(&mut self, commit: u64, result: CommitResult) -> Vec<Act> {
        self.commit_ended_at(commit, P0, result)
    }

    pub(crate) fn commit_ended_at(
        &mut self,
        commit: u64,
        partition: Partition,
        result: CommitResult,
    ) -> Vec<Act> {
        self.on(Input::CommitEnded {
            commit: CommitNumber(commit),
            results: vec![(partition, result)],
        })
    }

    pub(crate) fn revoke(&mut self, revoke: u64, partitions: &[Partition]) -> Vec<Act> {
        self.on(Input::RevokeAsked {
            revoke: RevokeNumber(revoke),
            partitions: partitions.to_vec(),
        })
    }

    pub(crate) fn lose(&mut self, partitions: &[Partition]) -> Vec<Act> {
        self.on(Input::Lost {
            partitions: partitions.to_vec(),
        })
    }

    /// Lets time pass in one step.
    pub(crate) fn pass(&mut self, later: Duration) -> Vec<Act> {
        self.now = self.now.plus(later);
        self.on(Input::Tick)
    }

    /// The lane of a key in the first partition.
    pub(crate) fn lane(&self, name: &str) -> LaneView<'_> {
        let name = key(name);
        let mut lanes = self.pump.lanes();
        lanes
            .find(|lane| *lane.key == name)
            .expect("the test put a record into this lane")
    }

    pub(crate) fn frontier(&self) -> Option<i64> {
        self.pump.frontier(P0).map(|offset| offset.0)
    }
}
