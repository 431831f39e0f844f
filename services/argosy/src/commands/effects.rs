//! `argosy effects show|resolve`: the effects of an event, and an operator's word on one whose outcome is unknown.

use argosy_shell::{config::Config, exit::Exit};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    cli::Common,
    client::{GatewayClient, Where},
    failed::Failed,
    output::table,
    process::block_on,
};

/// Look at the effects of an event, and settle one whose outcome nobody else can find out
#[derive(Debug, Args)]
#[command(
    after_help = "Needs the operator's token: ARGOSY__GATEWAY__OPERATOR_TOKEN or …_FILE.\n\nExamples:\n  \
    argosy effects show --event order-1001-v1\n  \
    argosy effects show --event 0198f2b1-7c55-7e4b-9c7a-0d9f6a3e2b11 --source shopify://lantern.example\n  \
    argosy effects resolve --worker orders --event order-1001-v1 --name confirm-order --key acme --did-not-happen\n  \
    argosy effects resolve --worker orders --event order-1001-v1 --name draft-order --key acme \\\n      \
    --happened '{\"order_id\":\"A-77\"}'"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show the effects of an event, over all workers
    Show(Event),
    /// Say what became of an effect; refused while its claim is good, and once an outcome is recorded
    Resolve(Resolve),
}

#[derive(Debug, Args)]
struct Event {
    /// The event's id
    #[arg(long, value_name = "ID")]
    event: String,
    /// The event's source, as `argosy timeline` shows it [default: the gateway's]
    #[arg(long)]
    source: Option<String>,
}

#[derive(Debug, Args)]
struct Resolve {
    #[command(flatten)]
    event: Event,
    /// The worker that made the effect
    #[arg(long)]
    worker: String,
    /// The effect's name
    #[arg(long)]
    name: String,
    /// The effect's key
    #[arg(long)]
    key: String,
    #[command(flatten)]
    outcome: Outcome,
    /// Who says so, for the audit [default: operator]
    #[arg(long)]
    actor: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Outcome {
    /// It happened, with this answer of the vendor, as the worker would have recorded it
    #[arg(long, value_name = "JSON", value_parser = answer)]
    happened: Option<Value>,
    /// It did not happen: it may be called again
    #[arg(long)]
    did_not_happen: bool,
}

pub(crate) fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Failed> {
    let config = common.load(&[])?;
    let Some(token) = config.gateway.operator_token.clone() else {
        return Err(Failed::new(
            Exit::Configuration,
            "the operator's token is missing: set ARGOSY__GATEWAY__OPERATOR_TOKEN or …_FILE",
        ));
    };
    let client = GatewayClient::new(&arguments.place, &config)?.with_token(Some(token));
    let answer = block_on(async {
        match &arguments.what {
            What::Show(event) => show(&client, &config, event).await,
            What::Resolve(resolve) => resolve_one(&client, &config, resolve).await,
        }
    })?;
    common.format().data(&answer, in_rows);
    Ok(Exit::Done)
}

async fn show(client: &GatewayClient, config: &Config, event: &Event) -> Result<Value, Failed> {
    let source = source(config, event);
    let query = [("source", source), ("event", &event.event)];
    let answer = client.get(&["v1", "effects"], &query).await?.body;
    match answer["effects"].as_array() {
        None => Err(client.foreign()),
        Some(rows) if rows.is_empty() => {
            let message = format!(
                "no effect of event {} from source {source} is known: \
                 --source names another, and `argosy timeline` shows each event's",
                event.event
            );
            Err(Failed::new(Exit::NotFound, message))
        }
        Some(_) => Ok(answer),
    }
}

async fn resolve_one(
    client: &GatewayClient,
    config: &Config,
    resolve: &Resolve,
) -> Result<Value, Failed> {
    let mut body = json!({
        "worker": resolve.worker,
        "source": source(config, &resolve.event),
        "event": resolve.event.event,
        "name": resolve.name,
        "key": resolve.key,
    });
    match &resolve.outcome.happened {
        Some(answer) => body["happened"] = answer.clone(),
        None => body["did_not_happen"] = true.into(),
    }
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    headers.extend(
        resolve
            .actor
            .clone()
            .map(|actor| ("x-actor".to_owned(), actor)),
    );
    let path = ["v1", "effects", "resolve"];
    Ok(client
        .post(&path, &headers, body.to_string().into_bytes())
        .await?
        .body)
}

fn source<'a>(config: &'a Config, event: &'a Event) -> &'a str {
    event.source.as_ref().unwrap_or(&config.gateway.source)
}

fn answer(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))
}

/// The rows of `show`, or the one row that `resolve` left.
fn in_rows(answer: &Value) -> String {
    let rows = match answer.get("effects").and_then(Value::as_array) {
        Some(rows) => rows.clone(),
        None => vec![answer.clone()],
    };
    let columns = [
        "worker",
        "name",
        "key",
        "operation",
        "state",
        "claims",
        "answer",
    ];
    let cells = rows.iter().map(|row| {
        columns
            .iter()
            .map(|column| match &row[*column] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            })
            .collect()
    });
    table(
        &columns
            .map(str::to_uppercase)
            .each_ref()
            .map(String::as_str),
        cells,
    )
}
