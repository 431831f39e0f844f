//! What is committed, when, and what a commit's end means.

use argosy_kernel::{
    Action, CommitNumber, CommitResult, Input, MapFault, Offset, PumpConfig, StepNumber,
};

use crate::{seen::*, world::*};

/// Scenarios O1 and O2: whatever is done above it, a pending record is never covered.
#[test]
fn a_commit_never_passes_a_record_that_is_still_running() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(10..20);
    for offset in (11..20).rev() {
        world.finish(offset, DONE);
    }
    assert_eq!(committed(&world.acknowledge()), Some(10));
    world.commit_ended(1, CommitResult::Accepted);
    world.finish(10, DONE);
    world.acknowledge();
    assert_eq!(committed(&world.pass(millis(1_000))), Some(20));
}

#[test]
fn a_settled_record_is_committed_only_once_its_step_is_acknowledged() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..3);
    for offset in 0..3 {
        assert!(commits(&world.finish(offset, DONE)).is_empty());
    }
    assert_eq!(world.frontier(), Some(0));
    let actions = world.on(Input::StepsAcknowledged(StepNumber(2)));
    assert_eq!(committed(&actions), Some(2));
    assert_eq!(world.frontier(), Some(2));
}

/// Scenario O4.
#[test]
fn one_record_is_committed_as_the_offset_after_it_and_is_not_run_again() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.finish(0, DONE);
    let actions = world.acknowledge();
    assert_eq!(commits(&actions), [(1, vec![(P0, 1, None)])]);

    let mut next = World::new(config());
    next.assign(&[P0]);
    next.own(P0, 2, Some((1, "")));
    assert!(runs(&next.deliver("a", [0])).is_empty());
    assert_eq!(runs(&next.deliver("a", [1])), [[1]]);
}

/// Scenario O3.
#[test]
fn after_a_restart_only_what_was_not_clear_runs_again() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..10);
    for offset in [1, 2, 5, 9] {
        world.finish(offset, DONE);
    }
    let (_, offsets) = commits(&world.acknowledge()).pop().unwrap();
    let (_, offset, metadata) = offsets[0].clone();
    assert_eq!(offset, 0);

    let mut next = World::new(config());
    next.assign(&[P0]);
    next.own(P0, 2, Some((0, &metadata.unwrap())));
    let actions = next.deliver_keyless(0..10);
    assert_eq!(runs(&actions), [[0], [3], [4], [6], [7], [8]]);
    assert!(
        settled(&actions).is_empty(),
        "what the map holds settled before"
    );
}

#[test]
fn records_that_came_before_the_map_was_known_are_cleared_by_it_all_the_same() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..4);
    world.finish(2, DONE);
    let (_, offsets) = commits(&world.acknowledge()).pop().unwrap();
    let metadata = offsets[0].2.clone().unwrap();

    let mut next = World::new(config());
    next.assign(&[P0]);
    next.deliver_keyless(0..4);
    assert_eq!(
        runs(&next.own(P0, 2, Some((0, &metadata)))),
        [[0], [1], [3]]
    );
    assert_eq!(next.pump.held(P0).records, 3);
}

/// Scenario O5.
#[test]
fn thousands_done_above_one_stuck_head_fit_into_a_small_map() {
    let config = PumpConfig {
        running_max: 50_000,
        ..config()
    };
    let mut world = World::owning(config.clone(), &[P0]);
    world.deliver_keyless(0..20_000);
    for offset in 1..20_000 {
        world.finish(offset, DONE);
    }
    let (_, offsets) = commits(&world.acknowledge()).pop().unwrap();
    let (_, offset, metadata) = offsets[0].clone();
    let metadata = metadata.unwrap();
    assert_eq!(offset, 0);
    assert!(metadata.len() < 40, "{metadata}");

    let mut next = World::new(config);
    next.assign(&[P0]);
    next.own(P0, 2, Some((0, &metadata)));
    assert_eq!(runs(&next.deliver_keyless(0..20_000)), [[0]]);
}

/// Scenario O6.
#[test]
fn offsets_that_are_never_delivered_are_not_missing_work() {
    let mut world = World::owning(config(), &[P0]);
    // Markers of transactions take 1, 3, 4 and 8; the log begins after a marker.
    world.deliver_keyless([2, 5, 6, 7, 9]);
    for offset in [2, 6, 9] {
        world.finish(offset, DONE);
    }
    assert_eq!(committed(&world.acknowledge()), Some(5));
    world.commit_ended(1, CommitResult::Accepted);
    for offset in [5, 7] {
        world.finish(offset, DONE);
    }
    world.acknowledge();
    assert_eq!(committed(&world.pass(millis(1_000))), Some(10));
}

