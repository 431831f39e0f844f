//! One turn of an instance: an input goes into the pump, its actions are carried out in order.
//!
//! A process may die or stand still before any action: what it had not yet done is then lost, or done later.

use std::time::Duration;

use argosy_kernel::{Action, Input, Time};

use super::World;
use crate::simulation::{
    action_log::{Line, describe_action, describe_input},
    event::{Event, Incoming, InstanceId, PumpAction, PumpInput},
    instance::Life,
    plan::Point,
};

impl World {
    /// Gives an input to the pump and carries out what it asks for.
    pub(super) fn turn(&mut self, id: InstanceId, input: PumpInput) {
        let now = self.now();
        let (verb, partition, number) = describe_input(&input);
        self.log.add(Line {
            at: now,
            instance: Some(id),
            verb,
            partition,
            number,
        });
        let meddle = self.meddle;
        self.judge.hears(id, &input);
        let reads_map = matches!(&input, Input::Owned { committed: Some(committed), .. } if !committed.metadata.is_empty());
        let instance = &mut self.instances[usize::from(id.0)];
        let seen = meddle.map(|_| input.clone());
        let mut actions = instance.pump.on(input, local(now, instance.started));
        if let (Some(meddle), Some(seen)) = (meddle, seen) {
            meddle(&seen, &mut actions);
        }
        let ignored = actions
            .iter()
            .any(|action| matches!(action, Action::MapIgnored { .. }));
        self.coverage.maps_used += u64::from(reads_map && !ignored);
        self.coverage.maps_ignored += u64::from(ignored);
        self.carry_all(id, actions);
        self.arrange_tick(id);
        if !self.instance(id).is_gone() {
            let instance = &self.instances[usize::from(id.0)];
            self.judge.inspect(instance, local(now, instance.started));
        }
        self.tell_decided(id);
    }

    /// What the membership decided during the turn is told at its end, before anything else is heard: a loss that is
    /// told first would be followed by partitions that are not there any more, and by a join that names them.
    pub(super) fn tell_decided(&mut self, id: InstanceId) {
        for event in std::mem::take(&mut self.instance(id).decided) {
            self.hear(id, Incoming::Member(event));
        }
    }

    /// Carries out actions in their order, for as long as the process goes on.
    pub(super) fn carry_all(&mut self, id: InstanceId, actions: Vec<PumpAction>) {
        let mut rest = actions.into_iter();
        while let Some(action) = rest.next() {
            self.pass(Point::Action, id);
            if let Some(point) = self.point_of(id, &action) {
                self.pass(point, id);
            }
            if !self.instance(id).is_running() {
                let unfinished = std::iter::once(action).chain(rest).collect();
                if let Life::Frozen(inbox) = &mut self.instance(id).life {
                    inbox.push_front(Incoming::Carry(unfinished));
                }
                return;
            }
            let (verb, partition, number) = describe_action(&action);
            self.log.add(Line {
                at: self.clock.now(),
                instance: Some(id),
                verb,
                partition,
                number,
            });
            self.carry_out(id, action);
            if self.judge.has_ruled() {
                return;
            }
        }
    }

    /// Schedules a tick for the moment that the pump names, and only for that one.
    fn arrange_tick(&mut self, id: InstanceId) {
        let now = self.clock.now();
        let late = self
            .network
            .span(Duration::from_micros(20), Duration::from_millis(3));
        let instance = &mut self.instances[usize::from(id.0)];
        let Some(wake_at) = instance.pump.wake_at() else {
            instance.tick = None;
            return;
        };
        if instance.tick == Some(wake_at) {
            return;
        }
        instance.tick = Some(wake_at);
        let due = instance.started.plus(wake_at.0).max(now).plus(late);
        self.agenda
            .add(due, Event::Hears(id, Incoming::Tick(wake_at)));
    }

    /// The delicate point that an action stands for.
    fn point_of(&self, id: InstanceId, action: &PumpAction) -> Option<Point> {
        match action {
            Action::TakeOwner { partition, .. } if self.judge.was_owned(id, *partition) => {
                Some(Point::OwnerAskedAgain)
            }
            Action::TakeOwner { .. } => Some(Point::OwnerAsked),
            Action::Settled { .. } => Some(Point::Settled),
            Action::Commit { .. } => Some(Point::Commit),
            Action::LetGo(_) => Some(Point::LetGo),
            Action::Publish { .. } | Action::DeadLetter { .. } => Some(Point::Publish),
            _ => None,
        }
    }
}

/// The pump's time.
pub(super) fn local(now: Time, started: Time) -> Time {
    Time(now.since(started))
}
