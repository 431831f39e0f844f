//! Rules about a pump at rest between two turns: nothing forgotten, nothing asleep without a wake-up, budgets kept.

use argosy_kernel::{LaneState, Partition, Time, Waiting};

use super::{Judge, Rule};
use crate::simulation::instance::Instance;

impl Judge {
    /// Looks into an instance after its turn.
    pub(crate) fn inspect(&mut self, instance: &Instance, now: Time) {
        if !instance.is_running() || self.has_ruled() {
            return;
        }
        self.check_lanes(instance, now);
        for (partition, _) in instance.pump.assigned() {
            // What is parked is held by the store; whether it is forgotten shows at the end, when all must settle.
            if self.config.parking.is_none() {
                self.check_held(instance, partition);
            }
            self.check_intake(instance, partition);
        }
    }

    fn check_lanes(&mut self, instance: &Instance, now: Time) {
        let wake_at = instance.pump.wake_at();
        let running: usize = self
            .partitions
            .keys()
            .map(|partition| instance.pump.live_runs(*partition))
            .sum();
        let has_room = running < self.config.running_max;
        let mut held_back: Option<(Partition, Option<Waiting>)> = None;
        for lane in instance.pump.lanes() {
            if held_back.as_ref().map(|(of, _)| *of) != Some(lane.partition) {
                held_back = Some((lane.partition, instance.pump.held_back(lane.partition)));
            }
            let free = matches!(held_back, Some((_, None)));
            let asleep = match &lane.state {
                LaneState::Ready => {
                    let is_kept = matches!(held_back, Some((_, Some(Waiting::Suspect))));
                    (free && has_room) || (is_kept && running == 0)
                }
                LaneState::Waiting { until, .. } => {
                    free && wake_at.is_none_or(|wake_at| wake_at > now.max(*until))
                }
                // Past its deadline it is told to stop, and answers.
                LaneState::Running { since } => {
                    free && now < since.plus(self.config.run_deadline) && wake_at.is_none()
                }
                LaneState::Publishing | LaneState::DeadLettering | LaneState::Holding => false,
            };
            let stuck = wake_at.is_none()
                && match &held_back {
                    // Once told to stop, its runs answer.
                    Some((of, Some(Waiting::Draining))) => instance.pump.live_runs(*of) == 0,
                    Some((_, Some(Waiting::Dependency(_)))) => true,
                    _ => false,
                };
            if asleep || stuck {
                let (partition, head, state) = (lane.partition, lane.head, lane.state);
                self.rule(Rule::WaitingHasAWakeUp, || {
                    format!(
                        "instance {}: {partition:?}@{} is {state:?}, wake-up {wake_at:?}",
                        instance.id.0, head.0
                    )
                });
                return;
            }
        }
    }

    /// What was delivered and has not settled is held, no more and no less.
    fn check_held(&mut self, instance: &Instance, partition: Partition) {
        let Some(seen) = self.seen.get(&(instance.id, partition)) else {
            return;
        };
        let held = instance.pump.held(partition).records;
        let open = seen.open();
        // What comes while a partition is being given back is the next owner's, and need not be kept.
        let draining = instance.pump.held_back(partition) == Some(Waiting::Draining);
        let exact = !seen.map_was_there && !draining;
        if held > open || (exact && held != open) {
            self.rule(Rule::NothingIsForgotten, || {
                format!(
                    "instance {}: {partition:?} holds {held} records, {open} were delivered and are not settled",
                    instance.id.0
                )
            });
        }
    }

    fn check_intake(&mut self, instance: &Instance, partition: Partition) {
        let held = instance.pump.held(partition);
        let stopped = instance.intake.held.contains(&partition);
        let (records_max, bytes_max) = (
            self.config.partition_records_max,
            self.config.partition_bytes_max,
        );
        let over = held.records > records_max || held.bytes > bytes_max;
        let under = held.records <= records_max / 2 && held.bytes <= bytes_max / 2;
        if (over && !stopped) || (under && stopped) {
            self.rule(Rule::BudgetsHold, || {
                format!(
                    "instance {}: {partition:?} holds {held:?}, its intake is {}",
                    instance.id.0,
                    if stopped { "stopped" } else { "open" }
                )
            });
        }
    }
}
