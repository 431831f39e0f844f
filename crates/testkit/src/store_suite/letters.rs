//! Dead letters: one row per dead record, the newest letter's; listed newest first, without what the record says.

use std::sync::Arc;

use argosy_store::{Letter, LetterId, LetterQuestion, LetterRow, LetterState, StoreError, limits};
use bytes::Bytes;
use futures_util::future::join_all;

use super::{World, hostile::hostile, list, parked::lane};

list![
    a_letter_comes_back_whole,
    the_same_letter_again_changes_nothing,
    a_newer_letter_of_a_record_stands_and_counts_and_an_older_one_does_not,
    letters_of_a_keyless_record_are_told_apart_by_time,
    a_batch_of_letters_is_as_if_they_came_one_after_another,
    a_list_is_newest_first_and_leaves_out_what_the_record_says,
    a_list_is_read_page_by_page_to_its_end,
    every_filter_finds_its_own,
    a_letter_is_held_while_its_record_holds_a_lane,
    hostile_letters_come_back,
    a_letter_that_is_too_large_is_refused_before_anything_is_written,
    concurrent_projections_of_one_letter_count_once,
    what_is_not_there_is_not_found,
];

impl World<'_> {
    pub(super) fn letter_id(&self, offset: i64) -> LetterId {
        let owner = self.owner(0);
        LetterId {
            worker: owner.worker,
            topic: owner.topic,
            partition: owner.partition,
            offset,
        }
    }

    /// The first letter of a record of key `k`.
    pub(super) fn letter(&self, offset: i64) -> LetterRow {
        LetterRow {
            id: self.letter_id(offset),
            letter_partition: 0,
            letter_offset: offset,
            source: Some(self.named("shop")),
            event: Some(Arc::from(offset.to_string())),
            event_type: Some(Arc::from("argosy.orders.v1.OrderApproved")),
            correlation: Some(self.named("flow")),
            timestamp_ms: Some(7),
            key: Some(Bytes::from_static(b"k")),
            value: Some(Bytes::from(format!("value of {offset}"))),
            headers: vec![
                ("ce_id".to_owned(), Bytes::from(offset.to_string())),
                ("ce_id".to_owned(), Bytes::from_static(b"\0\xff")),
            ],
            is_reference: false,
            cause: Arc::from("refused"),
            fingerprint: Arc::from("1-abc"),
            message: Arc::from("no such variant"),
            dependency: Some(Arc::from("acme")),
            status: Some(422),
            attempts: 3,
            first_failure_ms: offset,
            last_failure_ms: 1_000 + offset,
            epoch: 4,
            build: Arc::from("1.2.3"),
        }
    }

    pub(super) async fn tell_letters(&self, rows: Vec<LetterRow>) {
        let projected = self.store.project_letters(rows).await;
        projected.expect("the store is up and the letters are sound");
    }

    pub(super) async fn found_letter(&self, offset: i64) -> Letter {
        let found = self.store.dead_letter(self.letter_id(offset)).await;
        found.expect("the store is up").expect("it was projected")
    }

    fn question(&self) -> LetterQuestion {
        LetterQuestion {
            worker: Some(self.owner(0).worker.to_string()),
            rows_max: 100,
            ..LetterQuestion::default()
        }
    }

    async fn listed(&self, question: LetterQuestion) -> Vec<Letter> {
        let listed = self.store.dead_letters(question).await;
        listed.expect("the store is up")
    }

    async fn listed_offsets(&self, question: LetterQuestion) -> Vec<i64> {
        let listed = self.listed(question).await;
        listed.iter().map(|letter| letter.row.id.offset).collect()
    }
}

fn dead(row: LetterRow, deaths: u32) -> Letter {
    Letter {
        row,
        state: LetterState::Dead,
        deaths,
        held: false,
        open_step: None,
    }
}

