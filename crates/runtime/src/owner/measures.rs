//! What waits in the store, and whose intake is held and why, told every second.
//!
//! Invariant: what was told of a partition is taken back when it is assigned no longer.

use std::{collections::BTreeMap, time::Duration};

use argosy_kernel::{Parked, Partition, Time, Waiting};

use super::Owner;
use crate::telemetry;

/// Time between two measures.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// Why intake can be held; the pump's budgets know no other cause.
const CAUSES: [&str; 3] = ["backlog", "parked_full", "dependency"];

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Measures {
    next: Time,
    told: BTreeMap<Partition, Option<Waiting>>,
}

impl Owner {
    /// Measures, if it is time.
    pub(super) fn measure(&mut self) {
        let now = self.clock.now();
        if now < self.measures.next {
            return;
        }
        self.measures.next = now.plus(MEASURE_EVERY);
        let worker = self.parts.worker.name();
        let pump = &self.parts.pump;
        let assigned: BTreeMap<Partition, Option<Waiting>> = pump
            .assigned()
            .map(|(partition, _)| (partition, pump.intake_held(partition)))
            .collect();
        let before = std::mem::replace(&mut self.measures.told, assigned);
        let told = &self.measures.told;
        for partition in before.keys().filter(|of| !told.contains_key(of)) {
            telemetry::parked(worker, &self.name(*partition), Parked::default());
        }
        for (partition, held) in told {
            let of = self.name(*partition);
            telemetry::parked(worker, &of, pump.in_store(*partition));
            let held_before = before.get(partition).and_then(Option::as_ref);
            match held {
                Some(cause) if held_before != Some(cause) => telemetry::intake_held(&of, cause),
                None if held_before.is_some() => telemetry::intake_goes_on(&of),
                Some(_) | None => {}
            }
        }
        for cause in CAUSES {
            let held = told.values().flatten().filter(|held| held.name() == cause);
            telemetry::intakes_held(worker, cause, held.count());
        }
    }
}
