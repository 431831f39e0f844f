//! What a process hears, as inputs of its pump and signals of its runs.

use argosy_kernel::{Assignment, Committed, Input, Partition, Waiting};
use argosy_testkit::{
    broker::member::{Event as MemberEvent, MemberId, Notice},
    store::{Answer, Operation},
};

use crate::simulation::{
    event::{Incoming, InstanceId, Outgoing, Purpose, Write},
    instance::Life,
    world::World,
};

impl World {
    /// A process hears something, unless it is gone; a frozen one will hear it later.
    pub(in crate::simulation::world) fn hear(&mut self, id: InstanceId, incoming: Incoming) {
        match &mut self.instance(id).life {
            Life::Running => {
                self.listen(id, incoming);
                self.arrange_poll(id);
            }
            Life::Frozen(inbox) => inbox.push_back(incoming),
            Life::Gone => {}
        }
    }

    fn listen(&mut self, id: InstanceId, incoming: Incoming) {
        match incoming {
            Incoming::Begin => self.begin(id),
            Incoming::Tick(due) => {
                let instance = self.instance(id);
                if instance.tick == Some(due) {
                    instance.tick = None;
                    self.turn(id, Input::Tick);
                }
            }
            Incoming::Poll => self.poll(id),
            Incoming::StepsDue => self.ask_for_steps(id),
            Incoming::Notice(member, notice) => self.hear_notice(id, member, notice),
            Incoming::Member(event) => self.hear_member(id, event),
            Incoming::CommittedRead {
                partition,
                assignment,
                epoch,
                committed,
            } => {
                self.count_taken_too_late(id, partition, committed.as_ref());
                match committed {
                    Some(committed) => {
                        let purpose = Purpose::Found {
                            partition,
                            assignment,
                            epoch,
                            committed,
                        };
                        let owner = self.owner_keys[&partition].clone();
                        self.ask_store(id, purpose, Operation::Parked(owner));
                    }
                    None => self.turn(
                        id,
                        Input::NotOwned {
                            partition,
                            assignment,
                            cause: Waiting::Dependency("broker".into()),
                        },
                    ),
                }
            }
            Incoming::CommitEnded(commit, results) => {
                self.turn(id, Input::CommitEnded { commit, results });
            }
            Incoming::Produced(write, result) => self.hear_produced(id, write, result),
            Incoming::StoreAnswered(purpose, answer) => self.hear_store(id, purpose, answer),
            Incoming::CallAnswered(call, answer) => self.hear_call(id, call, answer),
            Incoming::CallTimedOut(call) => self.hear_timeout(id, call),
            Incoming::LookedUp(run, found) => {
                self.signal(id, run, crate::simulation::run::Signal::LookedUp(found));
            }
            Incoming::RunWoken(run) => {
                let now = self.now();
                let too_old = self
                    .instance(id)
                    .runs
                    .get(&run)
                    .is_some_and(|run| run.claim_is_too_old(now));
                self.coverage.claims_too_old_to_send += u64::from(too_old);
                self.signal(id, run, crate::simulation::run::Signal::Woken);
            }
            Incoming::Completion(input) => self.turn(id, input),
            Incoming::TimelineDue => self.send_timeline(id),
            Incoming::Shutdown => self.turn(id, Input::Shutdown),
            Incoming::LateRecords(partitions) => self.deliver_late(id, &partitions),
            Incoming::Carry(actions) => self.carry_on(id, actions),
        }
    }

    fn count_taken_too_late(
        &mut self,
        id: InstanceId,
        partition: Partition,
        committed: Option<&Option<Committed>>,
    ) {
        let again = self.judge.was_owned(id, partition);
        let pump = &self.instance(id).pump;
        let passed = committed.into_iter().flatten().any(|committed| {
            let frontier = pump.frontier(partition);
            pump.held(partition).records > 0
                && frontier.is_some_and(|frontier| frontier < committed.offset)
        });
        self.coverage.taken_again_too_late += u64::from(again && passed);
    }

