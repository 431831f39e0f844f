//! Hostile text: whatever a source puts into its ids comes back as it was, and breaks no batch.

use std::sync::Arc;

use argosy_store::{
    ClaimAnswer, EffectId, EventKey, Resolved, StoreError, TimelinePlace, TimelineRow, limits,
};
use serde_json::json;

use super::{EXPIRED, World, expect::success, list, succeeded};

list![
    hostile_identities_are_claimed_recorded_and_recalled,
    identities_do_not_run_into_each_other,
    an_identity_that_is_too_long_is_refused_before_anything_is_written,
    hostile_text_in_timelines_comes_back,
    a_hostile_actor_is_audited,
];

/// NUL, escapes, quotes, unicode beyond the first plane, direction marks, and more than an index would hold.
pub(super) fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        "\0",
        "a\0b",
        "\\0",
        "a\\0b",
        "a\\\0b",
        "\\",
        "'; drop table effects; --",
        "\"{}[],NULL",
        "NULL",
        "\u{FEFF}\u{202E}é\u{301}",
        "🛒🧾\u{10FFFF}",
        "\r\n\t",
        "%_*",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push(pseudo_random(limits::TEXT_BYTES_MAX));
    texts
}

/// Text that does not compress, as an index would have to hold it.
fn pseudo_random(bytes: usize) -> String {
    let mut random = crate::random::Random::new(1);
    (0..bytes)
        .map(|_| char::from(b'a' + u8::try_from(random.below(26)).expect("it is below 26")))
        .collect()
}

async fn hostile_identities_are_claimed_recorded_and_recalled(world: &World<'_>) {
    world.own().await;
    let ids: Vec<_> = hostile()
        .into_iter()
        .map(|text| {
            let text: Arc<str> = Arc::from(text);
            EffectId {
                of: EventKey {
                    worker: world.named("orders"),
                    source: Arc::clone(&text),
                    event: Arc::from(
                        format!("{}{text}", world.salt)
                            .get(..limits::TEXT_BYTES_MAX.min(36 + text.len()))
                            .unwrap_or(&text),
                    ),
                },
                name: Arc::clone(&text),
                key: text,
            }
        })
        .collect();
    let batch = ids.iter().map(|id| {
        let mut claim = world.claim("unused", 1);
        claim.id = id.clone();
        claim.operation = Arc::clone(&id.name);
        claim
    });
    for answer in world.claims(batch.collect()).await {
        assert!(
            matches!(answer, ClaimAnswer::Granted { number: 1, .. }),
            "{answer:?}"
        );
    }
    let outcomes = ids.iter().map(|id| succeeded(id.clone(), 1, "\"\\u0000\""));
    world.record(outcomes.collect()).await;
    let events = ids.iter().map(|id| id.of.clone()).collect();
    let recalled = world.store.recall(events).await.expect("the store is up");
    for (id, rows) in ids.iter().zip(recalled) {
        assert_eq!(rows.len(), 1, "{id:?}");
        assert_eq!((&rows[0].id, &rows[0].operation), (id, &id.name));
        assert_eq!(rows[0].state, success("\"\\u0000\""));
        let (source, event) = (id.of.source.to_string(), id.of.event.to_string());
        let rows = world
            .store
            .effects(source, event)
            .await
            .expect("the store is up");
        assert_eq!(rows.iter().map(|row| &row.id).collect::<Vec<_>>(), [id]);
    }
}

async fn identities_do_not_run_into_each_other(world: &World<'_>) {
    world.own().await;
    let texts = [
        ("ab", "c"),
        ("a", "bc"),
        ("abc", ""),
        ("", "abc"),
        ("a\0b", "c"),
        ("a\\0b", "c"),
    ];
    for (name, key) in texts {
        let mut claim = world.claim("1", 1);
        claim.id.name = Arc::from(name);
        claim.id.key = Arc::from(key);
        assert_eq!(world.granted(claim).await, 1, "{name:?} {key:?}");
    }
}

async fn an_identity_that_is_too_long_is_refused_before_anything_is_written(world: &World<'_>) {
    world.own().await;
    let long: Arc<str> = Arc::from(pseudo_random(limits::TEXT_BYTES_MAX + 1));
    let part: [fn(&mut EffectId) -> &mut Arc<str>; 4] = [
        |id| &mut id.of.source,
        |id| &mut id.of.event,
        |id| &mut id.name,
        |id| &mut id.key,
    ];
    for part in part {
        let mut claim = world.claim("2", 1);
        *part(&mut claim.id) = Arc::clone(&long);
        let refused = world.store.claim(vec![world.claim("1", 1), claim]).await;
        assert!(
            matches!(refused, Err(StoreError::TooLarge { .. })),
            "{refused:?}"
        );
    }
    let rows = world.store.recall(vec![world.event("1")]).await;
    assert!(rows.expect("the store is up")[0].is_empty());
}

async fn hostile_text_in_timelines_comes_back(world: &World<'_>) {
    for (number, text) in (0..).zip(hostile()) {
        let salted: Arc<str> = Arc::from(format!("{}{text}", world.salt));
        let text: Arc<str> = Arc::from(text);
        let row = TimelineRow {
            instance: world.salt,
            number,
            correlation: Arc::clone(&salted),
            source: Arc::clone(&text),
            event: Arc::clone(&salted),
            event_type: Arc::clone(&text),
            worker: Arc::clone(&text),
            at_ms: [i64::MIN, i64::MAX, 0][usize::try_from(number % 3).expect("it is below 3")],
            steps: json!([{ &*text: &*text }]),
            state: Arc::clone(&text),
        };
        world
            .store
            .project(vec![row.clone()])
            .await
            .expect("any text can be projected");
        let rows = world
            .store
            .timeline(salted.to_string(), TimelinePlace::BEFORE_ALL, 10)
            .await;
        assert_eq!(rows.expect("the store is up"), [row]);
        let statuses = world
            .store
            .status(text.to_string(), salted.to_string())
            .await;
        let statuses = statuses.expect("the store is up");
        assert_eq!(statuses.len(), 1);
        assert_eq!((&statuses[0].worker, &statuses[0].state), (&text, &text));
    }
}

async fn a_hostile_actor_is_audited(world: &World<'_>) {
    world.own().await;
    let mut claim = world.claim("1", 1);
    claim.id.key = Arc::from("a\0b");
    claim.hold = EXPIRED;
    let id = claim.id.clone();
    world.granted(claim).await;
    let actor = format!("\\\0{}", world.salt);
    let resolution = argosy_store::Resolution::DidNotHappen;
    let subject = resolution.subject(&id);
    let resolved = world.store.resolve(id, resolution, actor.clone()).await;
    assert!(matches!(resolved, Ok(Resolved::Now(_))), "{resolved:?}");
    let rows = world.store.audit(1_000).await.expect("the store is up");
    let row = rows
        .iter()
        .find(|row| row.actor == actor)
        .expect("it is audited");
    assert_eq!(row.subject, subject);
}
