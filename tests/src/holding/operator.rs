//! The operator: asks with `argosy dead-letters` and `argosy timeline`, as a human would.

use anyhow::Context as _;
use serde_json::Value;

use crate::grounds::Grounds;

/// How long a replay is waited for.
const REPLAY_WAIT: &str = "60s";

/// A dead letter, as far as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) id: String,
    pub(super) event: String,
    pub(super) state: String,
    pub(super) cause: String,
    pub(super) deaths: u64,
    pub(super) is_held: bool,
    /// Whether something asked of it has not been carried out yet.
    pub(super) is_asked: bool,
}

/// Dead letters, all or those that hold a key.
pub(super) fn letters(grounds: &Grounds, held_only: bool) -> anyhow::Result<Vec<Letter>> {
    let mut arguments = vec!["--json", "dead-letters", "ls", "--limit", "10000"];
    arguments.extend(held_only.then_some("--held"));
    let answer = json(grounds, &arguments)?;
    let listed = answer["dead_letters"].as_array().context("no list")?;
    listed
        .iter()
        .map(|letter| read(letter).with_context(|| format!("not a letter: {letter}")))
        .collect()
}

fn read(letter: &Value) -> Option<Letter> {
    let text = |field: &str| letter[field].as_str().map(str::to_owned);
    Some(Letter {
        id: text("id")?,
        event: text("event")?,
        state: text("state")?,
        cause: text("cause")?,
        deaths: letter["deaths"].as_u64()?,
        is_held: letter["held"].as_bool()?,
        is_asked: !letter["asked"].is_null(),
    })
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

fn json(grounds: &Grounds, arguments: &[&str]) -> anyhow::Result<Value> {
    let (succeeded, said) = grounds.argosy(arguments)?;
    anyhow::ensure!(succeeded, "argosy {}: {said}", arguments.join(" "));
    first_json(&said)
}

/// Data comes before talk.
fn first_json(said: &str) -> anyhow::Result<Value> {
    let first = serde_json::Deserializer::from_str(said).into_iter().next();
    first
        .context("nothing was said")?
        .with_context(|| format!("not JSON: {said}"))
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

    #[test]
    fn data_is_read_and_the_talk_behind_it_is_not() {
        let said = "{\"a\": [1]}\nargosy: there are more";
        assert_eq!(first_json(said).unwrap(), json!({"a": [1]}));
        assert!(first_json("").is_err() && first_json("argosy: no").is_err());
    }

    #[test]
    fn a_letter_that_lacks_something_is_none() {
        let whole = json!({"id": "w/t/0/1", "event": "e", "state": "dead", "cause": "refused", "deaths": 1, "held": true, "asked": null});
        assert!(read(&whole).is_some_and(|letter| letter.is_held && !letter.is_asked));
        for field in ["id", "event", "state", "cause", "deaths", "held"] {
            let mut torn = whole.clone();
            torn.as_object_mut().unwrap().remove(field);
            assert_eq!(read(&torn), None, "{field}");
        }
    }
}
