//! The simulation holds for some seeds, repeats itself, and its judge can say no.

use std::collections::BTreeSet;

use argosy_kernel::{Action, Input, LaneKey, Offset, ParkWrite, RunEnd, Settle, StepNumber};

use super::{
    Meddle, Rule, SimulateOptions,
    coverage::Coverage,
    event::{Left, PumpAction, PumpInput},
    plan::RecordId,
    simulate, simulate_seeds,
};
use crate::suite::Verdict;

/// Seeds for `cargo test`; `cargo simulate` runs thousands.
const SEEDS: u64 = 50;

fn options(seeds: u64) -> SimulateOptions {
    SimulateOptions {
        seeds,
        from: 0,
        trace: false,
        digest: false,
        json: true,
        threads: 2,
    }
}

#[test]
fn fifty_seeds_break_no_rule() {
    let report = simulate_seeds(&options(SEEDS), &|_| {});
    let broken: Vec<String> = report
        .failures
        .iter()
        .map(|failure| format!("{:?}: {}", failure.violation, failure.repeat))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert_eq!(report.exit_code(), 0);
    let met = &report.coverage;
    assert!(met.ran_alone > 0 && met.condemned_by_crashes > 0);
    assert!(met.keys_held > 0 && met.holds_released > 0 && met.letters_replayed > 0);
    assert!(met.replays_dead_again > 0 && met.revived > 0);
}

#[test]
fn a_suspect_that_runs_beside_others_is_noticed() {
    let rule = first_broken_rule(|_, actions| {
        for action in actions {
            if let Action::Run(dispatch) = action {
                dispatch.alone = true;
            }
        }
    });
    assert_eq!(rule, Rule::SuspectsRunAlone);
}

#[test]
fn the_same_seed_gives_the_same_action_log() {
    let (first, second) = (simulate(3, true, None), simulate(3, true, None));
    assert_eq!(first.digest, second.digest);
    assert_eq!(first.lines, second.lines);
    assert_ne!(first.digest, simulate(4, false, None).digest);
}

#[test]
fn threads_change_neither_counts_nor_digest() {
    let alone = simulate_seeds(
        &SimulateOptions {
            threads: 1,
            ..options(8)
        },
        &|_| {},
    );
    let together = simulate_seeds(&options(8), &|_| {});
    assert_eq!(alone.digest, together.digest);
    assert_eq!(alone.coverage, together.coverage);
}

#[test]
fn a_thousand_seeds_that_met_too_little_are_no_proof() {
    let mut report = simulate_seeds(&options(1), &|_| {});
    report.missing = Coverage::default().missing();
    assert_eq!(report.exit_code(), 0, "one seed need not meet everything");
    report.seeds = 1_000;
    assert_eq!(report.exit_code(), 2);
}

/// Runs seeds with a broken pump until the judge says no.
fn first_broken_rule(meddle: Meddle) -> Rule {
    (0..SEEDS)
        .find_map(|seed| simulate(seed, false, Some(meddle)).violation)
        .map(|violation| violation.rule)
        .expect("the judge notices within fifty seeds")
}

#[test]
fn a_commit_past_a_gap_is_noticed() {
    let rule = first_broken_rule(|_, actions| {
        for action in actions {
            if let Action::Commit { offsets, .. } = action {
                for (_, offset, _) in offsets {
                    *offset = Offset(offset.0 + 1);
                }
            }
        }
    });
    assert_eq!(rule, Rule::CommitPassesNothingUnclear);
}

#[test]
fn letting_partitions_go_before_their_handlers_ended_is_noticed() {
    // Without a live handler the first thing to be seen is a commit of what another owns.
    let meddle: Meddle = |input, actions| {
        if let Input::RevokeAsked { revoke, .. } = input {
            actions.push(Action::LetGo(*revoke));
        }
    };
    let noticed = (0..SEEDS)
        .filter_map(|seed| simulate(seed, false, Some(meddle)).violation)
        .any(|violation| violation.rule == Rule::LetGoAfterHandlers);
    assert!(noticed);
}

#[test]
fn settling_before_events_are_acknowledged_is_noticed() {
    let rule = first_broken_rule(|input, actions| settle_at_once(input, actions));
    assert_eq!(rule, Rule::EmitsBeforeSettling);
}

