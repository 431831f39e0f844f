//! `argosy publish`: one event from a JSON file or stdin, to the gateway or straight to the broker. Its id is made
//! here unless it is given, and printed, so that sending it again is the same event.

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use argosy_broker::Message;
use argosy_events::{Envelope, validate_any};
use argosy_shell::{config::Config, exit::Exit};
use clap::Args;
use serde::Serialize;

use crate::{
    cli::Common,
    client::{GatewayClient, Where},
    failed::{Failed, OrExit, at_broker},
    output::say,
    parts,
    process::block_on,
};

const EVENT_BYTES_MAX: usize = 16 << 20;
const ACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);

/// Publish one event
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  argosy publish --type argosy.orders.v1.OrderApproved order.json\n  \
    jq .order archive.json | argosy publish --type argosy.orders.v1.OrderApproved --id order-1001-v1 -\n\n\
    An event that was published before with the same source and id is the same event: it is handled once.\n\
    Exit code 75 means that the outcome is unknown; publish it again with the id that was printed."
)]
pub(crate) struct Arguments {
    /// The event's body as JSON; - for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The event's type, its full protobuf name
    #[arg(long = "type", value_name = "TYPE")]
    event_type: String,
    /// The event's id [default: a new one]
    #[arg(long)]
    id: Option<String>,
    /// The event's source [default: the gateway's]
    #[arg(long)]
    source: Option<String>,
    /// The business flow that it belongs to [default: its own id]
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// Write to the broker, past the gateway
    #[arg(long, conflicts_with = "gateway")]
    direct: bool,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Serialize)]
struct Published {
    id: String,
    source: String,
    correlation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

pub(crate) fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Failed> {
    let config = common.load(&[])?;
    let body = read(&arguments.file)?;
    let envelope = envelope(&config, arguments);
    // Said first: if the outcome stays unknown, this is what to repeat it with.
    say(&format!(
        "publishing {} from {}",
        envelope.id, envelope.source
    ));
    let location = block_on(async {
        if arguments.direct {
            return to_broker(&config, &envelope, &body).await.map(|()| None);
        }
        let client = GatewayClient::new(&arguments.place, &config)?
            .with_token(config.gateway.intake_token.clone());
        let headers = to_headers(&envelope);
        let answer = client.post(&["v1", "events"], &headers, body).await?;
        Ok(answer.location)
    })?;
    let published = Published {
        id: envelope.id.to_string(),
        source: envelope.source.to_string(),
        correlation_id: envelope.correlation_id.to_string(),
        location,
    };
    common.format().data(&published, |published| {
        format!(
            "id           {}\nsource       {}\ncorrelation  {}\n",
            published.id, published.source, published.correlation_id
        )
    });
    Ok(Exit::Done)
}

fn envelope(config: &Config, arguments: &Arguments) -> Envelope {
    let source = arguments.source.as_ref().unwrap_or(&config.gateway.source);
    #[expect(
        clippy::disallowed_methods,
        reason = "an event that begins here carries the time at which it began"
    )]
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let mut envelope = Envelope::new_flow(source, &arguments.event_type, "", now_ms);
    if let Some(id) = &arguments.id {
        envelope.id = id.as_str().into();
        envelope.correlation_id = id.as_str().into();
    }
    if let Some(correlation) = &arguments.correlation {
        envelope.correlation_id = correlation.as_str().into();
    }
    envelope
}

/// The envelope as CloudEvents writes it into HTTP headers: `ce_id` becomes `ce-id`, percent-encoded.
fn to_headers(envelope: &Envelope) -> Vec<(String, String)> {
    let attributes = envelope.headers().into_iter().filter_map(|(name, value)| {
        let attribute = name.strip_prefix("ce_")?;
        Some((format!("ce-{attribute}"), percent_encoded(&value)))
    });
    let content_type = ("content-type".to_owned(), "application/json".to_owned());
    std::iter::once(content_type).chain(attributes).collect()
}

fn percent_encoded(bytes: &[u8]) -> String {
    let encode = |byte: &u8| match byte {
        b'%' | b'"' => format!("%{byte:02X}"),
        0x21..0x7f => char::from(*byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    bytes.iter().map(encode).collect()
}

async fn to_broker(config: &Config, envelope: &Envelope, body: &[u8]) -> Result<(), Failed> {
    Envelope::read(&envelope.headers(), "", 0, 0).or_exit(Exit::Usage)?;
    let valid =
        validate_any(&envelope.event_type, Some("application/json"), body).or_exit(Exit::Failed)?;
    let producer = parts::broker(config)?
        .producer("argosy-publish", ACKNOWLEDGED_MAX)
        .map_err(at_broker(config))?;
    let message = Message {
        topic: valid.topic.into(),
        partition: None,
        key: (!valid.key.is_empty()).then(|| valid.key.into_bytes().into()),
        value: Some(valid.body),
        headers: envelope.headers(),
    };
    for result in producer.send(vec![message]).await {
        result.or_exit(Exit::Unknown)?;
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>, Failed> {
    let name = file.display();
    let unreadable = |exit, error: std::io::Error| {
        let remedy = "name a file that holds the event's body as JSON, or - for stdin";
        Failed::new(exit, format!("cannot read {name}: {error}; {remedy}"))
    };
    let opened: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        let opened =
            std::fs::File::open(file).map_err(|error| unreadable(Exit::NotFound, error))?;
        Box::new(opened)
    };
    let mut bytes = Vec::new();
    opened
        .take(EVENT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(Exit::Failed, error))?;
    if bytes.len() > EVENT_BYTES_MAX {
        let message = format!("{name} is longer than {EVENT_BYTES_MAX} bytes");
        return Err(Failed::new(Exit::Failed, message));
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(&bytes)
        .map_err(|error| Failed::new(Exit::Failed, format!("{name} is no JSON: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_percent_encoded_into_headers() {
        let mut envelope = Envelope::new_flow("shop://ü", "t", "a b", 0);
        envelope.id = "50%\"".into();
        let headers = to_headers(&envelope);
        let value = |name: &str| {
            let found = headers.iter().find(|(found, _)| found == name);
            found.unwrap().1.clone()
        };
        assert_eq!(value("ce-id"), "50%25%22");
        assert_eq!(value("ce-source"), "shop://%C3%BC");
        assert_eq!(value("ce-subject"), "a%20b");
        assert_eq!(value("content-type"), "application/json");
    }

    #[test]
    fn what_is_no_json_or_not_there_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("order.json");
        for (content, said) in [
            ("", "is no JSON"),
            ("{", "is no JSON"),
            ("{} x", "is no JSON"),
        ] {
            std::fs::write(&file, content).unwrap();
            let failed = read(&file).unwrap_err();
            assert!(failed.error.to_string().contains(said), "{failed:?}");
        }
        for (path, exit) in [
            (folder.path().join("none"), Exit::NotFound),
            (folder.path().to_owned(), Exit::Failed),
        ] {
            let failed = read(&path).unwrap_err();
            let said = failed.error.to_string();
            assert_eq!(failed.exit, exit, "{said}");
            let named = format!("cannot read {}: ", path.display());
            assert!(said.starts_with(&named), "{said}");
            assert!(said.contains("or - for stdin"), "{said}");
        }
        std::fs::write(&file, "{}").unwrap();
        assert_eq!(read(&file).unwrap(), b"{}");
    }
}
