//! Parked rows: fenced like claims, kept in order, and remembered until nobody can deliver them again.

use std::time::Duration;

use argosy_kernel::{Epoch, LaneKey, Offset};
use argosy_store::{
    FoundParked, LoadedRow, ParkAnswer, ParkChange, ParkLoad, ParkedLook, ParkedRow,
};
use bytes::Bytes;

use super::{LONG, World, list};

list![
    a_parked_record_comes_back_byte_for_byte,
    rows_come_in_offset_order_and_bounded,
    rows_are_loaded_through_an_offset_and_no_further,
    lanes_are_told_apart_by_kind_and_key,
    a_row_that_is_added_again_stays_as_it_is,
    what_a_head_waits_for_is_kept,
    a_settled_row_is_a_tombstone_until_it_is_passed,
    a_row_that_waits_is_never_passed,
    a_change_of_an_older_epoch_changes_nothing,
    a_change_of_a_partition_that_nobody_took_changes_nothing,
    changes_are_fenced_one_by_one,
    partitions_do_not_see_each_other,
    an_empty_change_is_an_answer_whether_it_is_ours,
];

impl World<'_> {
    pub(super) fn change(&self) -> ParkChange {
        ParkChange::new(self.owner(0), Epoch(1))
    }

    pub(super) async fn park(&self, change: ParkChange) -> ParkAnswer {
        let answers = self.store.park(vec![change]).await;
        let [answer] = answers.expect("it can be parked")[..] else {
            panic!("one answer to one change");
        };
        answer
    }

    pub(super) async fn add(&self, rows: Vec<ParkedRow>) {
        let change = ParkChange {
            rows,
            ..self.change()
        };
        assert_eq!(self.park(change).await, ParkAnswer::Done);
    }

    pub(super) async fn parked_in(&self, partition: i32) -> FoundParked {
        let found = self.store.parked(self.owner(partition)).await;
        found.expect("it can be read")
    }

    pub(super) async fn load(&self, lane: LaneKey, rows_max: usize) -> Vec<LoadedRow> {
        let load = ParkLoad {
            owner: self.owner(0),
            lane,
            rows_max,
            through: None,
        };
        let loaded = self.store.load_parked(vec![load]).await;
        loaded.expect("it can be loaded").remove(0)
    }

    pub(super) async fn offsets(&self, lane: LaneKey) -> Vec<i64> {
        let rows = self.load(lane, 100).await;
        rows.iter().map(|loaded| loaded.row.offset).collect()
    }
}

pub(super) fn lane(name: &str) -> LaneKey {
    LaneKey::Key(name.as_bytes().into())
}

pub(super) fn row(name: &str, offset: i64) -> ParkedRow {
    ParkedRow {
        lane: lane(name),
        offset,
        timestamp_ms: Some(offset),
        key: Some(Bytes::copy_from_slice(name.as_bytes())),
        value: Some(Bytes::from(format!("value of {offset}"))),
        headers: vec![("ce_id".to_owned(), Bytes::from(offset.to_string()))],
    }
}

pub(super) fn look(offset: i64) -> ParkedLook {
    ParkedLook {
        offset,
        cause: "dependency".into(),
        dependency: Some("acme".into()),
        due: LONG,
        attempts: 3,
        age: Duration::from_millis(1_500),
    }
}

async fn a_parked_record_comes_back_byte_for_byte(world: &World<'_>) {
    world.own().await;
    let odd = ParkedRow {
        lane: LaneKey::Keyless(Offset(7)),
        offset: 7,
        timestamp_ms: None,
        key: None,
        value: None,
        headers: vec![
            (String::new(), Bytes::new()),
            ("a\0\\b".to_owned(), Bytes::from_static(b"\0\xff")),
            ("a\0\\b".to_owned(), Bytes::new()),
        ],
    };
    let plain = row("k", 8);
    world.add(vec![odd.clone(), plain.clone()]).await;
    let loaded = world.load(LaneKey::Keyless(Offset(7)), 1).await;
    assert_eq!(loaded[0].row, odd);
    assert_eq!((loaded[0].attempts, loaded[0].age), (0, Duration::ZERO));
    assert_eq!(world.load(lane("k"), 1).await[0].row, plain);
}

