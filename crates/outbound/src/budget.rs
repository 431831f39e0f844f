//! How much repeating a dependency is worth: a bucket that retries drain and successes fill.
//!
//! Invariant: with no success at all, no more than the bucket's size is ever spent, so that retries cannot multiply
//! the load of a vendor that is down.

/// Tokens in a full bucket.
pub(crate) const BUDGET_MAX: u32 = 500;

/// What a retry after a transient fault costs.
pub(crate) const TRANSIENT_COST: u32 = 14;

/// What a retry after being throttled costs.
pub(crate) const THROTTLED_COST: u32 = 5;

#[derive(Debug)]
pub(crate) struct Budget {
    tokens: u32,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { tokens: BUDGET_MAX }
    }

    /// Pays for one retry, if there is enough.
    pub(crate) fn spend(&mut self, cost: u32) -> bool {
        let left = self.tokens.checked_sub(cost);
        self.tokens = left.unwrap_or(self.tokens);
        left.is_some()
    }

    /// A call succeeded, its last retry having cost so much (0 if it needed none).
    pub(crate) fn succeeded(&mut self, last_cost: u32) {
        self.tokens = (self.tokens + last_cost.max(1)).min(BUDGET_MAX);
    }
}

#[cfg(test)]
mod tests;