fn settle_at_once(input: &PumpInput, actions: &mut [PumpAction]) {
    let emits = matches!(
        input,
        Input::Finished {
            end: RunEnd::Done {
                emits: Some(Left::Emits(_))
            },
            ..
        }
    );
    for action in actions.iter_mut().filter(|_| emits) {
        if let Action::Publish { at, body, .. } = *action {
            *action = Action::Settled {
                at,
                body,
                settle: Settle::Done,
                step: StepNumber(u64::MAX),
            };
        }
    }
}

#[test]
fn a_dead_letter_that_is_never_written_is_noticed() {
    let rule = first_broken_rule(|_, actions| {
        actions.retain(|action| !matches!(action, Action::DeadLetter { .. }));
    });
    assert_eq!(rule, Rule::AllSettles);
}

#[test]
fn two_live_runs_of_one_key_are_noticed() {
    let rule = first_broken_rule(|_, actions| {
        let twice: Vec<PumpAction> = actions
            .iter()
            .filter(|action| matches!(action, Action::Run(_)))
            .cloned()
            .collect();
        actions.extend(twice);
    });
    assert_eq!(rule, Rule::OneLiveRunPerKey);
}

#[test]
fn an_intake_that_never_stops_is_noticed() {
    let rule = first_broken_rule(|_, actions| {
        actions.retain(|action| !matches!(action, Action::HoldIntake(_)));
    });
    assert_eq!(rule, Rule::BudgetsHold);
}

#[test]
fn an_instance_that_never_leaves_is_noticed() {
    let rule = first_broken_rule(|_, actions| {
        actions.retain(|action| !matches!(action, Action::Leave));
    });
    // Where it was to leave in the midst of the seed, its partitions never come to anybody else.
    assert!(
        matches!(rule, Rule::AllLeave | Rule::AllSettles),
        "{rule:?}"
    );
}

#[test]
fn a_settlement_without_its_timeline_step_is_noticed() {
    let rule = first_broken_rule(|_, actions| {
        actions.retain(|action| !matches!(action, Action::Settled { .. }));
    });
    let expected = BTreeSet::from(["AllSettles", "NothingIsForgotten", "OffsetsIncrease"]);
    assert!(expected.contains(format!("{rule:?}").as_str()), "{rule:?}");
}

/// Whether a broken pump makes the judge say this within the seeds.
fn is_noticed(rule: Rule, meddle: Meddle) -> bool {
    (0..SEEDS)
        .filter_map(|seed| simulate(seed, false, Some(meddle)).violation)
        .any(|violation| violation.rule == rule)
}

#[test]
fn a_dead_record_whose_hold_is_not_written_is_noticed() {
    let meddle: Meddle = |_, actions| {
        for write in parks(actions) {
            write.holds.clear();
        }
    };
    assert!(is_noticed(Rule::HoldBeforeSettling, meddle));
}

#[test]
fn rows_that_are_read_through_a_hold_are_noticed() {
    let meddle: Meddle = |_, actions| {
        for action in actions {
            if let Action::LoadParked(load) = action {
                load.through = None;
            }
        }
    };
    assert!(is_noticed(Rule::HoldsHold, meddle));
}

#[test]
fn a_hold_that_ends_when_something_comes_behind_it_is_noticed() {
    let meddle: Meddle = |_, actions| {
        for write in parks(actions) {
            let behind = write.records.iter().map(|record| record.key.clone());
            write.released.extend(behind);
        }
    };
    assert!(is_noticed(Rule::HoldsEndAsAsked, meddle));
}

#[test]
fn a_replay_outside_its_lane_is_noticed() {
    let meddle: Meddle = |_, actions| {
        for write in parks(actions) {
            for replay in &mut write.replays {
                replay.key = LaneKey::Keyless(replay.offset);
            }
        }
    };
    assert!(is_noticed(Rule::ReplaysKeepTheirPlace, meddle));
}

#[test]
fn a_record_that_was_never_dead_and_is_revived_is_noticed() {
    let meddle: Meddle = |_, actions| {
        for write in parks(actions) {
            write.revived.clone_from(&write.settled);
        }
    };
    assert!(is_noticed(Rule::OnlyTheDeadRevive, meddle));
}

/// The changes of parked rows among these.
fn parks(actions: &mut [PumpAction]) -> impl Iterator<Item = &mut ParkWrite<RecordId>> {
    actions.iter_mut().filter_map(|action| match action {
        Action::Park(write) => Some(write),
        _ => None,
    })
}
