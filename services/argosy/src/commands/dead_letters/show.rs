//! `argosy dead-letters show`: one letter, and on request what its record says.

use argosy_shell::exit::Exit;
use argosy_store::LetterId;
use clap::Args;
use serde_json::Value;

use super::{list::key, path, segments};
use crate::{
    client::GatewayClient,
    failed::Failed,
    output::{Format, table},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Which, as `ls` names it
    #[arg(value_name = "LETTER")]
    id: LetterId,
    /// Show what the record says, too: it may be somebody's personal data
    #[arg(long)]
    value: bool,
}

pub(super) async fn run(
    client: &GatewayClient,
    format: Format,
    asked: &Arguments,
) -> Result<Exit, Failed> {
    let letter = ask(client, &asked.id, asked.value).await?;
    format.data(&letter, shown);
    Ok(Exit::Done)
}

/// The letter as the gateway has it.
pub(super) async fn ask(
    client: &GatewayClient,
    id: &LetterId,
    with_value: bool,
) -> Result<Value, Failed> {
    let query: &[(&str, &str)] = if with_value {
        &[("value", "true")]
    } else {
        &[]
    };
    let path = path(id);
    let letter = client.get(&segments(&path, None), query).await?.body;
    if letter["state"].is_string() {
        Ok(letter)
    } else {
        Err(client.foreign())
    }
}

fn shown(letter: &Value) -> String {
    let fields = [
        "id",
        "state",
        "deaths",
        "held",
        "asked",
        "is_reference",
        "cause",
        "fingerprint",
        "message",
        "dependency",
        "status",
        "attempts",
        "first_failure",
        "last_failure",
        "source",
        "event",
        "type",
        "correlation_id",
        "key",
        "written",
        "bytes",
        "epoch",
        "build",
    ];
    let mut rows: Vec<Vec<String>> = fields
        .iter()
        .filter(|field| !letter[**field].is_null())
        .map(|field| vec![field.replace('_', " "), told(&letter[*field])])
        .collect();
    for header in letter["headers"].as_array().into_iter().flatten() {
        let name = header["name"].as_str().unwrap_or_default();
        rows.push(vec![format!("header {name}"), key(&header["value"])]);
    }
    if let Some(value) = letter.get("value") {
        rows.push(vec!["value".to_owned(), key(value)]);
    }
    table(&["FIELD", "IS"], rows)
}

fn told(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => key(value),
        other => other.to_string(),
    }
}
