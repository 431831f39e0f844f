//! Owners: each take is the next epoch, and fences all before it.

use argosy_kernel::Epoch;
use argosy_store::{ClaimAnswer, OwnerKey};
use futures_util::future::join_all;

use super::{World, list};

list![
    each_take_is_the_next_epoch,
    epochs_are_answered_in_the_order_asked,
    partitions_have_epochs_of_their_own,
    concurrent_takers_get_different_epochs,
    crossing_takes_do_not_wait_for_each_other_in_a_ring,
    a_claim_of_an_older_epoch_is_fenced,
    a_claim_of_a_partition_that_nobody_took_is_fenced,
    a_fenced_claim_leaves_nothing_behind,
    a_batch_is_fenced_item_by_item,
    claims_that_begin_after_a_take_are_fenced,
];

async fn each_take_is_the_next_epoch(world: &World<'_>) {
    for epoch in 1..=3 {
        let epochs = world
            .store
            .take_owners(world.salt, vec![world.owner(0)])
            .await
            .expect("it can be taken");
        assert_eq!(epochs, [Epoch(epoch)]);
    }
}

async fn epochs_are_answered_in_the_order_asked(world: &World<'_>) {
    world.own().await;
    let asked = vec![
        world.owner(2),
        world.owner(0),
        world.owner(1),
        world.owner(0),
    ];
    let epochs = world
        .store
        .take_owners(world.salt, asked)
        .await
        .expect("they can be taken");
    assert_eq!(epochs, [Epoch(1), Epoch(2), Epoch(1), Epoch(2)]);
}

async fn partitions_have_epochs_of_their_own(world: &World<'_>) {
    world.own().await;
    let other_topic = OwnerKey {
        topic: world.named("other"),
        ..world.owner(0)
    };
    let other_worker = OwnerKey {
        worker: world.named("other"),
        ..world.owner(0)
    };
    let epochs = world
        .store
        .take_owners(world.salt, vec![other_topic, other_worker])
        .await
        .expect("they can be taken");
    assert_eq!(epochs, [Epoch(1), Epoch(1)]);
    assert!(
        world
            .store
            .take_owners(world.salt, Vec::new())
            .await
            .expect("nothing can be taken")
            .is_empty()
    );
}

async fn concurrent_takers_get_different_epochs(world: &World<'_>) {
    let takes = (0..64).map(|_| world.store.take_owners(world.salt, vec![world.owner(0)]));
    let mut epochs: Vec<_> = join_all(takes)
        .await
        .into_iter()
        .flat_map(|epochs| epochs.expect("it can be taken"))
        .collect();
    epochs.sort_unstable_by_key(|epoch| epoch.0);
    assert_eq!(epochs, (1..=64).map(Epoch).collect::<Vec<_>>());
}

async fn crossing_takes_do_not_wait_for_each_other_in_a_ring(world: &World<'_>) {
    let takes = (0..32).map(|taker| {
        let mut owners: Vec<_> = (0..12).map(|partition| world.owner(partition)).collect();
        if taker % 2 == 1 {
            owners.reverse();
        }
        world.store.take_owners(world.salt, owners)
    });
    for epochs in join_all(takes).await {
        epochs.expect("takes that cross do not fail");
    }
}

async fn a_claim_of_an_older_epoch_is_fenced(world: &World<'_>) {
    world.own().await;
    world
        .store
        .take_owners(world.salt, vec![world.owner(0)])
        .await
        .expect("it can be taken");
    let older = world.ask(world.claim("1", 1)).await;
    assert!(matches!(older, ClaimAnswer::Fenced), "{older:?}");
    let mut newest = world.claim("1", 1);
    newest.epoch = Epoch(2);
    assert_eq!(world.granted(newest).await, 1);
    let mut ahead = world.claim("1", 1);
    ahead.epoch = Epoch(3);
    let ahead = world.ask(ahead).await;
    assert!(matches!(ahead, ClaimAnswer::Fenced), "{ahead:?}");
}

async fn a_claim_of_a_partition_that_nobody_took_is_fenced(world: &World<'_>) {
    let answer = world.ask(world.claim("1", 1)).await;
    assert!(matches!(answer, ClaimAnswer::Fenced), "{answer:?}");
}

async fn a_fenced_claim_leaves_nothing_behind(world: &World<'_>) {
    world.own().await;
    let mut ahead = world.claim("1", 1);
    ahead.epoch = Epoch(2);
    world.ask(ahead).await;
    let rows = world
        .store
        .recall(vec![world.event("1")])
        .await
        .expect("the store is up");
    assert!(rows[0].is_empty());
}

async fn a_batch_is_fenced_item_by_item(world: &World<'_>) {
    world.own().await;
    let mut stale = world.claim("2", 1);
    stale.epoch = Epoch(9);
    let mut elsewhere = world.claim("3", 1);
    elsewhere.owner = world.owner(5);
    let batch = vec![world.claim("1", 1), stale, elsewhere, world.claim("4", 1)];
    let answers = world.claims(batch).await;
    let granted: Vec<_> = answers
        .iter()
        .map(|answer| matches!(answer, ClaimAnswer::Granted { .. }))
        .collect();
    assert_eq!(granted, [true, false, false, true], "{answers:?}");
}

/// Claims and takes run against each other; whatever begins after a take answered is of an older epoch.
async fn claims_that_begin_after_a_take_are_fenced(world: &World<'_>) {
    world.own().await;
    for round in 0..10_i64 {
        let before = (0..16).map(|number| {
            let mut claim = world.claim(&format!("{round}-{number}"), 1);
            claim.epoch = Epoch(round + 1);
            world.ask(claim)
        });
        let take_and_claim = async {
            let epochs = world
                .store
                .take_owners(world.salt, vec![world.owner(0)])
                .await
                .expect("it can be taken");
            assert_eq!(epochs, [Epoch(round + 2)]);
            let mut late = world.claim(&format!("{round}-late"), 1);
            late.epoch = Epoch(round + 1);
            let late = world.ask(late).await;
            assert!(matches!(late, ClaimAnswer::Fenced), "{late:?}");
        };
        futures_util::future::join(join_all(before), take_and_claim).await;
    }
}
