//! The rebalances that a member may see, also those of which librdkafka tells half.

use std::sync::Arc;

use super::*;

fn partitions(numbers: &[i32]) -> Vec<TopicPartition> {
    let topic: Arc<str> = Arc::from("orders");
    numbers
        .iter()
        .map(|&partition| TopicPartition {
            topic: Arc::clone(&topic),
            partition,
        })
        .collect()
}

const OUTSIDE: Standing = Standing::Outside;

fn id(member: &str) -> Standing {
    Standing::Classic(member.to_owned())
}

fn shown(steps: &[Step]) -> Vec<String> {
    let numbers = |partitions: &[TopicPartition]| {
        let numbers: Vec<String> = partitions
            .iter()
            .map(|partition| partition.partition.to_string())
            .collect();
        numbers.join(",")
    };
    let told = |event: &ConsumerEvent| match event {
        ConsumerEvent::Assigned(told) => format!("tell assigned {}", numbers(told)),
        ConsumerEvent::RevokeAsked(RevokeNumber(number), told) => {
            format!("tell revoke {number} of {}", numbers(told))
        }
        ConsumerEvent::Lost(told) => format!("tell lost {}", numbers(told)),
        other => format!("{other:?}"),
    };
    steps
        .iter()
        .map(|step| match step {
            Step::Assign(of) => format!("assign {}", numbers(of)),
            Step::Unassign(of) => format!("unassign {}", numbers(of)),
            Step::Open(of) => format!("open {}", numbers(of)),
            Step::Shut(of) => format!("shut {}", numbers(of)),
            Step::Tell(event) => told(event),
        })
        .collect()
}

#[test]
fn an_assign_is_answered_and_then_told() {
    let mut membership = Membership::default();
    let steps = membership.assigned(&id("a"), partitions(&[0, 1]));
    assert_eq!(
        shown(&steps),
        ["assign 0,1", "open 0,1", "tell assigned 0,1"]
    );
    assert_eq!(
        shown(&membership.assigned(&id("a"), Vec::new())),
        ["assign "],
        "an empty assign wants its answer too"
    );
}

#[test]
fn a_revoke_waits_for_the_owner() {
    let mut membership = Membership::default();
    membership.assigned(&id("a"), partitions(&[0, 1]));
    let steps = membership.revoked(&id("a"), partitions(&[1]));
    assert_eq!(shown(&steps), ["tell revoke 1 of 1"]);
    assert!(membership.is_told(&partitions(&[1])[0]));
    let steps = membership.let_go(&id("a"), RevokeNumber(1));
    assert_eq!(shown(&steps), ["shut 1", "unassign 1"]);
    assert!(!membership.is_told(&partitions(&[1])[0]));
    assert!(membership.is_told(&partitions(&[0])[0]));
    assert!(
        membership.let_go(&id("a"), RevokeNumber(1)).is_empty(),
        "an answer is given once"
    );
}

#[test]
fn a_loss_is_answered_at_once_and_takes_open_revokes_with_it() {
    let mut membership = Membership::default();
    membership.assigned(&id("a"), partitions(&[0, 1]));
    membership.revoked(&id("a"), partitions(&[1]));
    let steps = membership.lost(partitions(&[0, 1]));
    assert_eq!(
        shown(&steps),
        ["shut 0,1", "tell lost 0,1", "unassign 1", "unassign 0"]
    );
    assert!(membership.let_go(&id("a"), RevokeNumber(1)).is_empty());
}

