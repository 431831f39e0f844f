//! The shell of an instance: it turns what a process hears into inputs, and actions into messages.

mod actions;
mod hearing;
mod intake;
mod parking;
mod plan_steps;
mod runs;
mod suspects;

use std::time::Duration;

use argosy_kernel::Time;
use argosy_testkit::store::Operation;

use super::{World, broker_side::AskedCommit};
use crate::simulation::{
    event::{Event, InstanceId, Outgoing, Purpose},
    instance::Connection,
};

impl World {
    /// Sends a message into the world.
    pub(super) fn send(&mut self, from: InstanceId, outgoing: Outgoing) {
        let later = self.latency();
        let at = match &outgoing {
            Outgoing::Join(..) | Outgoing::Leave(_) | Outgoing::Commit { .. } => {
                self.in_order(from, Connection::Coordinator, later)
            }
            _ => self.now().plus(later),
        };
        self.agenda.add(at, Event::Arrives(from, outgoing));
    }

    /// Sends an operation to the store.
    pub(super) fn ask_store(&mut self, from: InstanceId, purpose: Purpose, operation: Operation) {
        self.send(from, Outgoing::Store(purpose, Box::new(operation)));
    }

    /// A message arrives where it was sent to, whether or not its sender still lives.
    pub(super) fn arrive(&mut self, from: InstanceId, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Join(member, owned) => self.reach_join(from, member, owned),
            Outgoing::Leave(member) => self.reach_leave(member),
            Outgoing::Commit {
                member,
                generation,
                commit,
                offsets,
            } => self.reach_commit(
                from,
                &AskedCommit {
                    member,
                    generation,
                    commit,
                    offsets,
                },
            ),
            Outgoing::ReadCommitted {
                partition,
                assignment,
                epoch,
            } => self.reach_committed(from, partition, assignment, epoch),
            Outgoing::Produce(production) => self.reach_production(from, production),
            Outgoing::Store(purpose, operation) => self.reach_store(from, purpose, *operation),
            Outgoing::Call { call, effect } => self.reach_vendor(from, call, effect),
            Outgoing::LookUp { run, effect } => self.reach_lookup(from, run, effect),
        }
    }

    /// How long a message is on its way.
    pub(super) fn latency(&mut self) -> Duration {
        let drawn = self.network.below(1_000);
        let stuck = self.weather.stuck_message;
        let slow = stuck + self.weather.slow_message;
        let longest = if drawn < stuck {
            Duration::from_secs(9)
        } else if drawn < slow {
            Duration::from_millis(800)
        } else {
            Duration::from_millis(12)
        };
        self.network.span(Duration::from_micros(100), longest)
    }

    /// When a message arrives that is `later` on its way, over a connection that keeps their order.
    pub(super) fn in_order(
        &mut self,
        of: InstanceId,
        connection: Connection,
        later: Duration,
    ) -> Time {
        let at = self.now().plus(later);
        let last = &mut self.instance(of).connections[connection as usize];
        *last = at.max(*last);
        *last
    }
}