    fn hear_notice(&mut self, id: InstanceId, member: MemberId, notice: Notice) {
        let revokes_max = 1 + self.network.index(2);
        let instance = self.instance(id);
        // A word to an identity that it no longer uses.
        if instance.member.id() != member {
            return;
        }
        for event in instance.member.hear(notice, revokes_max) {
            self.hear(id, Incoming::Member(event));
        }
    }

    fn hear_member(&mut self, id: InstanceId, event: MemberEvent) {
        match event {
            MemberEvent::Assigned(partitions) => {
                let instance = self.instance(id);
                instance.assignment = Assignment(instance.assignment.0 + 1);
                let assignment = instance.assignment;
                self.begin_reading(id, &partitions);
                self.turn(
                    id,
                    Input::Assigned {
                        assignment,
                        partitions,
                    },
                );
            }
            MemberEvent::RevokeAsked(revoke, partitions) => {
                self.coverage.revokes += 1;
                let asked = partitions.clone();
                self.instance(id).revokes.insert(revoke, asked);
                self.turn(id, Input::RevokeAsked { revoke, partitions });
            }
            MemberEvent::Lost(partitions) => {
                self.coverage.lost_assignments += 1;
                self.instance(id).revokes.clear();
                self.end_reading(id, &partitions);
                let gone = partitions.clone();
                self.turn(id, Input::Lost { partitions });
                self.deliver_late_next(id, gone);
            }
            MemberEvent::Join(owned) => {
                let member = self.instance(id).member.id();
                self.send(id, Outgoing::Join(member, Some(owned)));
            }
            MemberEvent::JoinAnew => {
                let member = self.new_member(id);
                self.instance(id).member.rename(member);
                self.send(id, Outgoing::Join(member, None));
            }
        }
    }

    fn hear_store(&mut self, id: InstanceId, purpose: Purpose, answer: Option<Answer>) {
        match purpose {
            Purpose::Owner(partition, assignment) => match answer {
                Some(Answer::Owners(epochs)) if !epochs.is_empty() => self.send(
                    id,
                    Outgoing::ReadCommitted {
                        partition,
                        assignment,
                        epoch: epochs[0],
                    },
                ),
                _ => self.turn(
                    id,
                    Input::NotOwned {
                        partition,
                        assignment,
                        cause: Waiting::Dependency("store".into()),
                    },
                ),
            },
            Purpose::Found {
                partition,
                assignment,
                epoch,
                committed,
            } => self.hear_found(id, (partition, assignment, epoch), committed, answer),
            Purpose::Park {
                partition,
                assignment,
                park,
                ..
            } => self.hear_parked(id, (partition, assignment, park), answer.as_ref()),
            Purpose::Steps(asked) => self.hear_steps(id, asked, answer),
            Purpose::Load(load) => self.hear_loaded(id, load, answer),
            Purpose::Left(instance) => self.hear_told(id, instance, answer.as_ref()),
            Purpose::Forget => {}
            Purpose::Run(run) => self.hear_store_for_run(id, run, answer),
            Purpose::Outcome(call) => self.hear_recorded(id, call, answer.is_some()),
        }
    }

    fn hear_produced(
        &mut self,
        id: InstanceId,
        write: Write,
        result: Result<(), argosy_kernel::WriteFault>,
    ) {
        match write {
            Write::Emits { at, .. } => self.turn(id, Input::Published { at, result }),
            Write::Letter { at, .. } => self.turn(id, Input::DeadLettered { at, result }),
            Write::Steps(steps) => {
                self.instance(id).timeline.batch_is_out = false;
                match (result, steps.last().map(|step| step.number)) {
                    (Ok(()), Some(newest)) => self.turn(id, Input::StepsAcknowledged(newest)),
                    _ => {
                        // The batch goes first again: what was queued meanwhile is newer.
                        let timeline = &mut self.instance(id).timeline;
                        let newer = std::mem::replace(&mut timeline.queued, steps);
                        timeline.queued.extend(newer);
                    }
                }
                self.arrange_timeline(id);
            }
        }
    }
}
