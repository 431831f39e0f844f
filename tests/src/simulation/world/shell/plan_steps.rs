//! What operators want of the partitions that an instance owns, asked for about every second.

use std::time::Duration;

use argosy_kernel::{Assignment, Input, Partition};
use argosy_store::DueStep;
use argosy_testkit::store::{Answer, Operation};

use crate::simulation::{
    event::{Event, Incoming, InstanceId, Purpose},
    world::World,
};

/// Time between two questions, about.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Steps of one answer.
const STEPS_MAX: u32 = 256;

impl World {
    pub(super) fn ask_for_steps(&mut self, id: InstanceId) {
        let next = self
            .now()
            .plus(self.network.span(ASK_EVERY / 2, ASK_EVERY * 3 / 2));
        self.agenda.add(next, Event::Hears(id, Incoming::StepsDue));
        let pump = &self.instance(id).pump;
        let owned: Vec<(Partition, Assignment)> = pump
            .assigned()
            .filter(|(partition, _)| pump.held_back(*partition).is_none())
            .collect();
        if owned.is_empty() {
            return;
        }
        let owners = owned
            .iter()
            .map(|(partition, _)| &self.owner_keys[partition]);
        let operation = Operation::DuePlanSteps {
            owners: owners.cloned().collect(),
            rows_max: STEPS_MAX,
        };
        self.ask_store(id, Purpose::Steps(owned), operation);
    }

    /// Told with the assignment under which it was asked, however late.
    pub(super) fn hear_steps(
        &mut self,
        id: InstanceId,
        asked: Vec<(Partition, Assignment)>,
        answer: Option<Answer>,
    ) {
        let Some(Answer::DuePlanSteps(due)) = answer else {
            return;
        };
        for (partition, assignment) in asked {
            let owner = &self.owner_keys[&partition];
            let of_this = due.iter().filter(|due| due.owner == *owner);
            let steps: Vec<_> = of_this.map(DueStep::plan_step).collect();
            // Who stops amid an answer asks again.
            if !steps.is_empty() && self.instance(id).is_running() {
                self.turn(
                    id,
                    Input::PlanSteps {
                        partition,
                        assignment,
                        steps,
                    },
                );
            }
        }
    }
}
