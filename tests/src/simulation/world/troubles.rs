//! What strikes: freezes, kills, restarts, and processes that come and go.

use std::{collections::VecDeque, time::Duration};

use super::World;
use crate::simulation::{
    event::{Event, Incoming, InstanceId},
    instance::{Instance, Life},
    plan::{POINTS, Point, Trouble, TroubleKind, When},
};

/// Processes alive at once.
const INSTANCES_MAX: usize = 4;

/// The troubles that wait for the nth passing of a point.
#[derive(Debug)]
pub(super) struct Triggers {
    waiting: Vec<(Point, u32, TroubleKind)>,
    passed: [u32; POINTS],
}

impl Triggers {
    pub(super) fn new(troubles: &[Trouble]) -> Self {
        let waiting = troubles
            .iter()
            .filter_map(|trouble| match trouble.when {
                When::Nth(point, nth) => Some((point, nth, trouble.kind)),
                When::At(_) => None,
            })
            .collect();
        Self {
            waiting,
            passed: [0; POINTS],
        }
    }

    /// Counts a passing; what it sets off.
    fn pass(&mut self, point: Point) -> Option<TroubleKind> {
        let passed = &mut self.passed[point as usize];
        *passed += 1;
        let nth = *passed;
        let found = self
            .waiting
            .iter()
            .position(|(at, waits_for, _)| *at == point && *waits_for == nth)?;
        Some(self.waiting.swap_remove(found).2)
    }
}

impl World {
    /// An instance passes a delicate point.
    pub(super) fn pass(&mut self, point: Point, id: InstanceId) {
        if let Some(kind) = self.triggers.pass(point) {
            self.strike(kind, Some(id));
        }
    }

    /// A trouble strikes this instance, or any.
    pub(super) fn strike(&mut self, kind: TroubleKind, whom: Option<InstanceId>) {
        match kind {
            TroubleKind::Join => {
                if self.alive().len() < INSTANCES_MAX {
                    self.agenda.add(self.now(), Event::Start);
                }
            }
            TroubleKind::StoreRestart(away) => self.kill_store(away),
            TroubleKind::BrokerRestart(away) => self.kill_broker(away),
            TroubleKind::Freeze(_) | TroubleKind::Crash(_) | TroubleKind::Shutdown(_) => {
                let whom = whom.or_else(|| self.any_alive());
                if let Some(whom) = whom {
                    self.strike_instance(kind, whom);
                }
            }
        }
    }

    fn strike_instance(&mut self, kind: TroubleKind, id: InstanceId) {
        match kind {
            TroubleKind::Freeze(still) => self.freeze(id, still),
            TroubleKind::Crash(away) => self.crash(id, away),
            TroubleKind::Shutdown(away) => {
                self.hear(id, Incoming::Shutdown);
                self.agenda.add(self.now().plus(away), Event::Start);
            }
            _ => {}
        }
    }

    /// A process is killed, and another comes in its place.
    pub(super) fn crash(&mut self, id: InstanceId, away: Duration) {
        self.kill(id);
        self.agenda.add(self.now().plus(away), Event::Start);
    }

    fn alive(&self) -> Vec<InstanceId> {
        self.instances
            .iter()
            .filter(|instance| !instance.is_gone())
            .map(|instance| instance.id)
            .collect()
    }

    fn any_alive(&mut self) -> Option<InstanceId> {
        let alive = self.alive();
        self.network.pick(&alive).copied()
    }

    pub(super) fn start_instance(&mut self) {
        if self.alive().len() >= INSTANCES_MAX || self.is_stopping() {
            return;
        }
        let id = InstanceId(self.instances.len() as u16);
        let seed = self.network.draw();
        let pump = argosy_kernel::Pump::new(self.plan.pump.clone(), seed);
        let member = self.new_member(id);
        self.instances
            .push(Instance::new(id, self.now(), pump, member));
        self.note_of(id, "starts", -1);
        self.agenda
            .add(self.now(), Event::Hears(id, Incoming::Begin));
        if self.plan.pump.parking.is_some() {
            self.agenda
                .add(self.now(), Event::Hears(id, Incoming::StepsDue));
        }
    }

    /// The process is killed: all that it held in memory is gone, what it sent is on its way.
    fn kill(&mut self, id: InstanceId) {
        let now = self.now();
        let instance = &mut self.instances[usize::from(id.0)];
        if instance.is_gone() {
            return;
        }
        if instance.runs.values().any(|run| run.holds_claim()) || !instance.calls.is_empty() {
            self.coverage.crashes_between_claim_and_outcome += 1;
        }
        self.leave_behind(id);
        let instance = self.instance(id);
        instance.life = Life::Gone;
        let member = instance.member.id();
        self.broker.group.fall_silent(member, now);
        self.coverage.crashes += 1;
        self.judge.dies(id);
        self.note_of(id, "is killed", -1);
        self.arm_group_timer();
    }

    fn freeze(&mut self, id: InstanceId, still: Duration) {
        let now = self.now();
        let instance = &mut self.instances[usize::from(id.0)];
        if !instance.is_running() {
            return;
        }
        instance.life = Life::Frozen(VecDeque::new());
        let member = instance.member.id();
        self.broker.group.fall_silent(member, now);
        self.coverage.freezes += 1;
        self.note_of(id, "stands still, ms", still.as_millis() as i64);
        self.agenda.add(now.plus(still), Event::Thaw(id));
        self.arm_group_timer();
    }

    /// The process goes on where it stood; it hears the coordinator's word somewhat later than its own backlog.
    pub(super) fn thaw(&mut self, id: InstanceId) {
        let now = self.now();
        let Life::Frozen(inbox) = std::mem::replace(&mut self.instance(id).life, Life::Running)
        else {
            self.instance(id).life = Life::Gone;
            return;
        };
        let member = self.instance(id).member.id();
        self.broker.group.heard(member);
        self.note_of(id, "goes on", -1);
        for incoming in inbox {
            let at = if matches!(incoming, Incoming::Notice(..)) {
                let later = self
                    .network
                    .span(Duration::ZERO, Duration::from_millis(900));
                self.in_order(
                    id,
                    crate::simulation::instance::Connection::FromCoordinator,
                    later,
                )
            } else {
                now
            };
            self.agenda.add(at, Event::Hears(id, incoming));
        }
    }

    /// Everybody is asked to stop.
    pub(super) fn stop_everybody(&mut self) {
        for id in self.alive() {
            self.agenda
                .add(self.now(), Event::Hears(id, Incoming::Shutdown));
        }
    }
}
