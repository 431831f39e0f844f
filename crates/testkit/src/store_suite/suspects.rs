//! Suspects: told by whoever finds what a dead process left, counted once, found by the next owner, and forgotten.

use std::sync::Arc;

use argosy_store::{
    FoundSuspect, LeftRecord, LeftRunning, ParkAnswer, ParkChange, ParkedRow, StoreError, limits,
};
use bytes::Bytes;
use uuid::Uuid;

use super::{World, list};

list![
    a_record_that_ran_beside_others_is_a_suspect_without_a_death,
    a_death_alone_counts_once_however_often_it_is_told,
    deaths_of_several_instances_add_up_to_a_limit,
    one_record_in_two_slots_is_one_suspect,
    suspects_are_found_by_partition_in_offset_order,
    what_is_forgotten_is_gone_and_the_rest_stays,
    what_waits_in_the_store_is_not_forgotten_until_it_settled,
    hostile_and_extreme_suspects_are_kept_as_they_are_or_refused_whole,
];

impl World<'_> {
    fn left(&self, instance: u128, records: Vec<LeftRecord>) -> LeftRunning {
        LeftRunning {
            worker: self.named("orders"),
            instance: Uuid::from_u128(instance),
            records,
        }
    }

    async fn tell(&self, instance: u128, records: Vec<LeftRecord>) {
        let told = self.store.suspect(self.left(instance, records)).await;
        told.expect("it can be told");
    }

    async fn suspects(&self, partition: i32) -> Vec<(i64, u32)> {
        let found = self.store.parked(self.owner(partition)).await;
        let suspects = found.expect("it can be read").suspects;
        let pairs = suspects.iter();
        pairs
            .map(|&FoundSuspect { offset, deaths }| (offset, deaths))
            .collect()
    }

    async fn forget(&self, offsets: Vec<i64>) {
        let forgotten = self.store.forget_suspects(self.owner(0), offsets).await;
        forgotten.expect("it can be forgotten");
    }
}

fn beside(offset: i64) -> LeftRecord {
    LeftRecord {
        topic: Arc::from("orders.v1"),
        partition: 0,
        offset,
        alone: false,
    }
}

fn alone(offset: i64) -> LeftRecord {
    LeftRecord {
        alone: true,
        ..beside(offset)
    }
}

async fn a_record_that_ran_beside_others_is_a_suspect_without_a_death(world: &World<'_>) {
    for instance in 1..=3 {
        world.tell(instance, vec![beside(7), beside(8)]).await;
    }
    assert_eq!(world.suspects(0).await, [(7, 0), (8, 0)]);
}

async fn a_death_alone_counts_once_however_often_it_is_told(world: &World<'_>) {
    world.tell(1, vec![alone(7)]).await;
    world.tell(2, vec![alone(7)]).await;
    world.tell(1, vec![alone(7)]).await;
    world.tell(3, vec![beside(7)]).await;
    assert_eq!(world.suspects(0).await, [(7, 2)]);
}

async fn deaths_of_several_instances_add_up_to_a_limit(world: &World<'_>) {
    for instance in 0..40 {
        world.tell(instance, vec![alone(7)]).await;
    }
    let kept = u32::try_from(limits::DEATHS_KEPT_MAX).expect("the limit is small");
    assert_eq!(world.suspects(0).await, [(7, kept)]);
}

async fn one_record_in_two_slots_is_one_suspect(world: &World<'_>) {
    world.tell(1, vec![beside(7), alone(7), beside(7)]).await;
    assert_eq!(world.suspects(0).await, [(7, 1)]);
}

async fn suspects_are_found_by_partition_in_offset_order(world: &World<'_>) {
    let other = LeftRecord {
        partition: 1,
        ..alone(3)
    };
    world.tell(1, vec![beside(9), other, beside(2)]).await;
    assert_eq!(world.suspects(0).await, [(2, 0), (9, 0)]);
    assert_eq!(world.suspects(1).await, [(3, 1)]);
    assert!(world.suspects(2).await.is_empty());
}

async fn what_is_forgotten_is_gone_and_the_rest_stays(world: &World<'_>) {
    world.tell(1, vec![alone(1), beside(2), beside(3)]).await;
    world.forget(vec![]).await;
    world.forget(vec![1, 3, 3, 77]).await;
    assert_eq!(world.suspects(0).await, [(2, 0)]);
    world.tell(1, vec![beside(1)]).await;
    assert_eq!(world.suspects(0).await, [(1, 0), (2, 0)], "it begins anew");
}

async fn what_waits_in_the_store_is_not_forgotten_until_it_settled(world: &World<'_>) {
    world.own().await;
    let change = ParkChange {
        rows: vec![ParkedRow {
            lane: argosy_kernel::LaneKey::Key(b"k".as_slice().into()),
            offset: 7,
            timestamp_ms: None,
            key: Some(Bytes::from_static(b"k")),
            value: None,
            headers: Vec::new(),
        }],
        ..ParkChange::new(world.owner(0), argosy_kernel::Epoch(1))
    };
    let settle = ParkChange {
        rows: Vec::new(),
        settled: vec![7],
        ..change.clone()
    };
    let parked = world.store.park(vec![change]).await;
    assert_eq!(parked.expect("it can be parked"), [ParkAnswer::Done]);
    world.tell(1, vec![alone(7)]).await;
    world.forget(vec![7]).await;
    assert_eq!(world.suspects(0).await, [(7, 1)]);
    let settled = world.store.park(vec![settle]).await;
    assert_eq!(settled.expect("it can settle"), [ParkAnswer::Done]);
    world.forget(vec![7]).await;
    assert!(world.suspects(0).await.is_empty());
}

async fn hostile_and_extreme_suspects_are_kept_as_they_are_or_refused_whole(world: &World<'_>) {
    let extremes = [i64::MIN, -1, i64::MAX];
    world.tell(1, extremes.map(alone).to_vec()).await;
    assert_eq!(world.suspects(0).await, extremes.map(|offset| (offset, 1)));
    world.tell(1, Vec::new()).await;
    for name in ["", "\0", "\\0", "'; drop table suspects; --", "é🛒"] {
        let owner = argosy_store::OwnerKey {
            topic: Arc::from(name),
            ..world.owner(5)
        };
        let record = LeftRecord {
            topic: Arc::from(name),
            partition: 5,
            ..alone(1)
        };
        world.tell(1, vec![record]).await;
        let found = world.store.parked(owner).await.expect("it can be read");
        assert_eq!(found.suspects.len(), 1, "{name:?}");
    }
    let long = LeftRecord {
        topic: Arc::from("t".repeat(limits::NAME_BYTES_MAX + 1)),
        ..alone(1)
    };
    let many = vec![beside(4); limits::LEFT_RECORDS_MAX + 1];
    for records in [vec![beside(4), long], many] {
        let told = world.store.suspect(world.left(1, records)).await;
        assert!(matches!(told, Err(StoreError::TooLarge { .. })), "{told:?}");
    }
    let found = world.suspects(0).await;
    assert!(found.iter().all(|&(offset, _)| offset != 4));
}