/// Scenario O11: an oversized map is left out, and nothing else changes.
#[test]
fn a_map_past_the_limit_is_left_out_and_healthy_keys_go_on() {
    let config = PumpConfig {
        running_max: 50_000,
        partition_records_max: 100_000,
        ..config()
    };
    let mut world = World::owning(config, &[P0]);
    world.deliver_keyless(0..10_000);
    for offset in (1..10_000).step_by(2) {
        world.finish(offset, DONE);
    }
    let actions = world.acknowledge();
    assert_eq!(commits(&actions), [(1, vec![(P0, 0, None)])]);
    assert_eq!(runs(&world.deliver_keyless([10_000])), [[10_000]]);
}

/// Scenario O11: a broker with a smaller limit than ours.
#[test]
fn metadata_that_the_broker_refuses_is_recommitted_at_once_without_the_map() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..4);
    world.finish(1, DONE);
    let (commit, offsets) = commits(&world.acknowledge()).pop().unwrap();
    assert!(offsets[0].2.is_some());
    let actions = world.commit_ended(commit, CommitResult::MetadataTooLarge);
    assert_eq!(commits(&actions), [(2, vec![(P0, 0, None)])]);
    world.commit_ended(2, CommitResult::Accepted);
    // A map of the same length is not tried again.
    world.finish(2, DONE);
    world.acknowledge();
    assert!(commits(&world.pass(millis(1_000))).is_empty());
}

/// Scenario O13.
#[test]
fn what_becomes_clear_while_a_commit_is_out_is_in_the_next_one() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..2);
    world.finish(0, DONE);
    assert_eq!(committed(&world.acknowledge()), Some(1));
    world.finish(1, DONE);
    world.acknowledge();
    assert!(
        commits(&world.pass(millis(1_000))).is_empty(),
        "one at a time"
    );
    assert_eq!(
        committed(&world.commit_ended(1, CommitResult::Accepted)),
        Some(2)
    );
}

/// Scenarios O14 and S9.
#[test]
fn a_commit_that_fails_or_comes_too_early_is_repeated_later() {
    for result in [CommitResult::Failed, CommitResult::Stale] {
        let mut world = World::owning(config(), &[P0]);
        world.deliver("a", [0]);
        world.finish(0, DONE);
        world.acknowledge();
        assert!(commits(&world.commit_ended(1, result)).is_empty());
        assert_eq!(committed(&world.pass(millis(1_000))), Some(1));
        world.commit_ended(2, CommitResult::Accepted);
        assert!(commits(&world.pass(millis(60_000))).is_empty());
    }
}

/// Scenario O14: the result never comes.
#[test]
fn a_commit_without_an_answer_counts_as_failed() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.finish(0, DONE);
    world.acknowledge();
    assert!(commits(&world.pass(millis(9_999))).is_empty());
    assert_eq!(commits(&world.pass(millis(1)))[0].0, 2);
    assert!(
        world.commit_ended(1, CommitResult::Accepted).is_empty(),
        "too late"
    );
    world.commit_ended(2, CommitResult::Accepted);
    assert!(commits(&world.pass(millis(60_000))).is_empty());
}

#[test]
fn a_partition_without_a_result_counts_as_failed() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.finish(0, DONE);
    world.acknowledge();
    world.on(Input::CommitEnded {
        commit: CommitNumber(1),
        results: vec![(P1, CommitResult::Accepted)],
    });
    assert_eq!(committed(&world.pass(millis(1_000))), Some(1));
}

#[test]
fn nothing_is_committed_twice_unchanged() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.finish(0, DONE);
    world.acknowledge();
    world.commit_ended(1, CommitResult::Accepted);
    for _ in 0..5 {
        assert!(commits(&world.pass(millis(1_000))).is_empty());
    }
    assert_eq!(world.pump.wake_at(), None);
}

#[test]
fn commits_are_a_second_apart_and_carry_every_partition_that_changed() {
    let mut world = World::owning(config(), &[P0, P1]);
    world.deliver("a", 0..2);
    world.records(vec![record(P1, 5, key("b"))]);
    world.finish(0, DONE);
    world.acknowledge();
    world.commit_ended(1, CommitResult::Accepted);
    world.finish(1, DONE);
    world.finish_at(world.at(P1, 5), DONE);
    assert!(commits(&world.acknowledge()).is_empty());
    assert!(commits(&world.pass(millis(999))).is_empty());
    let seen = commits(&world.pass(millis(1)));
    assert_eq!(seen, [(2, vec![(P0, 2, None), (P1, 6, None)])]);
}

