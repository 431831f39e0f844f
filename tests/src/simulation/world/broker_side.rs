//! The broker as the instances and the upstream system meet it: what arrives, what is lost on the way, who is told.

use std::{collections::BTreeSet, time::Duration};

use argosy_kernel::{
    Assignment, CommitNumber, CommitResult, Epoch, Offset, Partition, Time, WriteFault,
};
use argosy_testkit::broker::{
    group::Notices,
    log::ProducerId,
    member::{MemberId, Notice},
};

use super::{OUTPUT, Phase, Value, World};
use crate::simulation::{
    event::{Event, Incoming, InstanceId, Outgoing, Production, Write},
    foreign,
    instance::{Connection, Position},
    plan::RecordId,
};

/// Time after which a client tries a broker that was away again.
const RETRY: Duration = Duration::from_millis(250);

/// A commit as it is asked for.
pub(super) struct AskedCommit {
    pub(super) member: MemberId,
    pub(super) generation: u64,
    pub(super) commit: CommitNumber,
    pub(super) offsets: Vec<(Partition, Offset, Option<String>)>,
}

impl World {
    /// The upstream system publishes a few records, in the order of their plan.
    pub(super) fn publish_next(&mut self) {
        let now = self.now();
        if self.broker.running().is_some() {
            for _ in 0..self.network.between(1, 12) {
                self.publish_one();
            }
            self.wake_consumers();
        }
        if self.published < self.plan.records.len() {
            let pause = self
                .network
                .span(Duration::from_millis(20), Duration::from_millis(1_600));
            self.agenda.add(now.plus(pause), Event::PublishNext);
        }
    }

    fn publish_one(&mut self) {
        let Some(planned) = self.plan.records.get(self.published) else {
            return;
        };
        let record = RecordId(self.published as u32);
        let partition = planned.partition;
        let marker = self.network.chance(self.weather.markers);
        let Some(log) = self.broker.log_mut(partition) else {
            return;
        };
        if marker {
            log.append_marker();
        }
        let offset = Offset(log.append(Value::Input(record)));
        self.judge.published(record, partition, offset);
        self.published += 1;
    }

    /// Retention: what is committed may be gone any time.
    pub(super) fn delete_old_records(&mut self) {
        for partition in self.plan.group.partitions.clone() {
            let committed = self.broker.group.committed(partition);
            let upto = committed.map_or(0, |committed| committed.offset.0);
            if let Some(log) = self.broker.log_mut(partition) {
                log.trim(upto);
            }
        }
        if self.phase == Phase::Troubled {
            let later = self.now().plus(Duration::from_secs(7));
            self.agenda.add(later, Event::Retention);
        }
    }

    pub(super) fn new_member(&mut self, of: InstanceId) -> MemberId {
        let member = MemberId(self.members.len() as u64 + 1);
        self.members.insert(member, of);
        member
    }

    /// A join arrives; while the broker is away the client tries again.
    pub(super) fn reach_join(
        &mut self,
        from: InstanceId,
        member: MemberId,
        owned: Option<BTreeSet<Partition>>,
    ) {
        let now = self.now();
        if self.broker.running().is_none() {
            let again = Event::Arrives(from, Outgoing::Join(member, owned));
            self.agenda.add(now.plus(RETRY), again);
            return;
        }
        let group = &mut self.broker.group;
        let notices = match owned {
            None => group.join(member, now),
            Some(owned) => group.rejoin(member, &owned, now),
        };
        if !self.instances[usize::from(from.0)].is_running() {
            group.fall_silent(member, now);
        }
        self.tell(notices);
    }

    /// A member leaves; while the broker is away it is simply silent.
    pub(super) fn reach_leave(&mut self, member: MemberId) {
        let now = self.now();
        if self.broker.running().is_none() {
            self.broker.group.fall_silent(member, now);
            return;
        }
        let notices = self.broker.group.leave(member, now);
        self.tell(notices);
    }

    /// Who was silent for too long is thrown out.
    pub(super) fn expire_members(&mut self) {
        self.group_timer = None;
        if self.broker.running().is_some() {
            let (_, notices) = self.broker.group.expire(self.now());
            self.tell(notices);
        }
        self.arm_group_timer();
    }

