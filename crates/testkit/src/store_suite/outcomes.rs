//! Outcomes: a success stands for ever, whoever recorded it; a release counts only for the newest claim.

use argosy_store::{Claim, EffectState, OutcomeRow, StoreError, limits};
use bytes::Bytes;
use futures_util::future::join_all;

use super::{EXPIRED, World, expect::success, list, not_happened, succeeded};

list![
    a_success_is_recalled_with_its_answer,
    the_first_success_stays,
    a_success_after_a_take_over_counts,
    a_release_of_an_older_claim_changes_nothing,
    a_success_after_a_release_counts,
    a_release_after_a_success_changes_nothing,
    a_batch_of_outcomes_of_one_effect_is_as_if_one_came_after_another,
    outcomes_that_cross_do_not_wait_for_each_other_in_a_ring,
    an_outcome_of_an_unknown_effect_changes_nothing,
    effects_are_recalled_per_event_in_the_order_asked,
    an_operator_sees_the_effects_of_all_workers,
    the_largest_request_and_answer_fit_and_one_byte_more_is_refused,
];

async fn a_success_is_recalled_with_its_answer(world: &World<'_>) {
    world.own().await;
    let id = world.effect("1", "north");
    let number = world.granted(world.claim("1", 1)).await;
    world
        .record(vec![succeeded(id.clone(), number, "{\"order\":\"Ä-1\"}")])
        .await;
    assert_eq!(world.state(&id).await, success("{\"order\":\"Ä-1\"}"));
}

async fn the_first_success_stays(world: &World<'_>) {
    world.own().await;
    let id = world.effect("1", "north");
    world.granted(world.claim("1", 1)).await;
    world.record(vec![succeeded(id.clone(), 1, "1")]).await;
    world.record(vec![succeeded(id.clone(), 1, "2")]).await;
    assert_eq!(world.state(&id).await, success("1"));
}

async fn a_success_after_a_take_over_counts(world: &World<'_>) {
    world.own().await;
    let id = world.effect("1", "north");
    taken_over(world).await;
    world
        .record(vec![succeeded(id.clone(), 1, "\"late\"")])
        .await;
    assert_eq!(world.state(&id).await, success("\"late\""));
    world.record(vec![not_happened(id.clone(), 2)]).await;
    assert_eq!(world.state(&id).await, success("\"late\""));
}

async fn a_release_of_an_older_claim_changes_nothing(world: &World<'_>) {
    world.own().await;
    let id = world.effect("1", "north");
    taken_over(world).await;
    for number in [0, 1, 3, i64::MIN, i64::MAX] {
        world.record(vec![not_happened(id.clone(), number)]).await;
        let state = world.state(&id).await;
        assert!(matches!(state, EffectState::Open(_)), "{number}: {state:?}");
    }
    world.record(vec![not_happened(id.clone(), 2)]).await;
    assert_eq!(world.state(&id).await, EffectState::Released);
}

async fn a_success_after_a_release_counts(world: &World<'_>) {
    world.own().await;
    let id = world.effect("1", "north");
    world.granted(world.claim("1", 1)).await;
    world.record(vec![not_happened(id.clone(), 1)]).await;
    world.record(vec![succeeded(id.clone(), 1, "1")]).await;
    assert_eq!(world.state(&id).await, success("1"));
}

async fn a_release_after_a_success_changes_nothing(world: &World<'_>) {
    world.own().await;
    let id = world.effect("1", "north");
    world.granted(world.claim("1", 1)).await;
    world.record(vec![succeeded(id.clone(), 1, "1")]).await;
    world.record(vec![not_happened(id.clone(), 1)]).await;
    assert_eq!(world.state(&id).await, success("1"));
}

async fn a_batch_of_outcomes_of_one_effect_is_as_if_one_came_after_another(world: &World<'_>) {
    world.own().await;
    let (first, second) = (world.effect("1", "north"), world.effect("2", "north"));
    world.granted(world.claim("1", 1)).await;
    world.granted(world.claim("2", 1)).await;
    world
        .record(vec![
            not_happened(first.clone(), 9),
            not_happened(second.clone(), 9),
            not_happened(first.clone(), 1),
            succeeded(second.clone(), 1, "1"),
            not_happened(second.clone(), 1),
            succeeded(second.clone(), 1, "2"),
            not_happened(first.clone(), 1),
        ])
        .await;
    assert_eq!(world.state(&first).await, EffectState::Released);
    assert_eq!(world.state(&second).await, success("1"));
}

