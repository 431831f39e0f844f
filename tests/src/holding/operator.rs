//! The operator: asks with `argosy dead-letters` and `argosy timeline`, as a human would.

use serde_json::Value;

use crate::{
    grounds::Grounds,
    letters::{self, Letter, first_json},
};

/// How long a replay is waited for.
const REPLAY_WAIT: &str = "60s";

/// Dead letters, all or those that hold a key.
pub(super) fn letters(grounds: &Grounds, held_only: bool) -> anyhow::Result<Vec<Letter>> {
    letters::list(|arguments| grounds.argosy(arguments), held_only)
}

/// Releases the key behind this letter.
pub(super) fn release(grounds: &Grounds, id: &str) -> anyhow::Result<()> {
    let (succeeded, said) = grounds.argosy(&["dead-letters", "release", id])?;
    anyhow::ensure!(succeeded, "release of {id}: {said}");
    Ok(())
}

/// Releases every held key.
pub(super) fn release_all(grounds: &Grounds) -> anyhow::Result<()> {
    let (succeeded, said) = grounds.argosy(&["dead-letters", "release", "--all", "--yes"])?;
    anyhow::ensure!(succeeded, "release of all: {said}");
    Ok(())
}

/// Replays a letter and waits for what comes of it; whether it is done, and what was said.
pub(super) fn replay(grounds: &Grounds, id: &str) -> anyhow::Result<(bool, String)> {
    grounds.argosy(&["dead-letters", "replay", id, "--wait", REPLAY_WAIT])
}

/// Whether the timeline of a flow says that it waits for a hold.
pub(super) fn waits_for_hold(grounds: &Grounds, correlation: &str) -> anyhow::Result<bool> {
    let (succeeded, said) = grounds.argosy(&["--json", "timeline", correlation])?;
    // What was only just accepted is not known yet.
    Ok(succeeded && has_cause(&first_json(&said)?, "hold"))
}

/// Whether anything in it waited for this cause.
fn has_cause(value: &Value, cause: &str) -> bool {
    match value {
        Value::Object(fields) => {
            let waited = fields.get("waited");
            waited.is_some_and(|waited| waited["cause"] == cause)
                || fields.values().any(|value| has_cause(value, cause))
        }
        Value::Array(items) => items.iter().any(|item| has_cause(item, cause)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wait_is_found_wherever_it_stands_and_only_of_its_cause() {
        let told = |cause: &str| json!({"entries": [{"steps": [{"run": {}}, {"waited": {"cause": cause}}]}]});
        assert!(has_cause(&told("hold"), "hold"));
        assert!(!has_cause(&told("backlog"), "hold"));
        assert!(!has_cause(&json!({"cause": "hold"}), "hold"));
    }
}