    /// Sends the coordinator's notices, and sees to it that it looks at its clock again.
    fn tell(&mut self, notices: Notices) {
        for (member, notice) in notices {
            let Some(to) = self.members.get(&member).copied() else {
                continue;
            };
            // Heartbeats carry the call to a round and the news of an end, so these take longer.
            let longest = match notice {
                Notice::Assigned { .. } => Duration::from_millis(60),
                Notice::Rejoin | Notice::Unknown => Duration::from_millis(700),
            };
            let later = self.network.span(Duration::from_millis(1), longest);
            let at = self.in_order(to, Connection::FromCoordinator, later);
            self.agenda
                .add(at, Event::Hears(to, Incoming::Notice(member, notice)));
        }
        self.count_takeovers();
        self.arm_group_timer();
    }

    fn count_takeovers(&mut self) {
        for partition in &self.plan.group.partitions {
            let owner = self.broker.group.owner(*partition);
            let owner = owner.and_then(|member| self.members.get(&member).copied());
            self.coverage.takeovers += u64::from(self.judge.owner_is(*partition, owner));
        }
    }

    pub(super) fn arm_group_timer(&mut self) {
        let Some(due) = self.broker.group.expires_at() else {
            return;
        };
        let due = due.max(self.now());
        if self.group_timer.is_none_or(|armed| due < armed) {
            self.group_timer = Some(due);
            self.agenda
                .add(due.plus(Duration::from_millis(1)), Event::GroupTimer);
        }
    }

    /// A commit arrives.
    pub(super) fn reach_commit(&mut self, from: InstanceId, asked: &AskedCommit) {
        let refused = asked
            .offsets
            .iter()
            .map(|(partition, ..)| (*partition, CommitResult::Failed))
            .collect();
        let fails = self.network.chance(self.weather.commit_failed);
        let unanswered = self.network.chance(self.weather.commit_unanswered);
        let applied = self.network.chance(500);
        if self.broker.running().is_none() || ((fails || unanswered) && !applied) {
            if !unanswered {
                self.answer_commit(from, asked.commit, refused);
            }
            return;
        }
        let results = self
            .broker
            .group
            .commit(asked.member, asked.generation, &asked.offsets);
        self.observe_commit(from, asked, &results);
        if !unanswered {
            let results = if fails { refused } else { results };
            self.answer_commit(from, asked.commit, results);
        }
    }

    fn observe_commit(
        &mut self,
        from: InstanceId,
        asked: &AskedCommit,
        results: &[(Partition, CommitResult)],
    ) {
        for ((partition, offset, _), (_, result)) in asked.offsets.iter().zip(results) {
            match result {
                CommitResult::Accepted => {
                    let owner = self.broker.group.owner(*partition);
                    let by_owner = owner == Some(asked.member);
                    self.judge.committed(from, *partition, *offset, by_owner);
                }
                CommitResult::Stale => self.coverage.rejected_commits += 1,
                CommitResult::MetadataTooLarge => self.coverage.maps_too_large += 1,
                CommitResult::Failed => {}
            }
        }
    }

    fn answer_commit(
        &mut self,
        to: InstanceId,
        commit: CommitNumber,
        results: Vec<(Partition, CommitResult)>,
    ) {
        let at = self.now().plus(self.latency());
        self.agenda
            .add(at, Event::Hears(to, Incoming::CommitEnded(commit, results)));
    }

    /// A new owner reads the group's position; sometimes somebody else has written beside it.
    pub(super) fn reach_committed(
        &mut self,
        from: InstanceId,
        partition: Partition,
        assignment: Assignment,
        epoch: Epoch,
    ) {
        let committed = self.broker.running().map(|_| {
            if self.network.chance(self.weather.foreign_map) {
                self.write_foreign_map(partition);
            }
            self.broker.group.committed(partition).cloned()
        });
        let at = self.now().plus(self.latency());
        let incoming = Incoming::CommittedRead {
            partition,
            assignment,
            epoch,
            committed,
        };
        self.agenda.add(at, Event::Hears(from, incoming));
    }

    fn write_foreign_map(&mut self, partition: Partition) {
        let offset = self
            .broker
            .group
            .committed(partition)
            .map_or(Offset(0), |committed| committed.offset);
        let kind = self.network.draw();
        if let Some(map) = foreign::map(&self.plan.pump, partition, offset, kind) {
            self.broker.group.write(partition, offset, map);
            self.coverage.foreign_maps_fed += 1;
            self.note("somebody writes a map beside", offset.0);
        }
    }

