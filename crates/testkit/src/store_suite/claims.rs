//! Claims: of any number of claimers one is granted, and what was seen must still be so.

use argosy_store::{Claim, ClaimAnswer, EffectState};
use futures_util::future::join_all;

use super::{
    EXPIRED, LONG, World,
    expect::{number_granted, row_found, success},
    list, not_happened, succeeded,
};

list![
    a_fresh_claim_is_granted_with_number_one_and_its_own_request,
    another_run_finds_the_open_claim_and_its_first_request,
    of_sixty_four_claimers_one_is_granted,
    of_sixty_four_batches_that_cross_each_effect_is_granted_once,
    a_run_refreshes_its_own_open_claim,
    a_run_refreshes_its_own_claim_though_it_names_what_it_took_over,
    an_expired_claim_is_taken_over_with_the_first_request,
    an_open_claim_is_not_taken_over_before_its_deadline,
    a_claim_that_changed_since_it_was_seen_is_not_taken_over,
    of_many_who_take_over_one_is_granted,
    a_released_claim_is_taken_over_at_once,
    a_released_claim_is_not_claimed_afresh,
    a_recorded_success_is_found_whatever_is_asked,
    a_batch_may_name_one_effect_many_times,
    a_take_over_of_what_is_gone_is_a_fresh_claim,
    a_found_row_shows_what_is_committed_now,
    an_empty_batch_is_answered,
    an_endless_hold_is_bounded,
];

fn over(claim: Claim, number: i64) -> Claim {
    Claim {
        over: Some(number),
        ..claim
    }
}

fn held(claim: Claim, hold: std::time::Duration) -> Claim {
    Claim { hold, ..claim }
}

async fn a_fresh_claim_is_granted_with_number_one_and_its_own_request(world: &World<'_>) {
    world.own().await;
    let answer = world.ask(world.claim("1", 1)).await;
    let ClaimAnswer::Granted { number, request } = answer else {
        panic!("expected a grant, got {answer:?}");
    };
    assert_eq!(number, 1);
    assert_eq!(request, "request of run 1");
    let row = world.row(&world.effect("1", "north")).await;
    assert_eq!(row.run, world.claim("1", 1).run);
    assert_eq!(row.body_hash, [7; 32]);
    assert_eq!(&*row.operation, "north.draft");
    let EffectState::Open(Some(remaining)) = row.state else {
        panic!("expected an open claim, got {row:?}");
    };
    assert!(remaining <= LONG && remaining > LONG / 2, "{remaining:?}");
    assert!(row.age < LONG / 2, "{:?}", row.age);
}

async fn another_run_finds_the_open_claim_and_its_first_request(world: &World<'_>) {
    world.own().await;
    world.granted(world.claim("1", 1)).await;
    let row = world.found(world.claim("1", 2)).await;
    assert_eq!((row.number, row.run), (1, world.claim("1", 1).run));
    assert_eq!(row.request, "request of run 1");
    assert!(matches!(row.state, EffectState::Open(Some(_))));
}

async fn of_sixty_four_claimers_one_is_granted(world: &World<'_>) {
    world.own().await;
    for event in ["1", "2", "3"] {
        let answers = join_all((0..64).map(|run| world.ask(world.claim(event, run)))).await;
        let (granted, others): (Vec<_>, Vec<_>) = answers
            .into_iter()
            .partition(|answer| matches!(answer, ClaimAnswer::Granted { .. }));
        assert_eq!(granted.len(), 1);
        let winner = world.row(&world.effect(event, "north")).await;
        for other in others {
            assert_eq!(row_found(other).run, winner.run);
        }
    }
}

async fn of_sixty_four_batches_that_cross_each_effect_is_granted_once(world: &World<'_>) {
    world.own().await;
    let batches = (0..64_u128).map(|run| {
        let mut batch: Vec<_> = (0..40)
            .map(|event| world.claim(&event.to_string(), run))
            .collect();
        batch.rotate_left(usize::try_from(run % 40).expect("it is below 40"));
        if run % 2 == 1 {
            batch.reverse();
        }
        world.claims(batch)
    });
    let granted = join_all(batches)
        .await
        .into_iter()
        .flatten()
        .filter(|answer| matches!(answer, ClaimAnswer::Granted { .. }))
        .count();
    assert_eq!(granted, 40);
}

async fn a_run_refreshes_its_own_open_claim(world: &World<'_>) {
    world.own().await;
    assert_eq!(world.granted(held(world.claim("1", 1), EXPIRED)).await, 1);
    let mut second = world.claim("1", 1);
    second.request = bytes::Bytes::from_static(b"another request");
    let answer = world.ask(second).await;
    let ClaimAnswer::Granted { number, request } = answer else {
        panic!("expected a grant, got {answer:?}");
    };
    assert_eq!((number, &*request), (2, &b"request of run 1"[..]));
    let state = world.state(&world.effect("1", "north")).await;
    assert!(matches!(state, EffectState::Open(Some(_))), "{state:?}");
}

/// The answer to a take-over may be lost; asked again, the same run must not wait for itself.
async fn a_run_refreshes_its_own_claim_though_it_names_what_it_took_over(world: &World<'_>) {
    world.own().await;
    world.granted(held(world.claim("1", 1), EXPIRED)).await;
    assert_eq!(world.granted(over(world.claim("1", 2), 1)).await, 2);
    assert_eq!(world.granted(over(world.claim("1", 2), 1)).await, 3);
}