async fn a_letter_comes_back_whole(world: &World<'_>) {
    let bare = LetterRow {
        source: None,
        event: None,
        event_type: None,
        correlation: None,
        timestamp_ms: None,
        key: None,
        value: None,
        headers: Vec::new(),
        is_reference: true,
        dependency: None,
        status: None,
        ..world.letter(2)
    };
    world
        .tell_letters(vec![world.letter(1), bare.clone()])
        .await;
    assert_eq!(world.found_letter(1).await, dead(world.letter(1), 1));
    assert_eq!(world.found_letter(2).await, dead(bare, 1));
}

async fn the_same_letter_again_changes_nothing(world: &World<'_>) {
    world.tell_letters(vec![world.letter(1)]).await;
    let again = LetterRow {
        message: Arc::from("other"),
        ..world.letter(1)
    };
    world.tell_letters(vec![again.clone(), again]).await;
    assert_eq!(world.found_letter(1).await, dead(world.letter(1), 1));
}

async fn a_newer_letter_of_a_record_stands_and_counts_and_an_older_one_does_not(world: &World<'_>) {
    let letter = |letter_offset, cause: &str| LetterRow {
        letter_offset,
        cause: Arc::from(cause),
        ..world.letter(1)
    };
    world.tell_letters(vec![letter(5, "refused")]).await;
    world.tell_letters(vec![letter(9, "attempts")]).await;
    world.tell_letters(vec![letter(7, "invalid")]).await;
    assert_eq!(world.found_letter(1).await, dead(letter(9, "attempts"), 2));
}

async fn letters_of_a_keyless_record_are_told_apart_by_time(world: &World<'_>) {
    let letter = |letter_partition, last_failure_ms| LetterRow {
        letter_partition,
        letter_offset: 5,
        key: None,
        last_failure_ms,
        ..world.letter(1)
    };
    world.tell_letters(vec![letter(3, 100)]).await;
    world.tell_letters(vec![letter(1, 200)]).await;
    world.tell_letters(vec![letter(3, 100)]).await;
    world.tell_letters(vec![letter(0, 200)]).await;
    assert_eq!(world.found_letter(1).await, dead(letter(1, 200), 2));
}

async fn a_batch_of_letters_is_as_if_they_came_one_after_another(world: &World<'_>) {
    let letter = |offset, letter_offset| LetterRow {
        letter_offset,
        ..world.letter(offset)
    };
    let batch = [(1, 5), (2, 6), (1, 7), (1, 6), (1, 7), (2, 8), (1, 9)];
    world
        .tell_letters(batch.map(|(offset, at)| letter(offset, at)).to_vec())
        .await;
    assert_eq!(world.found_letter(1).await, dead(letter(1, 9), 3));
    assert_eq!(world.found_letter(2).await, dead(letter(2, 8), 2));
}

async fn a_list_is_newest_first_and_leaves_out_what_the_record_says(world: &World<'_>) {
    world
        .tell_letters((0..4).map(|offset| world.letter(offset)).collect())
        .await;
    let listed = world.listed(world.question()).await;
    let expected = (0..4).rev();
    let expected = expected.map(|offset| dead(world.letter(offset).listed(), 1));
    assert_eq!(listed, expected.collect::<Vec<_>>());
    assert!(listed.iter().all(|letter| letter.row.value.is_none()));
    let none = LetterQuestion {
        rows_max: 0,
        ..world.question()
    };
    assert!(world.listed(none).await.is_empty());
}

async fn a_list_is_read_page_by_page_to_its_end(world: &World<'_>) {
    // Many die at one moment: the record's place tells them apart.
    let letter = |offset| LetterRow {
        last_failure_ms: offset / 5,
        ..world.letter(offset)
    };
    world.tell_letters((0..12).map(letter).collect()).await;
    let mut offsets = Vec::new();
    let mut after = None;
    loop {
        let page = world.listed(LetterQuestion {
            after: after.clone(),
            rows_max: 5,
            ..world.question()
        });
        let page = page.await;
        let Some(last) = page.last() else {
            break;
        };
        assert!(page.len() <= 5);
        after = Some(last.row.place());
        offsets.extend(page.iter().map(|letter| letter.row.id.offset));
    }
    assert_eq!(offsets, (0..12).rev().collect::<Vec<_>>());
}

