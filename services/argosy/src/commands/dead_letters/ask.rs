//! `argosy dead-letters replay|release`: asks the owner of a dead record, and may wait for what comes of a replay.

use std::time::Duration;

use argosy_shell::exit::Exit;
use argosy_store::LetterId;
use clap::Args;
use serde_json::Value;
use tokio::time::Instant;

use super::{path, release_all, segments, show};
use crate::{
    client::GatewayClient,
    failed::Failed,
    output::{Format, say},
};

/// Between two looks at a letter that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Longest wait for what comes of a replay.
const WAIT_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Who asks
#[derive(Clone, Debug, Args)]
pub(super) struct Actor {
    /// Who says so, for the audit [default: operator]
    #[arg(long)]
    actor: Option<String>,
}

impl Actor {
    fn headers(&self) -> Vec<(String, String)> {
        let actor = self.actor.clone();
        let named = actor.map(|actor| ("x-actor".to_owned(), actor));
        named.into_iter().collect()
    }
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Which, as `ls` names it
    #[arg(value_name = "LETTER")]
    id: LetterId,
    /// Wait so long for what comes of it: exit code 1 if it dies again, 75 if that is not known by then
    #[arg(long, value_name = "TIME", value_parser = wait)]
    wait: Option<Duration>,
    #[command(flatten)]
    actor: Actor,
}

#[derive(Debug, Args)]
pub(super) struct Release {
    /// Which, as `ls --held` names it
    #[arg(value_name = "LETTER", required_unless_present = "all")]
    id: Option<LetterId>,
    /// Every held key
    #[arg(long, conflicts_with = "id", requires = "yes")]
    all: bool,
    /// With --all: of this worker
    #[arg(long, requires = "all", conflicts_with = "id")]
    worker: Option<String>,
    /// With --all: it is meant
    #[arg(long, requires = "all", conflicts_with = "id")]
    yes: bool,
    #[command(flatten)]
    actor: Actor,
}

pub(super) async fn replay(
    client: &GatewayClient,
    format: Format,
    asked: &Replay,
) -> Result<Exit, Failed> {
    let before = show::ask(client, &asked.id, false).await?;
    let answer = post(client, &asked.id, "replay", &asked.actor).await?;
    let Some(wait) = asked.wait else {
        format.data(&answer, |_| format!("asked to replay {}\n", asked.id));
        return Ok(Exit::Done);
    };
    say(&format!("asked to replay {}, waiting", asked.id));
    let Some(letter) = outcome(client, &asked.id, &before, wait).await? else {
        let message = format!("what comes of the replay of {} is not known yet", asked.id);
        return Err(Failed::new(Exit::Unknown, message));
    };
    let state = letter["state"].as_str().unwrap_or_default().to_owned();
    format.data(&letter, |_| format!("{} is {state}\n", asked.id));
    if state == "done" {
        return Ok(Exit::Done);
    }
    let why = letter["message"].as_str().unwrap_or_default();
    let message = format!("the replay of {} ended dead: {why}", asked.id);
    Err(Failed::new(Exit::Failed, message))
}

/// The letter when its replay is over; `None` if it is not when the wait is. A replay that its owner refused leaves it
/// dead with nothing asked of it.
async fn outcome(
    client: &GatewayClient,
    id: &LetterId,
    before: &Value,
    wait: Duration,
) -> Result<Option<Value>, Failed> {
    let deadline = Instant::now() + wait;
    loop {
        let letter = show::ask(client, id, false).await?;
        let is_over = match letter["state"].as_str() {
            Some("done") => true,
            Some("dead") => letter["deaths"] != before["deaths"] || letter["asked"].is_null(),
            _ => false,
        };
        if is_over {
            return Ok(Some(letter));
        }
        if Instant::now() + LOOK_EVERY > deadline {
            return Ok(None);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

pub(super) async fn release(
    client: &GatewayClient,
    format: Format,
    asked: &Release,
) -> Result<Exit, Failed> {
    let Some(id) = &asked.id else {
        return release_all::run(client, format, asked.worker.as_deref(), &asked.actor).await;
    };
    let answer = post(client, id, "release", &asked.actor).await?;
    format.data(&answer, |_| {
        format!("asked to release what waits behind {id}\n")
    });
    Ok(Exit::Done)
}

/// Asks one thing of one letter; a refusal is a failure.
async fn post(
    client: &GatewayClient,
    id: &LetterId,
    step: &str,
    actor: &Actor,
) -> Result<Value, Failed> {
    match try_post(client, id, step, actor).await? {
        Asked::Taken(answer) => Ok(answer),
        Asked::Refused(failed) => Err(failed),
    }
}

/// What the gateway says to an ask.
pub(super) enum Asked {
    Taken(Value),
    /// It cannot be done, as the letter stands.
    Refused(Failed),
}

/// Asks one thing of one letter.
pub(super) async fn try_post(
    client: &GatewayClient,
    id: &LetterId,
    step: &str,
    actor: &Actor,
) -> Result<Asked, Failed> {
    let path = path(id);
    let segments = segments(&path, Some(step));
    let headers = actor.headers();
    let asked = client.post_or_conflict(&segments, &headers, Vec::new());
    match asked.await? {
        Ok(answer) if answer.body["asked"] == step => Ok(Asked::Taken(answer.body)),
        Ok(_) => Err(client.foreign()),
        Err(conflict) => Ok(Asked::Refused(conflict)),
    }
}

/// A time such as 500ms, 60s or 5m.
fn wait(text: &str) -> Result<Duration, String> {
    let wanted = || "must be a time such as 500ms, 60s or 5m, at most 24 hours".to_owned();
    let digits = text.find(|character: char| !character.is_ascii_digit());
    let (number, unit) = text.split_at(digits.ok_or_else(wanted)?);
    let number: u32 = number.parse().map_err(|_| wanted())?;
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3_600),
        _ => return Err(wanted()),
    };
    let wait = unit.checked_mul(number);
    wait.filter(|wait| *wait <= WAIT_MAX).ok_or_else(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_its_unit() {
        for (text, seconds) in [("60s", 60), ("5m", 300), ("1h", 3_600), ("0s", 0)] {
            assert_eq!(wait(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(wait("500ms"), Ok(Duration::from_millis(500)));
        for text in [
            "",
            "60",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "25h",
            "99999999999s",
            "5d",
            "٣s",
        ] {
            assert!(wait(text).is_err(), "{text}");
        }
    }
}
