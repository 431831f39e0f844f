//! Dead letters, as `argosy dead-letters ls --json` tells of them.

use anyhow::Context as _;
use serde_json::Value;

/// Letters that are listed at most.
const LIMIT: &str = "10000";

/// A dead letter, as far as suites look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) state: String,
    pub(crate) cause: String,
    pub(crate) deaths: u64,
    pub(crate) is_held: bool,
    /// Whether something asked of it has not been carried out yet.
    pub(crate) is_asked: bool,
}

/// All of them, or those that hold a key; `argosy` runs the command, and says whether it succeeded and what it said.
pub(crate) fn list(
    argosy: impl Fn(&[&str]) -> anyhow::Result<(bool, String)>,
    held_only: bool,
) -> anyhow::Result<Vec<Letter>> {
    let mut arguments = vec!["--json", "dead-letters", "ls", "--limit", LIMIT];
    arguments.extend(held_only.then_some("--held"));
    let (succeeded, said) = argosy(&arguments)?;
    anyhow::ensure!(succeeded, "argosy {}: {said}", arguments.join(" "));
    let answer = first_json(&said)?;
    let listed = answer["dead_letters"].as_array().context("no list")?;
    listed
        .iter()
        .map(|letter| read(letter).with_context(|| format!("not a letter: {letter}")))
        .collect()
}

/// Data comes before talk.
pub(crate) fn first_json(said: &str) -> anyhow::Result<Value> {
    let first = serde_json::Deserializer::from_str(said).into_iter().next();
    first
        .context("nothing was said")?
        .with_context(|| format!("not JSON: {said}"))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        let listed = json!({ "dead_letters": [whole] }).to_string();
        let answered = |said: &str| list(|_| Ok((true, said.to_owned())), false);
        assert_eq!(answered(&listed).unwrap().len(), 1);
        assert!(answered("{}").is_err() && answered("{\"dead_letters\": [1]}").is_err());
        assert!(list(|_| Ok((false, listed.clone())), true).is_err());
    }
}
