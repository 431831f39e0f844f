//! The fleet's configuration in a storm, and how its answers are read.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::{protocol::Protocol, storm::SUPPLIERS, suite::Folder};

/// A worker not heard of for so long loses its partitions.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(8);

/// What an arena is asked to be.
#[derive(Clone, Debug)]
pub struct ArenaSettings {
    /// Where data and logs go.
    pub folder: Folder,
    /// Order workers.
    pub workers: usize,
    /// How the workers join their groups.
    pub protocol: Protocol,
    /// How long a supplier takes, ms.
    pub latency_ms: (u64, u64),
    /// Whether orders may be poison: the workers have poison around their handler then, and hold keys.
    pub poison: bool,
}

/// A run that is poison ends here: past a supplier's time-out, which is the longest that a sound one waits.
const POISON_RUN_DEADLINE_MS: u64 = 10_000;

/// Attempts of an order that is poison.
const POISON_ATTEMPTS_MAX: u32 = 4;

/// What one instance of the order workers is told beside the file.
pub(super) fn of_worker(name: &str, folder: &Path, poison: bool) -> Vec<(&'static str, String)> {
    let state = folder.join("state").join(name);
    let mut told = vec![
        ("ARGOSY__PROBES__LISTEN", "127.0.0.1:0".to_owned()),
        ("ARGOSY__WORKER__STATE_DIR", state.display().to_string()),
    ];
    if poison {
        told.extend([
            ("ARGOSY__WORKER__HOLD_AFTER_DEAD", "true".to_owned()),
            (
                "ARGOSY__WORKER__RUN_DEADLINE_MS",
                POISON_RUN_DEADLINE_MS.to_string(),
            ),
            (
                "ARGOSY__WORKER__ATTEMPTS_MAX",
                POISON_ATTEMPTS_MAX.to_string(),
            ),
        ]);
    }
    told
}

/// Ports of one arena.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Kafka.
    pub kafka: u16,
    /// PostgreSQL.
    pub postgres: u16,
    /// The gateway.
    pub gateway: u16,
    /// The sandbox.
    pub sandbox: u16,
}

impl Addresses {
    /// Below the range from which the kernel gives out ports, and by process, so that two suites do not meet.
    pub fn of_this_process() -> Self {
        let base = 20_000 + u16::try_from(std::process::id() % 40).unwrap_or(0) * 200;
        Self {
            kafka: base,
            postgres: base + 1,
            gateway: base + 2,
            sandbox: base + 3,
        }
    }
}

/// Writes the configuration file; the first supplier also takes what `others` match.
///
/// # Errors
///
/// If it cannot be written.
pub fn write(
    folder: &Path,
    at: &Addresses,
    bootstrap: &str,
    store: &str,
    protocol: Protocol,
    others: &[&str],
) -> anyhow::Result<PathBuf> {
    let receipts = folder.join("receipts.jsonl");
    let sandbox = format!("127.0.0.1:{}", at.sandbox);
    let membership = match protocol {
        Protocol::Classic => format!("session_timeout_ms = {}", SESSION_TIMEOUT.as_millis()),
        Protocol::Consumer => "group_protocol = \"consumer\"".to_owned(),
    };
    let mut text = format!(
        r#"
profile = "dev"

[broker]
bootstrap = ["{bootstrap}"]

[store]
url = "{store}"

[telemetry]
filter = "info"
format = "json"

[gateway]
listen = "127.0.0.1:{}"
operator_token = "storm"
approve_placed_orders = true

[gateway.shopify]
secret = "storm"

[worker]
{membership}
state_dir = {:?}

[sandbox]
listen = "{sandbox}"
receipts = "{}"
"#,
        at.gateway,
        folder.join("state").display().to_string(),
        receipts.display(),
    );
    for (index, (prefix, name, repeat)) in SUPPLIERS.into_iter().enumerate() {
        let mut skus = vec![format!("{prefix}*")];
        skus.extend(
            others
                .iter()
                .filter(|_| index == 0)
                .map(ToString::to_string),
        );
        text.push_str(&format!(
            r#"
[orders.suppliers.{name}]
skus = {skus:?}
base_url = "http://{sandbox}/suppliers/{name}"
token = "{name}-token"
repeat = "{repeat}"
timeout_ms = 5000

[sandbox.suppliers.{name}]
repeat = "{repeat}"
token = "{name}-token"
"#
        ));
    }
    let path = folder.join("argosy.toml");
    std::fs::write(&path, text)?;
    Ok(path)
}

/// How the orders worker stands with an event, in an answer of `GET /v1/events/{id}`.
pub(super) fn orders_state(answer: &Value) -> Option<&str> {
    let workers = answer.get("workers")?.as_array()?;
    workers
        .iter()
        .find(|worker| worker["worker"] == "orders")?
        .get("state")?
        .as_str()
}
