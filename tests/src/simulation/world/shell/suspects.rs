//! What a killed process was running, and how the store hears of it: before the next process joins.

use std::{sync::Arc, time::Duration};

use argosy_kernel::{At, Offset, Partition};
use argosy_store::{LeftRecord, LeftRunning};
use argosy_testkit::store::{Answer, Operation};
use uuid::Uuid;

use crate::simulation::{
    event::{Event, Incoming, InstanceId, Outgoing, Purpose},
    instance::Instance,
    plan::WORKER,
    world::World,
};

/// The store is told again after so long.
const TELL_AGAIN: Duration = Duration::from_millis(500);
/// A record that kills its process does so after its start, and the process is back after so long.
const BACK_AFTER: Duration = Duration::from_secs(2);

impl World {
    /// The process begins: what others left behind is told first.
    pub(super) fn begin(&mut self, id: InstanceId) {
        if let Some(left) = self.left.first().cloned() {
            let purpose = Purpose::Left(left.instance);
            self.ask_store(id, purpose, Operation::Suspect(left));
            return;
        }
        let member = self.instance(id).member.id();
        self.send(id, Outgoing::Join(member, None));
    }

    /// The store has counted what one left behind, or could not be asked.
    pub(super) fn hear_told(&mut self, id: InstanceId, instance: Uuid, answer: Option<&Answer>) {
        if answer.is_some() {
            self.left.retain(|left| left.instance != instance);
            self.begin(id);
            return;
        }
        let again = self.now().plus(TELL_AGAIN);
        self.agenda.add(again, Event::Hears(id, Incoming::Begin));
    }

    /// The slots of a process that is killed.
    pub(in crate::simulation::world) fn leave_behind(&mut self, id: InstanceId) {
        let instance = &self.instances[usize::from(id.0)];
        let runs = instance.runs.values();
        let records: Vec<LeftRecord> = runs
            .map(|run| LeftRecord {
                topic: Arc::clone(&self.owner_keys[&run.at.partition].topic),
                partition: run.at.partition.number,
                offset: run.at.offset.0,
                alone: is_alone(instance, run.at),
            })
            .collect();
        if records.is_empty() {
            return;
        }
        self.coverage.records_left_running += records.len() as u64;
        self.left.push(LeftRunning {
            worker: WORKER.into(),
            instance: Uuid::from_u128(u128::from(id.0)),
            records,
        });
    }

    /// A record that kills whatever runs it begins.
    pub(super) fn die_of_it(&mut self, id: InstanceId) {
        self.coverage.killed_by_a_record += 1;
        self.crash(id, BACK_AFTER);
    }

    pub(super) fn forget_suspects(
        &mut self,
        id: InstanceId,
        partition: Partition,
        offsets: &[Offset],
    ) {
        self.coverage.suspects_forgotten += offsets.len() as u64;
        let operation = Operation::ForgetSuspects {
            owner: self.owner_keys[&partition].clone(),
            offsets: offsets.iter().map(|offset| offset.0).collect(),
        };
        self.ask_store(id, Purpose::Forget, operation);
    }
}

fn is_alone(instance: &Instance, at: At) -> bool {
    let run = instance.runs.values().find(|run| run.at == at);
    let handover = run.and_then(|run| instance.handovers.get(&run.handover));
    handover.is_some_and(|handover| handover.alone)
}
