//! The judge of waiting keys says no to each thing that it is there for.

use super::*;
use crate::waiting::watch::{Done, Second};

/// A run of 10 s of baseline and 60 s of outage, killed at 40, two healthy records a second; one key waits.
struct Run {
    seen: Seen,
    book: Entries,
    receipts: Vec<Receipt>,
    left: Left,
}

fn run() -> Run {
    let mut seen = Seen {
        killed_at: 40 * SECOND_NS,
        ..Seen::default()
    };
    let mut book = Entries::default();
    let second = Second {
        frontier_age_ms: 31_000,
        resident_kib: 100_000,
        parked: Some(1),
    };
    seen.seconds = vec![second; 80];
    for number in 0..140_u64 {
        let at = number * SECOND_NS / 2;
        book.healthy.push(at);
        // Nobody works for 8 s after the kill.
        let done = if (80..96).contains(&number) {
            49 * SECOND_NS
        } else {
            at
        };
        let done = Done {
            at: done,
            process: 1,
        };
        seen.done.insert(format!("h1.{}", number + 1), done);
    }
    book.last.insert("h1".to_owned(), 140);
    book.last.insert("w1".to_owned(), 2);
    for number in 1..=2 {
        let done = Done {
            at: 75 * SECOND_NS,
            process: 2,
        };
        seen.done.insert(format!("w1.{number}"), done);
    }
    Run {
        seen,
        book,
        receipts: vec![receipt("w1.1", 75), receipt("w1.2", 76)],
        left: Left::default(),
    }
}

fn receipt(event: &str, at: u64) -> Receipt {
    Receipt {
        received_at: at,
        answered_at: at,
        vendor: "natural".into(),
        operation: "draft".into(),
        idempotency_key: None,
        our_reference: Some(event.into()),
        aggregate_key: "w1".into(),
        sequence: 1,
        effect: "applied".into(),
    }
}

impl Run {
    fn judged(&self) -> Findings {
        judge(&Case {
            baseline: 0..10,
            outage: 10..70,
            killed: 40,
            seen: &self.seen,
            book: &self.book,
            receipts: &self.receipts,
            drained: true,
            left: self.left,
        })
    }

    fn is_refused(&self, word: &str) {
        let violations = self.judged().violations;
        assert!(
            violations.len() == 1 && violations[0].contains(word),
            "{violations:?}"
        );
    }
}

#[test]
fn a_whole_run_holds_and_the_time_after_the_kill_is_excused() {
    let found = run().judged();
    assert!(found.violations.is_empty(), "{:?}", found.violations);
    assert_eq!(found.recovered_s, Some(10));
    assert_eq!((found.baseline, found.healthy_least_percent), (2.0, 100.0));
}

#[test]
fn healthy_keys_that_slow_down_are_seen() {
    let mut run = run();
    for number in 22..30 {
        run.seen.done.get_mut(&format!("h1.{number}")).unwrap().at = 41 * SECOND_NS;
    }
    run.is_refused("of their rate");
}

#[test]
fn an_old_frontier_much_memory_and_an_outage_that_parks_nothing_are_seen() {
    let mut old = run();
    old.seen.seconds[30].frontier_age_ms = 60_000;
    old.is_refused("frontier");
    let mut large = run();
    large.seen.seconds[79].resident_kib = RESIDENT_MAX_KIB + 1;
    large.is_refused("memory");
    let mut idle = run();
    idle.seen
        .seconds
        .iter_mut()
        .for_each(|second| second.parked = Some(0));
    idle.is_refused("nothing was parked");
}

#[test]
fn work_that_was_done_long_before_the_kill_and_runs_again_is_seen() {
    let done = |seconds| Done {
        at: seconds * SECOND_NS,
        process: 1,
    };
    let mut run = run();
    run.seen.reruns.push(("h1.77".to_owned(), done(38)));
    assert!(run.judged().violations.is_empty());
    run.seen.reruns.push(("h1.75".to_owned(), done(37)));
    run.is_refused("ran again");
}

#[test]
fn a_lost_a_doubled_and_an_inverted_effect_are_seen() {
    let mut lost = run();
    lost.receipts.pop();
    lost.is_refused("key w1");
    let mut doubled = run();
    doubled.receipts.push(receipt("w1.2", 77));
    doubled.is_refused("key w1");
    let mut inverted = run();
    inverted.receipts[0].received_at = 78;
    inverted.is_refused("key w1");
    let mut unasked = run();
    unasked.receipts.push(receipt("w2.1", 77));
    unasked.is_refused("nobody asked");
}

#[test]
fn what_is_left_in_the_end_is_seen() {
    let mut run = run();
    run.left.dead_letters = 1;
    run.is_refused("1 dead letters");
}
