//! What the pump asks for, as messages into the world.

use std::time::Duration;

use argosy_kernel::{Action, At, Death, Partition, RevokeNumber, Settle, StepNumber};
use argosy_testkit::store::Operation;
use uuid::Uuid;

use crate::simulation::{
    event::{
        Event, Incoming, InstanceId, Left, Outgoing, Production, PumpAction, Purpose, Step, Write,
    },
    instance::Life,
    plan::RecordId,
    world::World,
};

/// How long the producer itself tries before it gives up.
const PRODUCER_TRIES_FOR: Duration = Duration::from_secs(2);
/// Settlements in one batch of steps.
const BATCH_STEPS_MAX: usize = 64;

impl World {
    /// Carries out one action.
    pub(in crate::simulation::world) fn carry_out(&mut self, id: InstanceId, action: PumpAction) {
        match action {
            Action::TakeOwner {
                partition,
                assignment,
            } => {
                let again = self.judge.was_owned(id, partition);
                self.coverage.fenced_while_assigned += u64::from(again);
                let operation = Operation::TakeOwners {
                    instance: Uuid::from_u128(u128::from(id.0)),
                    owners: vec![self.owner_keys[&partition].clone()],
                };
                let purpose = Purpose::Owner(partition, assignment);
                self.ask_store(id, purpose, operation);
            }
            Action::Run(dispatch) => self.begin_handover(id, dispatch),
            Action::Abort { at, why } => self.abort(id, at, why),
            Action::Publish { at, body, emits } => {
                let count = match emits {
                    Left::Emits(count) => count,
                    Left::Fault => 0,
                };
                let record = body;
                self.produce(id, Write::Emits { at, record, count });
            }
            Action::DeadLetter {
                at,
                body,
                cause,
                attempts,
                ..
            } => {
                self.judge
                    .condemns(id, at, body, (cause, attempts), &self.plan);
                let record = body;
                self.produce(id, Write::Letter { at, record, cause });
            }
            Action::Settled {
                at,
                body,
                settle,
                step,
            } => {
                self.settle(id, at, (body, settle, step));
            }
            Action::Commit { commit, offsets } => {
                let instance = &self.instances[usize::from(id.0)];
                self.judge.commits(instance, &offsets);
                let (member, generation) = (instance.member.id(), instance.member.generation());
                self.send(
                    id,
                    Outgoing::Commit {
                        member,
                        generation,
                        commit,
                        offsets,
                    },
                );
            }
            // For the timeline only; its lane is inspected after every turn.
            Action::Waits { .. } => {}
            Action::Park(write) => self.park(id, write),
            Action::LoadParked(load) => self.load_parked(id, load),
            Action::ForgetSuspects { partition, offsets } => {
                self.forget_suspects(id, partition, &offsets);
            }
            Action::HoldIntake(partition) => self.hold(id, partition),
            Action::ResumeIntake(partition) => {
                self.instance(id).intake.held.remove(&partition);
            }
            Action::LetGo(revoke) => self.let_go(id, revoke),
            Action::Leave => self.leave(id),
            // Counted where it is made.
            Action::MapIgnored { .. } => {}
        }
    }

    fn settle(
        &mut self,
        id: InstanceId,
        at: At,
        (record, settle, number): (RecordId, Settle, StepNumber),
    ) {
        self.count_settled(settle);
        let is_dead = matches!(settle, Settle::Dead(_));
        self.coverage.replays_dead_again +=
            u64::from(is_dead && self.judge.is_replayed(at, record));
        self.judge
            .settles(id, at, record, settle, &self.vendor, &self.plan);
        self.instance(id).timeline.queued.push(Step {
            record,
            settle,
            number,
        });
        self.arrange_timeline(id);
    }

    fn hold(&mut self, id: InstanceId, partition: Partition) {
        self.coverage.intake_held += 1;
        self.instance(id).intake.held.insert(partition);
    }

    fn let_go(&mut self, id: InstanceId, revoke: RevokeNumber) {
        let Some(partitions) = self.instance(id).revokes.remove(&revoke) else {
            // Superseded by a loss: the answer is of no use to anybody, and does no harm.
            return;
        };
        self.judge.lets_go(id, &partitions);
        self.end_reading(id, &partitions);
        let instance = self.instance(id);
        let events = instance.member.let_go(revoke);
        instance.decided.extend(events);
        self.deliver_late_next(id, partitions);
    }

    /// Late records are an input of their own: the present turn ends first.
    pub(super) fn deliver_late_next(&mut self, id: InstanceId, partitions: Vec<Partition>) {
        if self.network.chance(self.weather.delivered_late) {
            let now = self.now();
            self.agenda
                .add(now, Event::Hears(id, Incoming::LateRecords(partitions)));
        }
    }

    fn leave(&mut self, id: InstanceId) {
        self.judge.leaves(id);
        self.coverage.leaves += 1;
        let member = self.instance(id).member.id();
        self.instance(id).life = Life::Gone;
        self.note_of(id, "leaves", -1);
        self.send(id, Outgoing::Leave(member));
    }

    fn produce(&mut self, id: InstanceId, write: Write) {
        let sequence = self.instance(id).number();
        self.send(
            id,
            Outgoing::Produce(Production {
                write,
                sequence,
                gives_up_after: PRODUCER_TRIES_FOR,
            }),
        );
    }

    /// Lets the timeline's linger run, if there is something to send and nothing out.
    pub(super) fn arrange_timeline(&mut self, id: InstanceId) {
        let linger = self
            .network
            .span(Duration::from_millis(1), Duration::from_millis(200));
        let due = self.now().plus(linger);
        let timeline = &mut self.instance(id).timeline;
        if timeline.queued.is_empty() || timeline.linger_runs || timeline.batch_is_out {
            return;
        }
        timeline.linger_runs = true;
        self.agenda
            .add(due, Event::Hears(id, Incoming::TimelineDue));
    }

    /// Sends the oldest steps as one batch.
    pub(super) fn send_timeline(&mut self, id: InstanceId) {
        let timeline = &mut self.instance(id).timeline;
        timeline.linger_runs = false;
        if timeline.queued.is_empty() || timeline.batch_is_out {
            return;
        }
        let count = timeline.queued.len().min(BATCH_STEPS_MAX);
        let steps = timeline.queued.drain(..count).collect();
        timeline.batch_is_out = true;
        self.produce(id, Write::Steps(steps));
    }

    /// The rest of a turn that a freeze interrupted.
    pub(super) fn carry_on(&mut self, id: InstanceId, actions: Vec<PumpAction>) {
        self.carry_all(id, actions);
        self.tell_decided(id);
    }

    fn count_settled(&mut self, settle: Settle) {
        match settle {
            Settle::Done => self.coverage.done += 1,
            Settle::Skipped(_) => self.coverage.skipped += 1,
            Settle::Dead(cause) => {
                self.coverage.dead += 1;
                self.coverage.condemned_by_crashes += u64::from(cause == Death::Crashed);
            }
        }
    }
}
