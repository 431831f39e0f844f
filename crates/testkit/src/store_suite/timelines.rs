//! Timelines: projected once however often they come, and what is final stays.

use std::sync::Arc;

use argosy_store::{TimelinePlace, TimelineRow};
use futures_util::future::join_all;
use serde_json::json;

use super::{World, list};

list![
    a_row_comes_back_as_it_was_written,
    a_row_that_comes_again_changes_nothing,
    rows_come_oldest_first_and_bounded,
    a_long_flow_is_read_page_by_page_to_its_end,
    the_latest_state_stands,
    what_is_done_stays_done,
    what_is_dead_may_be_done_after_all_and_nothing_less,
    a_batch_is_as_if_its_rows_came_one_after_another,
    workers_have_states_of_their_own,
    only_rows_that_are_new_move_a_status,
    concurrent_projections_of_the_same_rows_agree,
];

impl World<'_> {
    fn line(&self, number: i64, at_ms: i64, state: &str) -> TimelineRow {
        TimelineRow {
            instance: self.salt,
            number,
            correlation: self.named("flow"),
            source: self.named("shop"),
            event: Arc::from("1"),
            event_type: Arc::from("argosy.orders.v1.OrderApproved"),
            worker: Arc::from("orders"),
            at_ms,
            steps: json!([{"step": "run", "note": "a\u{0}b", "n": 9_007_199_254_740_993_i64}]),
            state: Arc::from(state),
        }
    }

    async fn project(&self, rows: Vec<TimelineRow>) {
        self.store
            .project(rows)
            .await
            .expect("the store is up and the rows are sound");
    }

    async fn timeline(&self, rows_max: u32) -> Vec<TimelineRow> {
        self.timeline_after(TimelinePlace::BEFORE_ALL, rows_max)
            .await
    }

    async fn timeline_after(&self, after: TimelinePlace, rows_max: u32) -> Vec<TimelineRow> {
        let correlation = self.named("flow").to_string();
        self.store
            .timeline(correlation, after, rows_max)
            .await
            .expect("the store is up")
    }

    /// State and time per worker.
    async fn statuses(&self) -> Vec<(String, String, i64)> {
        let source = self.named("shop").to_string();
        self.store
            .status(source, "1".to_owned())
            .await
            .expect("the store is up")
            .into_iter()
            .map(|status| {
                assert_eq!(status.correlation, self.named("flow"));
                (
                    status.worker.to_string(),
                    status.state.to_string(),
                    status.at_ms,
                )
            })
            .collect()
    }

    async fn expect_status(&self, state: &str, at_ms: i64) {
        let expected = ("orders".to_owned(), state.to_owned(), at_ms);
        assert_eq!(self.statuses().await, [expected]);
    }
}

async fn a_row_comes_back_as_it_was_written(world: &World<'_>) {
    let row = world.line(1, 1_700_000_000_000, "running");
    world.project(vec![row.clone()]).await;
    assert_eq!(world.timeline(10).await, [row]);
    world.expect_status("running", 1_700_000_000_000).await;
    world.project(Vec::new()).await;
}

async fn a_row_that_comes_again_changes_nothing(world: &World<'_>) {
    world.project(vec![world.line(1, 10, "running")]).await;
    let mut again = world.line(1, 20, "waiting");
    again.steps = json!([]);
    world.project(vec![again.clone(), again]).await;
    assert_eq!(world.timeline(10).await, [world.line(1, 10, "running")]);
    world.expect_status("running", 10).await;
}

async fn rows_come_oldest_first_and_bounded(world: &World<'_>) {
    let rows = [(1, 30), (2, 10), (3, 20), (4, 10)];
    let rows = rows.map(|(number, at_ms)| world.line(number, at_ms, "running"));
    world.project(rows.to_vec()).await;
    let numbers = |rows: Vec<TimelineRow>| rows.iter().map(|row| row.number).collect::<Vec<_>>();
    assert_eq!(numbers(world.timeline(u32::MAX).await), [2, 4, 3, 1]);
    assert_eq!(numbers(world.timeline(2).await), [2, 4]);
    assert!(world.timeline(0).await.is_empty());
}