async fn an_expired_claim_is_taken_over_with_the_first_request(world: &World<'_>) {
    world.own().await;
    world.granted(held(world.claim("1", 1), EXPIRED)).await;
    let row = world.found(world.claim("1", 2)).await;
    assert_eq!(row.state, EffectState::Open(None));
    let answer = world.ask(over(world.claim("1", 2), row.number)).await;
    let ClaimAnswer::Granted { number, request } = answer else {
        panic!("expected a grant, got {answer:?}");
    };
    assert_eq!((number, &*request), (2, &b"request of run 1"[..]));
    let row = world.row(&world.effect("1", "north")).await;
    assert_eq!(row.run, world.claim("1", 2).run);
    assert!(matches!(row.state, EffectState::Open(Some(_))));
}

async fn an_open_claim_is_not_taken_over_before_its_deadline(world: &World<'_>) {
    world.own().await;
    world.granted(world.claim("1", 1)).await;
    let row = world.found(over(world.claim("1", 2), 1)).await;
    assert_eq!((row.number, row.run), (1, world.claim("1", 1).run));
}

async fn a_claim_that_changed_since_it_was_seen_is_not_taken_over(world: &World<'_>) {
    world.own().await;
    world.granted(held(world.claim("1", 1), EXPIRED)).await;
    world
        .granted(held(over(world.claim("1", 2), 1), EXPIRED))
        .await;
    for seen in [0, 1, 3, -1, i64::MAX, i64::MIN] {
        let row = world.found(over(world.claim("1", 3), seen)).await;
        assert_eq!(row.number, 2, "seen as {seen}");
    }
    assert_eq!(world.granted(over(world.claim("1", 3), 2)).await, 3);
}

async fn of_many_who_take_over_one_is_granted(world: &World<'_>) {
    world.own().await;
    for (event, released) in [("1", false), ("2", true)] {
        world.granted(held(world.claim(event, 1), EXPIRED)).await;
        if released {
            world
                .record(vec![not_happened(world.effect(event, "north"), 1)])
                .await;
        }
        let takers = (2..66).map(|run| world.ask(over(world.claim(event, run), 1)));
        let answers = join_all(takers).await;
        let granted: Vec<_> = answers
            .iter()
            .filter(|answer| matches!(answer, ClaimAnswer::Granted { .. }))
            .map(number_granted)
            .collect();
        assert_eq!(granted, [2]);
    }
}

async fn a_released_claim_is_taken_over_at_once(world: &World<'_>) {
    world.own().await;
    let id = world.effect("1", "north");
    world.granted(world.claim("1", 1)).await;
    world.record(vec![not_happened(id.clone(), 1)]).await;
    assert_eq!(world.state(&id).await, EffectState::Released);
    assert_eq!(world.granted(over(world.claim("1", 2), 1)).await, 2);
}

async fn a_released_claim_is_not_claimed_afresh(world: &World<'_>) {
    world.own().await;
    world.granted(world.claim("1", 1)).await;
    world
        .record(vec![not_happened(world.effect("1", "north"), 1)])
        .await;
    for run in [1, 2] {
        let row = world.found(world.claim("1", run)).await;
        assert_eq!(row.state, EffectState::Released);
    }
}

async fn a_recorded_success_is_found_whatever_is_asked(world: &World<'_>) {
    world.own().await;
    let id = world.effect("1", "north");
    world.granted(held(world.claim("1", 1), EXPIRED)).await;
    world.record(vec![succeeded(id, 1, "42")]).await;
    for claim in [
        world.claim("1", 1),
        world.claim("1", 2),
        over(world.claim("1", 1), 1),
        over(world.claim("1", 2), 1),
    ] {
        assert_eq!(world.found(claim).await.state, success("42"));
    }
}

async fn a_batch_may_name_one_effect_many_times(world: &World<'_>) {
    world.own().await;
    let batch = vec![
        world.claim("1", 1),
        world.claim("1", 2),
        world.claim("2", 1),
        world.claim("1", 1),
        world.claim("1", 2),
    ];
    let mut answers = world.claims(batch).await;
    assert_eq!(row_found(answers.pop().expect("five answers")).number, 2);
    assert_eq!(number_granted(&answers[3]), 2);
    assert_eq!(number_granted(&answers[2]), 1);
    assert!(matches!(answers[1], ClaimAnswer::Found(_)));
    assert_eq!(number_granted(&answers[0]), 1);
}

async fn a_take_over_of_what_is_gone_is_a_fresh_claim(world: &World<'_>) {
    world.own().await;
    assert_eq!(world.granted(over(world.claim("1", 1), 4)).await, 5);
    assert_eq!(world.granted(over(world.claim("2", 1), -4)).await, 1);
}

/// A claim that lost against another's uncommitted one must not be told that nothing is there.
async fn a_found_row_shows_what_is_committed_now(world: &World<'_>) {
    world.own().await;
    for event in 0..20 {
        let event = event.to_string();
        let answers = join_all((0..16).map(|run| world.ask(world.claim(&event, run)))).await;
        for answer in answers {
            if let ClaimAnswer::Found(row) = answer {
                assert!(matches!(row.state, EffectState::Open(Some(_))), "{row:?}");
                assert_eq!(row.number, 1);
            }
        }
    }
}

async fn an_empty_batch_is_answered(world: &World<'_>) {
    assert!(world.claims(Vec::new()).await.is_empty());
    world.record(Vec::new()).await;
    let recalled = world.store.recall(Vec::new()).await;
    assert!(recalled.expect("the store is up").is_empty());
}

async fn an_endless_hold_is_bounded(world: &World<'_>) {
    world.own().await;
    let endless = held(world.claim("1", 1), std::time::Duration::MAX);
    assert_eq!(world.granted(endless).await, 1);
    let state = world.state(&world.effect("1", "north")).await;
    let EffectState::Open(Some(remaining)) = state else {
        panic!("expected an open claim, got {state:?}");
    };
    assert!(remaining <= argosy_store::limits::HOLD_MAX);
}