/// Claims and outcomes of the same effects, in batches of opposite orders.
async fn outcomes_that_cross_do_not_wait_for_each_other_in_a_ring(world: &World<'_>) {
    world.own().await;
    let events: Vec<_> = (0..40).map(|event| event.to_string()).collect();
    for event in &events {
        world.granted(world.claim(event, 1)).await;
    }
    let rounds = (0..32).map(|round| {
        let mut events = events.clone();
        if round % 2 == 1 {
            events.reverse();
        }
        async move {
            if round % 4 < 2 {
                let outcomes = events
                    .iter()
                    .map(|event| succeeded(world.effect(event, "north"), 1, "1"));
                world.record(outcomes.collect()).await;
            } else {
                let claims = events.iter().map(|event| world.claim(event, 1));
                world.claims(claims.collect()).await;
            }
        }
    });
    join_all(rounds).await;
    for event in &events {
        assert_eq!(
            world.state(&world.effect(event, "north")).await,
            success("1")
        );
    }
}

async fn an_outcome_of_an_unknown_effect_changes_nothing(world: &World<'_>) {
    world.own().await;
    let unknown = world.effect("1", "north");
    world
        .record(vec![
            succeeded(unknown.clone(), 1, "1"),
            not_happened(unknown, 1),
        ])
        .await;
    assert_eq!(world.granted(world.claim("1", 1)).await, 1);
}

async fn effects_are_recalled_per_event_in_the_order_asked(world: &World<'_>) {
    world.own().await;
    for (event, key) in [("1", "south"), ("1", "north"), ("2", "north")] {
        let mut claim = world.claim(event, 1);
        claim.id = world.effect(event, key);
        world.granted(claim).await;
    }
    let asked = ["2", "none", "1", "2"].map(|event| world.event(event));
    let recalled = world
        .store
        .recall(asked.to_vec())
        .await
        .expect("the store is up");
    let keys: Vec<Vec<_>> = recalled
        .iter()
        .map(|rows| rows.iter().map(|row| &*row.id.key).collect())
        .collect();
    assert_eq!(
        keys,
        [vec!["north"], vec![], vec!["north", "south"], vec!["north"]]
    );
}

async fn an_operator_sees_the_effects_of_all_workers(world: &World<'_>) {
    world.own().await;
    world.granted(world.claim("1", 1)).await;
    let mut other = world.claim("1", 1);
    other.id.of.worker = world.named("pricing");
    world.granted(other).await;
    let source = world.event("1").source.to_string();
    let rows = world
        .store
        .effects(source.clone(), "1".to_owned())
        .await
        .expect("the store is up");
    let workers: Vec<_> = rows.iter().map(|row| &*row.id.of.worker).collect();
    assert_eq!(workers, [&*world.named("orders"), &*world.named("pricing")]);
    let none = world.store.effects(source, "none".to_owned()).await;
    assert!(none.expect("the store is up").is_empty());
}

async fn the_largest_request_and_answer_fit_and_one_byte_more_is_refused(world: &World<'_>) {
    world.own().await;
    let id = world.effect("1", "north");
    let mut largest = world.claim("1", 1);
    largest.request = Bytes::from(vec![0; limits::REQUEST_BYTES_MAX]);
    world.granted(largest.clone()).await;
    let answer = Bytes::from(vec![b'1'; limits::ANSWER_BYTES_MAX]);
    let outcome = |answer| OutcomeRow {
        id: id.clone(),
        number: 1,
        outcome: argosy_store::RecordedOutcome::Succeeded(answer),
    };
    let more = Bytes::from(vec![b'1'; limits::ANSWER_BYTES_MAX + 1]);
    let refused = world.store.record(vec![outcome(more)]).await;
    assert!(matches!(
        refused,
        Err(StoreError::TooLarge { what: "answer", .. })
    ));
    world.record(vec![outcome(answer.clone())]).await;
    let row = world.row(&id).await;
    assert_eq!(row.state, EffectState::Succeeded(answer));
    assert_eq!(row.request.len(), limits::REQUEST_BYTES_MAX);

    let oversized = Claim {
        request: Bytes::from(vec![0; limits::REQUEST_BYTES_MAX + 1]),
        ..world.claim("2", 1)
    };
    let refused = world
        .store
        .claim(vec![world.claim("3", 1), oversized])
        .await;
    assert!(matches!(
        refused,
        Err(StoreError::TooLarge {
            what: "request",
            ..
        })
    ));
    let rows = world.store.recall(vec![world.event("3")]).await;
    assert!(rows.expect("the store is up")[0].is_empty());
}

/// Run 1's claim of event 1 expired, and run 2 took it over.
async fn taken_over(world: &World<'_>) {
    let mut expired = world.claim("1", 1);
    expired.hold = EXPIRED;
    world.granted(expired).await;
    let mut takes_over = world.claim("1", 2);
    takes_over.over = Some(1);
    assert_eq!(world.granted(takes_over).await, 2);
}