async fn a_long_flow_is_read_page_by_page_to_its_end(world: &World<'_>) {
    // Many at one time, so that pages end between rows of the same millisecond.
    let rows: Vec<_> = (1..=25)
        .map(|number| world.line(number, number / 10, "running"))
        .collect();
    world.project(rows.clone()).await;
    let (mut read, mut after) = (Vec::new(), TimelinePlace::BEFORE_ALL);
    loop {
        let page = world.timeline_after(after, 4).await;
        let Some(last) = page.last() else {
            break;
        };
        assert!(page.len() <= 4);
        after = last.place();
        read.extend(page);
    }
    assert_eq!(read, rows);
}

async fn the_latest_state_stands(world: &World<'_>) {
    world.project(vec![world.line(1, 10, "running")]).await;
    world.project(vec![world.line(2, 30, "waiting")]).await;
    world.project(vec![world.line(3, 20, "running")]).await;
    world.expect_status("waiting", 30).await;
    world.project(vec![world.line(4, 30, "running")]).await;
    world.expect_status("running", 30).await;
}

async fn what_is_done_stays_done(world: &World<'_>) {
    world.project(vec![world.line(1, 30, "waiting")]).await;
    world.project(vec![world.line(2, 20, "done")]).await;
    world.expect_status("done", 20).await;
    for (number, state) in [(3, "running"), (4, "dead"), (5, "skipped"), (6, "done")] {
        world.project(vec![world.line(number, 50, state)]).await;
        world.expect_status("done", 20).await;
    }
    assert_eq!(world.timeline(10).await.len(), 6);
}

async fn what_is_dead_may_be_done_after_all_and_nothing_less(world: &World<'_>) {
    world.project(vec![world.line(1, 20, "dead")]).await;
    for (number, state) in [(2, "running"), (3, "waiting"), (4, "dead")] {
        world.project(vec![world.line(number, 50, state)]).await;
        world.expect_status("dead", 20).await;
    }
    world.project(vec![world.line(5, 10, "done")]).await;
    world.expect_status("done", 10).await;
}

async fn a_batch_is_as_if_its_rows_came_one_after_another(world: &World<'_>) {
    let rows = [(1, 40, "running"), (2, 50, "waiting"), (3, 45, "running")];
    let rows = rows.map(|(number, at_ms, state)| world.line(number, at_ms, state));
    world.project(rows.to_vec()).await;
    world.expect_status("waiting", 50).await;
    let rows = [
        (4, 60, "running"),
        (5, 30, "dead"),
        (6, 70, "done"),
        (7, 80, "running"),
    ];
    let rows = rows.map(|(number, at_ms, state)| world.line(number, at_ms, state));
    world.project(rows.to_vec()).await;
    world.expect_status("done", 70).await;
}

async fn workers_have_states_of_their_own(world: &World<'_>) {
    let mut gateway = world.line(1, 5, "accepted");
    gateway.worker = Arc::from("gateway");
    world
        .project(vec![gateway, world.line(2, 10, "done")])
        .await;
    let expected = [
        ("gateway".to_owned(), "accepted".to_owned(), 5),
        ("orders".to_owned(), "done".to_owned(), 10),
    ];
    assert_eq!(world.statuses().await, expected);
    let unknown = world
        .store
        .status("nowhere".to_owned(), world.salt.to_string())
        .await;
    assert!(unknown.expect("the store is up").is_empty());
}

async fn only_rows_that_are_new_move_a_status(world: &World<'_>) {
    world.project(vec![world.line(1, 10, "running")]).await;
    // Known under its number, so its new state does not count; the other row's does.
    world
        .project(vec![
            world.line(1, 90, "done"),
            world.line(2, 20, "waiting"),
        ])
        .await;
    world.expect_status("waiting", 20).await;
}

async fn concurrent_projections_of_the_same_rows_agree(world: &World<'_>) {
    let rows: Vec<_> = (0..50)
        .map(|number| {
            let mut row = world.line(
                number,
                number,
                if number == 49 { "done" } else { "running" },
            );
            row.worker = Arc::from(format!("worker-{}", number % 7));
            row
        })
        .collect();
    let projections = (0..16).map(|turn| {
        let mut rows = rows.clone();
        rows.rotate_left(turn * 3);
        if turn % 2 == 1 {
            rows.reverse();
        }
        world.project(rows)
    });
    join_all(projections).await;
    assert_eq!(world.timeline(100).await.len(), 50);
    let last: Vec<_> = world
        .statuses()
        .await
        .into_iter()
        .map(|(_, _, at_ms)| at_ms)
        .collect();
    assert_eq!(last, [49, 43, 44, 45, 46, 47, 48]);
}