    /// A write arrives. The producer itself tries again what is lost, under the same sequence, until it gives up.
    pub(super) fn reach_production(&mut self, from: InstanceId, production: Production) {
        if self.judge.is_rejected(&production.write) {
            self.answer_write(from, production.write, Err(WriteFault::Rejected));
            return;
        }
        if self.network.chance(self.weather.produce_refused) {
            self.answer_write(from, production.write, Err(WriteFault::Unavailable));
            return;
        }
        let lost = self.network.chance(self.weather.produce_lost);
        let is_lost_before = lost && self.network.chance(500);
        let producer = ProducerId(u64::from(from.0));
        let offset = if is_lost_before {
            None
        } else {
            self.broker
                .produce(OUTPUT, producer, production.sequence, Value::Output)
        };
        if let (Some(offset), Write::Letter { at, record, cause }) = (offset, &production.write) {
            self.letter_lies(*at, *record, *cause, offset);
        }
        let appended = offset.is_some();
        if appended && !lost {
            self.judge.acknowledged(&production.write);
            self.answer_write(from, production.write, Ok(()));
        } else {
            self.try_production_again(from, production);
        }
    }

    fn try_production_again(&mut self, from: InstanceId, mut production: Production) {
        if production.gives_up_after < RETRY {
            self.answer_write(from, production.write, Err(WriteFault::Unavailable));
            return;
        }
        production.gives_up_after -= RETRY;
        let again = self.now().plus(RETRY);
        self.agenda
            .add(again, Event::Arrives(from, Outgoing::Produce(production)));
    }

    fn answer_write(&mut self, to: InstanceId, write: Write, result: Result<(), WriteFault>) {
        match (&write, result) {
            (Write::Emits { .. }, Err(WriteFault::Unavailable)) => {
                self.coverage.emit_write_failures += 1;
            }
            (Write::Emits { .. }, Err(WriteFault::Rejected)) => self.coverage.emits_rejected += 1,
            (Write::Letter { .. }, Err(_)) => self.coverage.letter_write_failures += 1,
            (Write::Letter { .. }, Ok(())) => self.coverage.dead_letters += 1,
            _ => {}
        }
        let at = self.now().plus(self.latency());
        self.agenda
            .add(at, Event::Hears(to, Incoming::Produced(write, result)));
    }

    /// The broker dies: what was not answered yet never is; the clients find out by themselves.
    pub(super) fn kill_broker(&mut self, away: Duration) {
        if self.broker.running().is_none() {
            return;
        }
        self.broker.stop();
        self.coverage.broker_restarts += 1;
        self.note("the broker is killed, ms", away.as_millis() as i64);
        self.agenda.add(self.now().plus(away), Event::BrokerReturns);
    }

    pub(super) fn return_broker(&mut self) {
        let now = self.now();
        self.broker.start();
        self.broker.group.restart_sessions(now);
        self.note("the broker is back", -1);
        self.arm_group_timer();
        self.wake_consumers();
    }

    /// Whoever may have something to read polls soon.
    pub(super) fn wake_consumers(&mut self) {
        for position in 0..self.instances.len() {
            self.arrange_poll(InstanceId(position as u16));
        }
    }

    /// Schedules a poll if there is something to read.
    pub(super) fn arrange_poll(&mut self, id: InstanceId) {
        let instance = &self.instances[usize::from(id.0)];
        if instance.is_gone() || instance.intake.poll_due || !self.is_something_to_read(id) {
            return;
        }
        self.instance(id).intake.poll_due = true;
        let soon = self
            .network
            .span(Duration::from_micros(300), Duration::from_millis(40));
        let at: Time = self.now().plus(soon);
        self.agenda.add(at, Event::Hears(id, Incoming::Poll));
    }

    fn is_something_to_read(&self, id: InstanceId) -> bool {
        let instance = &self.instances[usize::from(id.0)];
        if instance.member.is_revoking() {
            return false;
        }
        let intake = &instance.intake;
        intake.positions.iter().any(|(partition, position)| {
            !intake.held.contains(partition)
                && match position {
                    Position::Unknown => true,
                    Position::At { next, .. } => self
                        .broker
                        .log(*partition)
                        .is_some_and(|log| *next < log.end()),
                }
        })
    }
}