async fn every_filter_finds_its_own(world: &World<'_>) {
    world.own().await;
    let other = LetterRow {
        id: LetterId {
            topic: Arc::from("prices.v1"),
            ..world.letter_id(2)
        },
        cause: Arc::from("attempts"),
        fingerprint: Arc::from("1-def"),
        correlation: None,
        key: None,
        ..world.letter(2)
    };
    world.tell_letters(vec![world.letter(1), other]).await;
    world.hold(lane("k"), 1).await;
    for (question, offsets) in questions(world) {
        let shown = format!("{question:?}");
        assert_eq!(world.listed_offsets(question).await, offsets, "{shown}");
    }
}

/// Each filter, with the letters that it finds.
fn questions(world: &World<'_>) -> Vec<(LetterQuestion, &'static [i64])> {
    type Filter = fn(&mut LetterQuestion, String);
    let flow = world.named("flow");
    let by_text: [(Filter, &str, &[i64]); 9] = [
        (|asked, text| asked.topic = Some(text), "orders.v1", &[1]),
        (|asked, text| asked.topic = Some(text), "prices.v1", &[2]),
        (|asked, text| asked.cause = Some(text), "refused", &[1]),
        (|asked, text| asked.cause = Some(text), "\0", &[]),
        (|asked, text| asked.fingerprint = Some(text), "1-def", &[2]),
        (|asked, text| asked.correlation = Some(text), &flow, &[1]),
        (|asked, text| asked.correlation = Some(text), "", &[]),
        (|asked, text| asked.key = Some(Bytes::from(text)), "k", &[1]),
        (|asked, text| asked.key = Some(Bytes::from(text)), "", &[]),
    ];
    let mut all = Vec::new();
    for (filter, text, offsets) in by_text {
        let mut question = world.question();
        filter(&mut question, text.to_owned());
        all.push((question, offsets));
    }
    let by_standing: [(_, _, &[i64]); 5] = [
        (None, Some(true), &[1]),
        (None, Some(false), &[2]),
        (Some(LetterState::Dead), None, &[2, 1]),
        (Some(LetterState::Dead), Some(true), &[1]),
        (Some(LetterState::Done), None, &[]),
    ];
    for (state, held, offsets) in by_standing {
        let question = LetterQuestion {
            state,
            held,
            ..world.question()
        };
        all.push((question, offsets));
    }
    let nobody = LetterQuestion {
        worker: Some("\0nobody".to_owned()),
        ..world.question()
    };
    all.push((nobody, &[]));
    all
}

async fn a_letter_is_held_while_its_record_holds_a_lane(world: &World<'_>) {
    world.own().await;
    world
        .tell_letters(vec![world.letter(1), world.letter(2)])
        .await;
    world.hold(lane("k"), 1).await;
    assert!(world.found_letter(1).await.held);
    assert!(!world.found_letter(2).await.held);
    // The hold goes on to a later record of the key.
    world.hold(lane("k"), 2).await;
    assert!(!world.found_letter(1).await.held);
    assert!(world.found_letter(2).await.held);
}

