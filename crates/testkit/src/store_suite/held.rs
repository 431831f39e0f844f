//! Held lanes: found by every new owner, also without rows, until they are let go.

use argosy_kernel::{Epoch, LaneKey, Offset};
use argosy_store::{FoundLane, HeldLane, ParkAnswer, ParkChange};

use super::{
    World, list,
    parked::{lane, row},
};

list![
    a_held_lane_is_found_with_its_rows_and_without,
    of_two_holds_of_a_lane_the_newer_one_counts,
    a_released_lane_is_held_no_more,
    a_lane_that_is_held_and_released_at_once_ends_held,
    a_hold_of_an_older_epoch_changes_nothing,
    holds_are_of_one_partition,
    lanes_of_every_kind_can_be_held,
];

impl World<'_> {
    pub(super) async fn hold(&self, lane: LaneKey, offset: i64) {
        let change = ParkChange {
            holds: vec![HeldLane { lane, offset }],
            ..self.change()
        };
        assert_eq!(self.park(change).await, ParkAnswer::Done);
    }

    async fn release(&self, lane: LaneKey) {
        let change = ParkChange {
            released: vec![lane],
            ..self.change()
        };
        assert_eq!(self.park(change).await, ParkAnswer::Done);
    }

    async fn found_lanes(&self) -> Vec<FoundLane> {
        self.parked_in(0).await.lanes
    }
}

/// Lane, head, hold, rows.
fn told(found: &[FoundLane]) -> Vec<(LaneKey, Option<i64>, Option<i64>, usize)> {
    let told = |found: &FoundLane| (found.lane.clone(), found.head, found.held, found.rows);
    found.iter().map(told).collect()
}

async fn a_held_lane_is_found_with_its_rows_and_without(world: &World<'_>) {
    world.own().await;
    world.hold(lane("empty"), 9).await;
    world.hold(lane("k"), 3).await;
    let rows = vec![row("k", 4), row("k", 7), row("free", 5)];
    world.add(rows).await;
    let found = world.found_lanes().await;
    let expected = vec![
        (lane("k"), Some(4), Some(3), 2),
        (lane("free"), Some(5), None, 1),
        (lane("empty"), None, Some(9), 0),
    ];
    assert_eq!(told(&found), expected);
    assert_eq!((found[2].bytes, &found[2].look), (0, &None));
    // Its last row settles: the lane stays, without one.
    let change = ParkChange {
        settled: vec![4, 7],
        ..world.change()
    };
    world.park(change).await;
    let found = world.found_lanes().await;
    assert_eq!(found.len(), 3);
    assert!(told(&found).contains(&(lane("k"), None, Some(3), 0)));
}

async fn of_two_holds_of_a_lane_the_newer_one_counts(world: &World<'_>) {
    world.own().await;
    world.hold(lane("k"), 5).await;
    world.hold(lane("k"), 3).await;
    assert_eq!(world.found_lanes().await[0].held, Some(3));
    let held = |offset| HeldLane {
        lane: lane("k"),
        offset,
    };
    let change = ParkChange {
        holds: vec![held(8), held(11), held(7)],
        ..world.change()
    };
    world.park(change).await;
    assert_eq!(world.found_lanes().await[0].held, Some(7));
}

async fn a_released_lane_is_held_no_more(world: &World<'_>) {
    world.own().await;
    world.add(vec![row("k", 4)]).await;
    world.hold(lane("k"), 3).await;
    world.hold(lane("other"), 5).await;
    world.release(lane("k")).await;
    world.release(lane("k")).await;
    world.release(lane("nobody")).await;
    let found = world.found_lanes().await;
    let expected = vec![
        (lane("k"), Some(4), None, 1),
        (lane("other"), None, Some(5), 0),
    ];
    assert_eq!(told(&found), expected);
}

async fn a_lane_that_is_held_and_released_at_once_ends_held(world: &World<'_>) {
    world.own().await;
    world.hold(lane("k"), 9).await;
    let change = ParkChange {
        holds: vec![HeldLane {
            lane: lane("k"),
            offset: 3,
        }],
        released: vec![lane("k")],
        ..world.change()
    };
    world.park(change).await;
    assert_eq!(world.found_lanes().await[0].held, Some(3));
}

async fn a_hold_of_an_older_epoch_changes_nothing(world: &World<'_>) {
    world.own().await;
    world.hold(lane("k"), 3).await;
    let change = ParkChange {
        epoch: Epoch(7),
        holds: vec![HeldLane {
            lane: lane("l"),
            offset: 4,
        }],
        released: vec![lane("k")],
        ..world.change()
    };
    assert_eq!(world.park(change).await, ParkAnswer::Fenced);
    let found = world.found_lanes().await;
    assert_eq!(told(&found), [(lane("k"), None, Some(3), 0)]);
}

async fn holds_are_of_one_partition(world: &World<'_>) {
    world.own().await;
    let taken = world
        .store
        .take_owners(world.salt, vec![world.owner(1)])
        .await;
    taken.expect("it can be taken");
    world.hold(lane("k"), 3).await;
    let theirs = ParkChange {
        owner: world.owner(1),
        released: vec![lane("k")],
        ..world.change()
    };
    world.park(theirs).await;
    assert_eq!(world.found_lanes().await[0].held, Some(3));
    assert!(world.parked_in(1).await.lanes.is_empty());
}

async fn lanes_of_every_kind_can_be_held(world: &World<'_>) {
    world.own().await;
    let long = "k\0".repeat(9_000);
    let lanes = [
        lane(""),
        lane("\0\\"),
        lane(&long),
        LaneKey::Keyless(Offset(3)),
        LaneKey::Whole,
    ];
    for (lane, offset) in lanes.iter().zip(0..) {
        world.hold(lane.clone(), offset).await;
    }
    let found = world.found_lanes().await;
    let keys: Vec<_> = found.iter().map(|found| found.lane.clone()).collect();
    assert_eq!(keys, lanes);
    for lane in lanes {
        world.release(lane).await;
    }
    assert!(world.found_lanes().await.is_empty());
}
