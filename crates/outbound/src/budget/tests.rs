//! Retries end where successes do.

use super::*;

#[test]
fn without_success_no_more_than_the_bucket_is_spent() {
    let mut budget = Budget::new();
    let spent = (0..10_000).filter(|_| budget.spend(TRANSIENT_COST)).count();
    assert_eq!(spent as u32, BUDGET_MAX / TRANSIENT_COST);
    assert!(budget.spend(THROTTLED_COST));
}

#[test]
fn a_success_gives_back_what_its_last_retry_cost_and_never_fills_past_the_brim() {
    let mut budget = Budget::new();
    assert!(budget.spend(TRANSIENT_COST));
    budget.succeeded(TRANSIENT_COST);
    budget.succeeded(0);
    assert_eq!(budget.tokens, BUDGET_MAX);
    while budget.spend(TRANSIENT_COST) {}
    let left = budget.tokens;
    budget.succeeded(0);
    assert_eq!(budget.tokens, left + 1);
}
