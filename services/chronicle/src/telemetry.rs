//! Internal events of chronicle: each emits its log line and its metric together.

use metrics::counter;
use tracing::warn;

/// A record on the topic of dead letters is not projected.
pub(crate) fn letter_skipped(partition: i32, offset: i64, reason: &'static str) {
    counter!("argosy_dead_letters_skipped_total").increment(1);
    warn!(
        event = "letter_skipped",
        partition, offset, reason, "a dead letter is not projected: it stays on its topic"
    );
}
