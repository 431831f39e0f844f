//! Plan steps: what operators want done with dead letters of the partitions that are owned here, asked for every second.
//!
//! Invariant: one question is out at a time; what it brings is told with the assignment under which it was asked, so
//! that steps of partitions that went elsewhere meanwhile change nothing.

use std::{sync::Arc, time::Duration};

use argosy_kernel::{Assignment, Input, Partition, PlanStep, Time};
use argosy_store::DueStep;

use super::Owner;
use crate::telemetry;

/// Time between two questions.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Steps of one answer; more come with the next.
const STEPS_MAX: u32 = 256;

/// When the next question may be asked; shared with the one that is out.
#[derive(Debug, Default)]
pub(super) struct Asking {
    next: Time,
    /// Held by the question that is out.
    out: Arc<()>,
}

impl Owner {
    /// Asks, if it is time and no question is out.
    pub(super) fn ask_for_plan_steps(&mut self) {
        let now = self.clock.now();
        let is_out = Arc::strong_count(&self.asking.out) > 1;
        if is_out || now < self.asking.next {
            return;
        }
        let owned: Vec<(Partition, Assignment)> = self
            .parts
            .pump
            .assigned()
            .filter(|(partition, _)| self.parts.pump.held_back(*partition).is_none())
            .collect();
        if owned.is_empty() {
            return;
        }
        self.asking.next = now.plus(ASK_EVERY);
        let owners: Vec<_> = owned
            .iter()
            .map(|(partition, _)| self.owner_key(*partition))
            .collect();
        let out = Arc::clone(&self.asking.out);
        let store = Arc::clone(&self.parts.store);
        let inbox = self.parts.shop.inbox.clone();
        let asking = async move {
            match store.due_plan_steps(owners.clone(), STEPS_MAX).await {
                Ok(due) => {
                    for ((partition, assignment), owner) in owned.into_iter().zip(owners) {
                        let of_this = due.iter().filter(|due| due.owner == owner);
                        let steps: Vec<PlanStep> = of_this.map(DueStep::plan_step).collect();
                        if !steps.is_empty() {
                            inbox.tell(Input::PlanSteps {
                                partition,
                                assignment,
                                steps,
                            });
                        }
                    }
                }
                Err(error) => telemetry::plan_steps_unknown(&error),
            }
            drop(out);
        };
        self.parts.tracker.spawn_on(asking, &self.parts.handlers);
    }
}
