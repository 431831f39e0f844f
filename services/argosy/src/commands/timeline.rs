//! `argosy timeline <correlation id>`: what happened in a business flow, as a story.

use std::{collections::HashSet, time::Duration};

use argosy_shell::exit::Exit;
use clap::{Args, builder::NonEmptyStringValueParser};
use serde_json::{Value, json};

use crate::{
    cli::Common,
    client::{GatewayClient, Where},
    failed::Failed,
    output::{Format, put, say, table},
    process::block_on,
};

mod story;

use story::{Line, story};

/// Entries that are asked for at once.
const PAGE_ROWS: &str = "2000";
/// Pages of one flow: what is beyond is not told, and that is said.
const PAGES_MAX: usize = 100;
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// Show what happened in a business flow
///
/// While an event waits for the same cause, its runs are told once a minute, with how many there were.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  argosy timeline 0198f2b1-7c55-7e4b-9c7a-0d9f6a3e2b11\n  \
    argosy timeline order-1001 --follow\n  argosy timeline order-1001 --json | jq '.entries[].steps[]'"
)]
pub(crate) struct Arguments {
    /// The correlation id: printed by `argosy publish`, answered by the gateway
    #[arg(value_name = "CORRELATION ID", value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// Go on telling what happens, until interrupted
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    place: Where,
}

pub(crate) fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Failed> {
    let config = common.load(&[])?;
    let client = GatewayClient::new(&arguments.place, &config)?;
    block_on(async {
        if arguments.follow {
            return follow(&client, &arguments.id, common.format()).await;
        }
        let answer = ask(&client, &arguments.id).await?;
        let lines = story(&answer).map_err(|_| client.foreign())?;
        common.format().data(&answer, |_| show(&lines));
        if answer["truncated"] == Value::Bool(true) {
            say("argosy: the flow is longer than what is shown");
        }
        Ok(Exit::Done)
    })
}

/// The whole flow, page after page.
async fn ask(client: &GatewayClient, id: &str) -> Result<Value, Failed> {
    let mut entries = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let mut query = vec![("rows_max", PAGE_ROWS)];
        query.extend(after.as_deref().map(|after| ("after", after)));
        let mut page = client.get(&["v1", "timelines", id], &query).await?.body;
        let Value::Array(rows) = page["entries"].take() else {
            return Err(client.foreign());
        };
        entries.extend(rows);
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    Ok(json!({ "correlation_id": id, "entries": entries, "truncated": after.is_some() }))
}

/// Tells each line once. A flow that is not known yet, and a gateway that is away, are waited for.
async fn follow(client: &GatewayClient, id: &str, format: Format) -> Result<Exit, Failed> {
    let mut told = HashSet::new();
    let mut said = String::new();
    loop {
        match ask(client, id).await {
            Ok(answer) => {
                let new = story(&answer)
                    .map_err(|_| client.foreign())?
                    .into_iter()
                    .filter(|line| told.insert(line.place.clone()));
                for line in new.collect::<Vec<_>>() {
                    match format {
                        Format::Text => put(&line.in_one_line()),
                        Format::Json => format.data(&line, |_| String::new()),
                    }
                }
            }
            Err(failed) if failed.exit == Exit::Failed => return Err(failed),
            Err(failed) => {
                let why = format!("argosy: waiting: {:#}", failed.error);
                if why != said {
                    say(&why);
                    said = why;
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
    }
}

fn show(lines: &[Line]) -> String {
    table(
        &["TIME (UTC)", "WORKER", "EVENT", "STEP", "DETAIL"],
        lines.iter().map(Line::cells),
    )
}
