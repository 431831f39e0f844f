//! `argosy dead-letters ls`: as many as asked for, page after page.

use argosy_shell::exit::Exit;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::{
    client::GatewayClient,
    failed::Failed,
    output::{Format, say, table},
};

/// Letters of one page.
const PAGE_ROWS: usize = 200;

/// Most that can be asked for.
const LIMIT_MAX: u64 = 100_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Of this worker
    #[arg(long)]
    worker: Option<String>,
    /// Of this cause, such as refused or attempts
    #[arg(long)]
    cause: Option<String>,
    /// Of this fingerprint, which groups letters of one cause
    #[arg(long)]
    fingerprint: Option<String>,
    /// Of records with this key
    #[arg(long)]
    key: Option<String>,
    /// In this state
    #[arg(long)]
    state: Option<State>,
    /// Only those behind which later records of the key wait
    #[arg(long)]
    held: bool,
    /// Of this business flow
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=LIMIT_MAX))]
    limit: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Dead,
    Replaying,
    Done,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Replaying => "replaying",
            Self::Done => "done",
        }
    }
}

pub(super) async fn run(
    client: &GatewayClient,
    format: Format,
    asked: &Arguments,
) -> Result<Exit, Failed> {
    let mut letters = Vec::new();
    let mut pages = Pages::new(asked.question());
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    while letters.len() < limit {
        let Some(page) = pages.next(client, limit - letters.len()).await? else {
            break;
        };
        letters.extend(page);
    }
    let is_cut = pages.has_more();
    let answer = json!({ "dead_letters": letters, "truncated": is_cut });
    format.data(&answer, |_| shown(&letters));
    if is_cut {
        say("argosy: there are more than what is shown: --limit asks for more");
    }
    Ok(Exit::Done)
}

impl Arguments {
    fn question(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("worker", self.worker.clone()),
            ("cause", self.cause.clone()),
            ("fingerprint", self.fingerprint.clone()),
            ("key", self.key.clone()),
            ("state", self.state.map(|state| state.name().to_owned())),
            ("held", self.held.then(|| "true".to_owned())),
            ("correlation", self.correlation.clone()),
        ];
        let given = given.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

/// The pages of one question, until one is the last.
pub(super) struct Pages {
    question: Vec<(&'static str, String)>,
    after: Option<String>,
    is_over: bool,
}

impl Pages {
    pub(super) fn new(question: Vec<(&'static str, String)>) -> Self {
        Self {
            question,
            after: None,
            is_over: false,
        }
    }

    /// Whether the page before was not the last.
    pub(super) fn has_more(&self) -> bool {
        !self.is_over
    }

    /// The next page of at most so many letters; `None` behind the last.
    pub(super) async fn next(
        &mut self,
        client: &GatewayClient,
        rows_max: usize,
    ) -> Result<Option<Vec<Value>>, Failed> {
        if self.is_over {
            return Ok(None);
        }
        let rows = rows_max.clamp(1, PAGE_ROWS).to_string();
        let mut query: Vec<(&str, &str)> = self
            .question
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        query.push(("rows_max", &rows));
        query.extend(self.after.as_deref().map(|after| ("after", after)));
        let mut page = client.get(&["v1", "dead-letters"], &query).await?.body;
        let Value::Array(letters) = page["dead_letters"].take() else {
            return Err(client.foreign());
        };
        let next = page["next"].as_str().map(str::to_owned);
        // A page that leads to itself would never end.
        self.is_over = next.is_none() || letters.is_empty() || next == self.after;
        self.after = next;
        Ok(Some(letters))
    }
}

fn shown(letters: &[Value]) -> String {
    let head = [
        "LAST FAILURE (UTC)",
        "LETTER",
        "STATE",
        "HELD",
        "CAUSE",
        "KEY",
        "CORRELATION",
        "MESSAGE",
    ];
    let rows = letters.iter().map(|letter| {
        let text = |field: &str| letter[field].as_str().unwrap_or_default().to_owned();
        let held = letter["held"].as_bool().unwrap_or_default();
        vec![
            text("last_failure"),
            text("id"),
            text("state"),
            if held { "yes" } else { "" }.to_owned(),
            text("cause"),
            key(&letter["key"]),
            text("correlation_id"),
            text("message"),
        ]
    });
    table(&head, rows)
}

/// A key as text if it is text, else as it can be told.
pub(super) fn key(key: &Value) -> String {
    let text = key["text"].as_str().map(str::to_owned);
    let bytes = || {
        key["base64"]
            .as_str()
            .map(|bytes| format!("base64:{bytes}"))
    };
    text.or_else(bytes).unwrap_or_default()
}