#[test]
fn a_membership_that_went_silently_is_a_loss() {
    let mut membership = Membership::default();
    membership.assigned(&id("a"), partitions(&[0, 1, 2]));
    membership.revoked(&id("a"), partitions(&[2]));
    // Thrown out while the revoke was open: librdkafka skips its own news of it.
    let steps = membership.let_go(&OUTSIDE, RevokeNumber(1));
    assert_eq!(
        shown(&steps),
        ["shut 0,1,2", "tell lost 0,1,2", "unassign 2"]
    );
    // The assign that belongs to the old revoke.
    let steps = membership.assigned(&OUTSIDE, partitions(&[3]));
    assert_eq!(shown(&steps), ["assign 3"]);
    assert!(!membership.is_told(&partitions(&[3])[0]));
    // Back under a new id: 1 went to another member, 0 and 3 are still ours, 4 is new.
    let steps = membership.revoked(&id("b"), partitions(&[1]));
    assert_eq!(shown(&steps), ["unassign 1"]);
    let steps = membership.assigned(&id("b"), partitions(&[4]));
    assert_eq!(
        shown(&steps),
        [
            "unassign 0,3",
            "assign 4,0,3",
            "open 4,0,3",
            "tell assigned 4,0,3"
        ]
    );
}

#[test]
fn a_check_finds_a_loss_and_the_next_assign_restarts_what_was_kept() {
    let mut membership = Membership::default();
    membership.assigned(&id("a"), partitions(&[0]));
    assert!(membership.checked(&id("a")).is_empty());
    assert_eq!(
        shown(&membership.checked(&id("b"))),
        ["shut 0", "tell lost 0"]
    );
    assert!(
        membership.checked(&id("b")).is_empty(),
        "a loss is told once"
    );
    assert_eq!(
        shown(&membership.assigned(&id("b"), Vec::new())),
        ["unassign 0", "assign 0", "open 0", "tell assigned 0"]
    );
}

#[test]
fn leaving_answers_what_is_open() {
    let mut membership = Membership::default();
    membership.assigned(&id("a"), partitions(&[0, 1]));
    membership.revoked(&id("a"), partitions(&[0]));
    assert_eq!(shown(&membership.leave()), ["shut 0", "unassign 0"]);
    assert!(membership.leave().is_empty());
}

#[test]
fn an_epoch_that_grows_is_the_same_membership_and_one_that_begins_anew_is_not() {
    let mut membership = Membership::default();
    let epoch = Standing::Consumer;
    membership.assigned(&epoch(3), partitions(&[0, 1]));
    assert!(membership.checked(&epoch(3)).is_empty());
    assert!(membership.checked(&epoch(7)).is_empty());
    // The highest that was seen counts.
    assert_eq!(
        shown(&membership.checked(&epoch(5))),
        ["shut 0,1", "tell lost 0,1"]
    );
    membership.assigned(&epoch(8), Vec::new());
    assert!(membership.is_told(&partitions(&[0])[0]));
    assert_eq!(
        shown(&membership.checked(&OUTSIDE)),
        ["shut 0,1", "tell lost 0,1"]
    );
}

#[test]
fn who_is_thrown_out_answers_what_is_open_and_is_told_once() {
    let mut membership = Membership::default();
    let standing = Standing::Consumer(3);
    membership.assigned(&standing, partitions(&[0, 1]));
    membership.revoked(&standing, partitions(&[1]));
    assert_eq!(
        shown(&membership.thrown_out()),
        ["shut 0,1", "tell lost 0,1", "unassign 1"]
    );
    assert!(membership.thrown_out().is_empty());
    // librdkafka's own news of it, if there are any.
    assert_eq!(shown(&membership.lost(partitions(&[0]))), ["unassign 0"]);
}

#[test]
fn a_consumer_that_is_replaced_has_nothing_left_to_answer() {
    let mut membership = Membership::default();
    membership.assigned(&Standing::Consumer(9), partitions(&[0, 1]));
    membership.revoked(&Standing::Consumer(9), partitions(&[1]));
    assert_eq!(
        shown(&membership.begin_anew()),
        ["shut 0,1", "tell lost 0,1"]
    );
    let first = Standing::Consumer(1);
    let steps = membership.assigned(&first, partitions(&[0]));
    assert_eq!(shown(&steps), ["assign 0", "open 0", "tell assigned 0"]);
    let steps = membership.revoked(&first, partitions(&[0]));
    assert_eq!(
        shown(&steps),
        ["tell revoke 2 of 0"],
        "an answer to an old revoke is no answer to this one"
    );
    assert!(membership.let_go(&first, RevokeNumber(1)).is_empty());
}
