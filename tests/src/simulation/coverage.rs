//! What a run of the simulation has met: a schedule that never occurred proves nothing.

use serde::Serialize;

macro_rules! coverage {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often each thing occurred.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Coverage {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Coverage {
            /// Adds another run's counts.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// All counts by name.
            pub fn counts(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

coverage! {
    /// An instance learned that its partitions were lost.
    lost_assignments,
    /// A partition got an owner who was not its last one.
    takeovers,
    /// A commit was refused for its generation.
    rejected_commits,
    /// A claim was found past its deadline, without outcome.
    expired_claims,
    /// An expired claim was granted to another run.
    expired_claims_taken_over,
    /// A claim was refused because the epoch was not the newest.
    claims_refused_by_epoch,
    /// A process died holding a claim without a recorded outcome.
    crashes_between_claim_and_outcome,
    /// A fenced instance that was still assigned took its partition again.
    fenced_while_assigned,
    /// An instance took its partition again, and another had committed meanwhile what it still held.
    taken_again_too_late,
    /// A process stood still.
    freezes,
    /// A process was killed.
    crashes,
    /// A process was asked to stop, and left.
    leaves,
    /// The store was killed.
    store_restarts,
    /// The broker was killed.
    broker_restarts,
    /// Partitions were asked back.
    revokes,
    /// A run was dropped because the drain budget was spent.
    drains_cut_by_budget,
    /// A run was dropped at its deadline.
    deadlines,
    /// A map was read and not ignored.
    maps_used,
    /// A map was ignored.
    maps_ignored,
    /// A foreign or stale map was put into a group's position.
    foreign_maps_fed,
    /// A commit's metadata was too large for the broker.
    maps_too_large,
    /// A claim of another run was still open.
    claims_waited_for,
    /// An effect was found by a lookup.
    effects_looked_up,
    /// A recorded success was returned without calling.
    outcomes_recalled,
    /// A vendor recognised a repeat.
    repeats_recognised,
    /// A claim was no longer good for sending.
    claims_too_old_to_send,
    /// The vendor accepted a call whose answer never came.
    answers_lost,
    /// A dead letter was acknowledged.
    dead_letters,
    /// Writing emitted events failed.
    emit_write_failures,
    /// The broker will never take an emitted event.
    emits_rejected,
    /// Writing a dead letter failed.
    letter_write_failures,
    /// Records were delivered a second time.
    delivered_twice,
    /// Records came after their partition was gone.
    delivered_late,
    /// A partition's intake was held.
    intake_held,
    /// An attempt failed.
    attempts_failed,
    /// A run was deferred.
    runs_deferred,
    /// A store operation took effect though its caller was told otherwise.
    store_answers_lost,
    /// A run without current ownership was live.
    runs_without_ownership,
    /// Records were parked.
    records_parked,
    /// A change of parked rows was refused because the epoch was not the newest.
    parks_refused_by_epoch,
    /// Records ran out of the store.
    records_loaded,
    /// A new owner found parked lanes.
    parked_lanes_found,
    /// A record came again though the store had it, or had settled it.
    parked_redelivered,
    /// Records that were running when their process was killed.
    records_left_running,
    /// A record ran with nothing beside it, because it was running when a process was killed.
    ran_alone,
    /// A record killed the process that ran it.
    killed_by_a_record,
    /// Records dead because the process died whenever they ran alone.
    condemned_by_crashes,
    /// Suspects that were forgotten.
    suspects_forgotten,
    /// Keys were held behind a dead record.
    keys_held,
    /// Holds that ended.
    holds_released,
    /// Dead letters became rows again.
    letters_replayed,
    /// Replayed records died again.
    replays_dead_again,
    /// Replayed records that are done or skipped, as the store has heard.
    revived,
    /// Runs begun.
    runs,
    /// Records settled as done.
    done,
    /// Records skipped.
    skipped,
    /// Records dead.
    dead,
    /// Events of all kinds.
    events,
}

impl Coverage {
    /// What a thousand seeds must have met, or they were not worth running.
    pub const REQUIRED: [&'static str; 20] = [
        "lost_assignments",
        "takeovers",
        "rejected_commits",
        "expired_claims",
        "expired_claims_taken_over",
        "claims_refused_by_epoch",
        "crashes_between_claim_and_outcome",
        "records_parked",
        "parks_refused_by_epoch",
        "records_loaded",
        "parked_lanes_found",
        "parked_redelivered",
        "ran_alone",
        "condemned_by_crashes",
        "suspects_forgotten",
        "keys_held",
        "holds_released",
        "letters_replayed",
        "replays_dead_again",
        "revived",
    ];

    /// Which required things never occurred.
    pub fn missing(&self) -> Vec<&'static str> {
        self.counts()
            .into_iter()
            .filter(|(name, count)| *count == 0 && Self::REQUIRED.contains(name))
            .map(|(name, _)| name)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_occurred_is_named() {
        let mut coverage = Coverage {
            takeovers: 1,
            ..Coverage::default()
        };
        assert_eq!(coverage.missing().len(), Coverage::REQUIRED.len() - 1);
        assert!(!coverage.missing().contains(&"takeovers"));
        coverage.add(&coverage.clone());
        assert_eq!(coverage.takeovers, 2);
    }

    #[test]
    fn every_required_name_is_counted() {
        let counts = Coverage::default().counts();
        for name in Coverage::REQUIRED {
            assert!(counts.iter().any(|(counted, _)| *counted == name), "{name}");
        }
    }
}