async fn rows_come_in_offset_order_and_bounded(world: &World<'_>) {
    world.own().await;
    world
        .add((0..5).rev().map(|offset| row("k", offset)).collect())
        .await;
    world.add(vec![row("k", 5)]).await;
    assert_eq!(world.offsets(lane("k")).await, [0, 1, 2, 3, 4, 5]);
    assert_eq!(world.load(lane("k"), 2).await.len(), 2);
    assert_eq!(world.load(lane("k"), 0).await.len(), 1);
}

async fn rows_are_loaded_through_an_offset_and_no_further(world: &World<'_>) {
    world.own().await;
    world
        .add((0..5).map(|offset| row("k", offset)).collect())
        .await;
    for (through, rows) in [(None, 5), (Some(4), 5), (Some(2), 3), (Some(-1), 0)] {
        let load = ParkLoad {
            owner: world.owner(0),
            lane: lane("k"),
            rows_max: 100,
            through,
        };
        let loaded = world.store.load_parked(vec![load]).await;
        assert_eq!(loaded.expect("it can be loaded")[0].len(), rows);
    }
}

async fn lanes_are_told_apart_by_kind_and_key(world: &World<'_>) {
    world.own().await;
    let long = "k".repeat(9_000);
    let lanes = [
        lane(""),
        lane("a"),
        lane(&long),
        LaneKey::Keyless(Offset(3)),
        LaneKey::Whole,
    ];
    let rows = lanes.iter().zip(0..).map(|(lane, offset)| ParkedRow {
        lane: lane.clone(),
        ..row("x", offset)
    });
    world.add(rows.collect()).await;
    let found = world.parked_in(0).await;
    let keys: Vec<_> = found.lanes.iter().map(|found| found.lane.clone()).collect();
    assert_eq!(keys, lanes);
    for (lane, offset) in lanes.into_iter().zip(0..) {
        assert_eq!(world.offsets(lane).await, [offset]);
    }
}

async fn a_row_that_is_added_again_stays_as_it_is(world: &World<'_>) {
    world.own().await;
    world.add(vec![row("k", 1), row("k", 1)]).await;
    let other = ParkedRow {
        value: None,
        ..row("k", 1)
    };
    world.add(vec![other]).await;
    let loaded = world.load(lane("k"), 10).await;
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0].row, row("k", 1));
}

async fn what_a_head_waits_for_is_kept(world: &World<'_>) {
    world.own().await;
    // Said with the row, and said later; of a row that is not there nothing is kept.
    let change = ParkChange {
        rows: vec![row("k", 1), row("k", 2)],
        looks: vec![look(1), look(9)],
        ..world.change()
    };
    world.park(change).await;
    world.add(vec![row("l", 3)]).await;
    let found = world.parked_in(0).await;
    let [first, second] = &found.lanes[..] else {
        panic!("two lanes: {found:?}");
    };
    assert_eq!((first.rows, first.bytes), (2, 2 * row("k", 1).bytes()));
    assert_eq!((first.head, first.held), (Some(1), None));
    let said = first.look.as_ref().expect("it was said");
    assert!(said.due <= LONG && said.due > LONG / 2, "{said:?}");
    let said = ParkedLook {
        due: LONG,
        ..said.clone()
    };
    assert_eq!(said, look(1));
    assert_eq!(second.look, None);
    let change = ParkChange {
        looks: vec![ParkedLook {
            due: Duration::ZERO,
            dependency: None,
            cause: "retry".into(),
            ..look(3)
        }],
        ..world.change()
    };
    world.park(change).await;
    let found = world.parked_in(0).await;
    let said = found.lanes[1].look.as_ref().expect("it was said");
    assert_eq!(
        (&*said.cause, said.due, said.attempts),
        ("retry", Duration::ZERO, 3)
    );
    let loaded = world.load(lane("l"), 1).await;
    assert_eq!(
        (loaded[0].attempts, loaded[0].age),
        (3, Duration::from_millis(1_500))
    );
}