/// Scenario O16.
#[test]
fn acknowledgements_after_a_gap_drain_when_the_gap_closes() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..6);
    for offset in [5, 4, 2] {
        world.finish(offset, DONE);
    }
    world.acknowledge();
    world.commit_ended(1, CommitResult::Accepted);
    for offset in [0, 1] {
        world.finish(offset, DONE);
    }
    world.acknowledge();
    assert_eq!(world.frontier(), Some(3));
    world.finish(3, DONE);
    world.acknowledge();
    assert_eq!(world.frontier(), Some(6));
}

#[test]
fn a_map_that_is_not_ours_is_ignored_with_its_reason_and_everything_runs() {
    let mut other = World::owning(
        PumpConfig::new("another-group", vec!["orders.v1".into()]),
        &[P0],
    );
    other.deliver_keyless(0..4);
    other.finish(2, DONE);
    let (_, offsets) = commits(&other.acknowledge()).pop().unwrap();
    let foreign = offsets[0].2.clone().unwrap();
    let too_long = format!("a1.{}", "A".repeat(5_000));
    let cases = [
        (0, foreign.as_str(), MapFault::Checksum),
        (0, "some other client's metadata", MapFault::Foreign),
        (0, "a1.!", MapFault::Malformed),
        (0, "a1.", MapFault::Malformed),
        (0, too_long.as_str(), MapFault::TooLong),
    ];
    for (offset, metadata, expected) in cases {
        let mut world = World::new(config());
        world.assign(&[P0]);
        let actions = world.own(P0, 1, Some((offset, metadata)));
        let reasons: Vec<_> = actions
            .iter()
            .filter_map(|action| match action {
                Action::MapIgnored { reason, .. } => Some(*reason),
                _ => None,
            })
            .collect();
        assert_eq!(reasons, [expected]);
        assert_eq!(runs(&world.deliver_keyless(0..4)).len(), 4);
    }
}

#[test]
fn a_map_of_another_committed_offset_is_ignored() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..4);
    world.finish(2, DONE);
    let (_, offsets) = commits(&world.acknowledge()).pop().unwrap();
    let stale = offsets[0].2.clone().unwrap();

    let mut next = World::new(config());
    next.assign(&[P0]);
    let actions = next.own(P0, 1, Some((1, &stale)));
    let ignored = actions.iter().any(|action| {
        matches!(
            action,
            Action::MapIgnored {
                reason: MapFault::Base,
                ..
            }
        )
    });
    assert!(ignored, "{actions:?}");
    assert_eq!(runs(&next.deliver_keyless(1..4)), [[1], [2], [3]]);
}

#[test]
fn what_an_earlier_assignment_cleared_stays_in_the_map_until_it_is_delivered() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..10);
    world.finish(8, DONE);
    let (_, offsets) = commits(&world.acknowledge()).pop().unwrap();
    let metadata = offsets[0].2.clone().unwrap();

    // The second owner gets no further than 3 before it ends.
    let mut second = World::new(config());
    second.assign(&[P0]);
    second.own(P0, 2, Some((0, &metadata)));
    second.deliver_keyless(0..3);
    second.finish(0, DONE);
    let (_, offsets) = commits(&second.acknowledge()).pop().unwrap();
    let (_, offset, metadata) = offsets[0].clone();
    assert_eq!(offset, 1);

    let mut third = World::new(config());
    third.assign(&[P0]);
    third.own(P0, 3, Some((1, &metadata.unwrap())));
    let expected: Vec<_> = [1, 2, 3, 4, 5, 6, 7, 9].map(|offset| vec![offset]).into();
    assert_eq!(runs(&third.deliver_keyless(1..10)), expected);
}

#[test]
fn a_commit_never_goes_back() {
    let mut world = World::new(config());
    world.assign(&[P0]);
    world.own(P0, 1, Some((100, "")));
    assert!(runs(&world.deliver_keyless(0..50)).is_empty());
    assert_eq!(world.pump.frontier(P0), Some(Offset(100)));
    world.deliver_keyless([100]);
    world.finish(100, DONE);
    assert_eq!(committed(&world.acknowledge()), Some(101));
}