async fn hostile_letters_come_back(world: &World<'_>) {
    for (number, text) in (0..).zip(hostile()) {
        let name: String = text.chars().take(90).collect();
        let name: Arc<str> = format!("{name}{}", world.salt).into();
        let text: Arc<str> = text.into();
        let row = LetterRow {
            id: LetterId {
                worker: Arc::clone(&name),
                topic: Arc::clone(&name),
                partition: [i32::MIN, i32::MAX, 0][usize::try_from(number % 3).expect("small")],
                offset: [i64::MAX, i64::MIN, 0][usize::try_from(number % 3).expect("small")],
            },
            source: Some(Arc::clone(&text)),
            event: Some(Arc::clone(&text)),
            event_type: Some(Arc::clone(&text)),
            correlation: Some(Arc::clone(&text)),
            key: Some(Bytes::copy_from_slice(text.as_bytes())),
            value: Some(Bytes::copy_from_slice(text.as_bytes())),
            headers: vec![(text.to_string(), Bytes::copy_from_slice(text.as_bytes()))],
            cause: Arc::clone(&text),
            fingerprint: Arc::clone(&text),
            message: Arc::clone(&text),
            dependency: Some(Arc::clone(&text)),
            build: Arc::clone(&text),
            first_failure_ms: i64::MIN,
            last_failure_ms: i64::MAX,
            ..world.letter(number)
        };
        world.tell_letters(vec![row.clone()]).await;
        let found = world.store.dead_letter(row.id.clone()).await;
        let found = found.expect("the store is up").expect("it was projected");
        assert_eq!(found, dead(row.clone(), 1));
        let question = LetterQuestion {
            worker: Some(name.to_string()),
            topic: Some(name.to_string()),
            cause: Some(text.to_string()),
            fingerprint: Some(text.to_string()),
            correlation: Some(text.to_string()),
            key: row.key.clone(),
            ..world.question()
        };
        assert_eq!(world.listed(question).await, [dead(row.listed(), 1)]);
    }
}

async fn a_letter_that_is_too_large_is_refused_before_anything_is_written(world: &World<'_>) {
    let long: Arc<str> = "x".repeat(limits::TEXT_BYTES_MAX + 1).into();
    let name: Arc<str> = "x".repeat(limits::LETTER_NAME_BYTES_MAX + 1).into();
    type Part = fn(&mut LetterRow, &Arc<str>, &Arc<str>);
    let part: [Part; 6] = [
        |row, _, name| row.id.worker = Arc::clone(name),
        |row, _, name| row.id.topic = Arc::clone(name),
        |row, long, _| row.source = Some(Arc::clone(long)),
        |row, long, _| row.message = Arc::clone(long),
        |row, long, _| row.correlation = Some(Arc::clone(long)),
        |row, _, _| row.value = Some(Bytes::from(vec![0; limits::PARKED_BYTES_MAX + 1])),
    ];
    for part in part {
        let mut row = world.letter(2);
        part(&mut row, &long, &name);
        let refused = world
            .store
            .project_letters(vec![world.letter(1), row])
            .await;
        assert!(
            matches!(refused, Err(StoreError::TooLarge { .. })),
            "{refused:?}"
        );
    }
    assert!(world.listed(world.question()).await.is_empty());
}

async fn concurrent_projections_of_one_letter_count_once(world: &World<'_>) {
    let projections = (0..16).map(|_| world.tell_letters(vec![world.letter(1), world.letter(2)]));
    join_all(projections).await;
    assert_eq!(world.found_letter(1).await.deaths, 1);
    let newer = LetterRow {
        letter_offset: 77,
        ..world.letter(1)
    };
    join_all((0..16).map(|_| world.tell_letters(vec![newer.clone()]))).await;
    assert_eq!(world.found_letter(1).await.deaths, 2);
}

async fn what_is_not_there_is_not_found(world: &World<'_>) {
    world.tell_letters(vec![world.letter(1)]).await;
    let neighbours = [
        LetterId {
            partition: 1,
            ..world.letter_id(1)
        },
        LetterId {
            topic: Arc::from(""),
            ..world.letter_id(1)
        },
        LetterId {
            worker: Arc::from("\0"),
            ..world.letter_id(1)
        },
        world.letter_id(2),
    ];
    for id in neighbours {
        let found = world.store.dead_letter(id).await;
        assert_eq!(found.expect("the store is up"), None);
    }
}
