//! Resolutions: an operator decides what nobody knows, never what is known, and the audit says so.

use argosy_store::{AuditRow, EffectState, Resolution, Resolved, StoreError, limits};
use bytes::Bytes;
use futures_util::future::join_all;

use super::{EXPIRED, World, expect::success, list, not_happened, succeeded};

list![
    an_expired_claim_can_be_resolved_either_way,
    a_resolution_is_refused_before_the_deadline,
    a_success_is_never_resolved_away,
    a_released_effect_can_be_said_to_have_happened,
    an_unknown_effect_cannot_be_resolved,
    of_concurrent_resolutions_one_success_stands,
    a_resolution_is_audited_and_a_refused_one_is_not,
    an_oversized_answer_is_refused,
];

fn happened() -> Resolution {
    Resolution::Happened(Bytes::from_static(b"{\"id\":1}"))
}

async fn expired(world: &World<'_>, event: &str) {
    let mut claim = world.claim(event, 1);
    claim.hold = EXPIRED;
    world.granted(claim).await;
}

async fn audited(world: &World<'_>) -> Vec<AuditRow> {
    let rows = world
        .store
        .audit(limits::OPERATOR_ROWS_MAX)
        .await
        .expect("the store is up");
    let actor = world.salt.to_string();
    rows.into_iter().filter(|row| row.actor == actor).collect()
}

async fn an_expired_claim_can_be_resolved_either_way(world: &World<'_>) {
    world.own().await;
    for (event, resolution, state) in [
        ("1", happened(), success("{\"id\":1}")),
        ("2", Resolution::DidNotHappen, EffectState::Released),
    ] {
        expired(world, event).await;
        let id = world.effect(event, "north");
        let resolved = world.resolve(&id, resolution).await;
        let Ok(Resolved::Now(row)) = resolved else {
            panic!("expected it resolved, got {resolved:?}");
        };
        assert_eq!((&row.id, &row.state), (&id, &state));
        assert_eq!(world.state(&id).await, state);
    }
    let mut takes_over = world.claim("2", 2);
    takes_over.over = Some(1);
    assert_eq!(world.granted(takes_over).await, 2);
}

async fn a_resolution_is_refused_before_the_deadline(world: &World<'_>) {
    world.own().await;
    world.granted(world.claim("1", 1)).await;
    let id = world.effect("1", "north");
    for resolution in [happened(), Resolution::DidNotHappen] {
        let resolved = world.resolve(&id, resolution).await;
        assert!(matches!(resolved, Ok(Resolved::Refused(_))), "{resolved:?}");
        let state = world.state(&id).await;
        assert!(matches!(state, EffectState::Open(Some(_))), "{state:?}");
    }
}

async fn a_success_is_never_resolved_away(world: &World<'_>) {
    world.own().await;
    expired(world, "1").await;
    let id = world.effect("1", "north");
    world.record(vec![succeeded(id.clone(), 1, "1")]).await;
    for resolution in [happened(), Resolution::DidNotHappen] {
        let resolved = world.resolve(&id, resolution).await;
        assert!(matches!(resolved, Ok(Resolved::Refused(_))), "{resolved:?}");
        assert_eq!(world.state(&id).await, success("1"));
    }
}

async fn a_released_effect_can_be_said_to_have_happened(world: &World<'_>) {
    world.own().await;
    world.granted(world.claim("1", 1)).await;
    let id = world.effect("1", "north");
    world.record(vec![not_happened(id.clone(), 1)]).await;
    let again = world.resolve(&id, Resolution::DidNotHappen).await;
    assert!(matches!(again, Ok(Resolved::Now(_))), "{again:?}");
    let resolved = world.resolve(&id, happened()).await;
    assert!(matches!(resolved, Ok(Resolved::Now(_))), "{resolved:?}");
    assert_eq!(world.state(&id).await, success("{\"id\":1}"));
}

async fn an_unknown_effect_cannot_be_resolved(world: &World<'_>) {
    let resolved = world.resolve(&world.effect("1", "north"), happened()).await;
    assert!(matches!(resolved, Ok(Resolved::Unknown)), "{resolved:?}");
    assert!(audited(world).await.is_empty());
}

async fn of_concurrent_resolutions_one_success_stands(world: &World<'_>) {
    world.own().await;
    expired(world, "1").await;
    let id = world.effect("1", "north");
    let resolutions = (0..16).map(|_| world.resolve(&id, happened()));
    let now = join_all(resolutions)
        .await
        .into_iter()
        .filter(|resolved| matches!(resolved, Ok(Resolved::Now(_))))
        .count();
    assert_eq!(now, 1);
    assert_eq!(audited(world).await.len(), 1);
}

async fn a_resolution_is_audited_and_a_refused_one_is_not(world: &World<'_>) {
    world.own().await;
    expired(world, "1").await;
    let id = world.effect("1", "north");
    for _ in 0..2 {
        drop(world.resolve(&id, happened()).await);
    }
    let rows = audited(world).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].action, Resolution::ACTION);
    assert_eq!(rows[0].subject, happened().subject(&id));
    let none = world.store.audit(0).await;
    assert!(none.expect("the store is up").is_empty());
    let newest = world.store.audit(1).await;
    assert_eq!(newest.expect("the store is up").len(), 1);
}

async fn an_oversized_answer_is_refused(world: &World<'_>) {
    world.own().await;
    expired(world, "1").await;
    let oversized = Bytes::from(vec![b'1'; limits::ANSWER_BYTES_MAX + 1]);
    let id = world.effect("1", "north");
    let resolved = world.resolve(&id, Resolution::Happened(oversized)).await;
    assert!(matches!(resolved, Err(StoreError::TooLarge { .. })));
    assert_eq!(world.state(&id).await, EffectState::Open(None));
}