async fn a_settled_row_is_a_tombstone_until_it_is_passed(world: &World<'_>) {
    world.own().await;
    world
        .add((1..=3).map(|offset| row("k", offset)).collect())
        .await;
    let change = ParkChange {
        settled: vec![1, 2, 2, 77],
        ..world.change()
    };
    world.park(change).await;
    let found = world.parked_in(0).await;
    assert_eq!(
        (found.lanes[0].rows, &found.offsets[..]),
        (1, &[1, 2, 3][..])
    );
    assert_eq!(world.offsets(lane("k")).await, [3]);
    // A redelivery is not parked again, nor waited for.
    let again = ParkChange {
        rows: vec![row("k", 1)],
        looks: vec![look(1)],
        ..world.change()
    };
    world.park(again).await;
    assert_eq!(world.offsets(lane("k")).await, [3]);
    let change = ParkChange {
        passed: Some(2),
        ..world.change()
    };
    world.park(change).await;
    assert_eq!(world.parked_in(0).await.offsets, [2, 3]);
}

async fn a_row_that_waits_is_never_passed(world: &World<'_>) {
    world.own().await;
    world.add(vec![row("k", 1)]).await;
    let change = ParkChange {
        passed: Some(100),
        ..world.change()
    };
    world.park(change).await;
    assert_eq!(world.offsets(lane("k")).await, [1]);
}

async fn a_change_of_an_older_epoch_changes_nothing(world: &World<'_>) {
    world.own().await;
    world.add(vec![row("k", 1)]).await;
    let taken = world
        .store
        .take_owners(world.salt, vec![world.owner(0)])
        .await;
    taken.expect("it can be taken");
    let change = ParkChange {
        rows: vec![row("k", 2)],
        looks: vec![look(1)],
        settled: vec![1],
        passed: Some(100),
        ..world.change()
    };
    assert_eq!(world.park(change).await, ParkAnswer::Fenced);
    let found = world.parked_in(0).await;
    assert_eq!(
        (found.lanes[0].rows, found.lanes[0].look.clone()),
        (1, None)
    );
    assert_eq!(found.offsets, [1]);
}

async fn a_change_of_a_partition_that_nobody_took_changes_nothing(world: &World<'_>) {
    let change = ParkChange {
        rows: vec![row("k", 1)],
        ..world.change()
    };
    assert_eq!(world.park(change).await, ParkAnswer::Fenced);
    assert_eq!(world.parked_in(0).await, FoundParked::default());
}

async fn changes_are_fenced_one_by_one(world: &World<'_>) {
    world.own().await;
    let ours = ParkChange {
        rows: vec![row("k", 1)],
        ..world.change()
    };
    let theirs = ParkChange {
        owner: world.owner(1),
        ..ours.clone()
    };
    let answers = world.store.park(vec![theirs, ours]).await;
    assert_eq!(
        answers.expect("they can be parked"),
        [ParkAnswer::Fenced, ParkAnswer::Done]
    );
    assert_eq!(world.parked_in(0).await.offsets, [1]);
    assert!(world.parked_in(1).await.offsets.is_empty());
}

async fn partitions_do_not_see_each_other(world: &World<'_>) {
    world.own().await;
    let taken = world
        .store
        .take_owners(world.salt, vec![world.owner(1)])
        .await;
    taken.expect("it can be taken");
    let change = |partition, offset| ParkChange {
        owner: world.owner(partition),
        rows: vec![row("k", offset)],
        ..world.change()
    };
    let answers = world.store.park(vec![change(0, 1), change(1, 1)]).await;
    assert_eq!(answers.expect("they can be parked"), [ParkAnswer::Done; 2]);
    let settle = ParkChange {
        owner: world.owner(1),
        settled: vec![1],
        ..world.change()
    };
    world.park(settle).await;
    assert_eq!(world.offsets(lane("k")).await, [1]);
}

async fn an_empty_change_is_an_answer_whether_it_is_ours(world: &World<'_>) {
    world.own().await;
    assert_eq!(world.park(world.change()).await, ParkAnswer::Done);
    let answers = world.store.park(Vec::new()).await;
    assert!(answers.expect("nothing can be parked").is_empty());
}
