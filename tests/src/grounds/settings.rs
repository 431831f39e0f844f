//! The grounds' configuration, a worker's arguments, and the faults that suppliers are told.

use std::path::{Path, PathBuf};

use argosy_kernel::claims::DEADLINE_GRACE;
use serde_json::{Value, json};

use crate::{
    storm::arena::Addresses,
    trial_worker::{CLASSES, Patience, token},
};

/// What an operator says to the gateway.
const OPERATOR_TOKEN: &str = "trial";

/// What a group's processes are told.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// Session timeout of the membership, ms. Kafka takes no shorter one.
    pub session_timeout_ms: u64,
    /// Deadline of a run, ms.
    pub run_deadline_ms: u64,
    /// Attempts before a record is dead.
    pub attempts_max: u32,
    /// Whether later records of a key wait behind its dead one.
    pub hold_after_dead: bool,
    /// Keys that wait in the store at once, per partition; without it, as many as in any worker.
    pub parked_keys_max: Option<u64>,
    /// Bytes that wait in the store at once.
    pub parked_bytes_max: Option<u64>,
    /// Records held per partition before its intake stops.
    pub partition_records_max: Option<u64>,
    /// The port of its metrics, on the loopback address.
    pub metrics_port: Option<u16>,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            session_timeout_ms: 6_000,
            run_deadline_ms: 60_000,
            attempts_max: 5,
            hold_after_dead: false,
            parked_keys_max: None,
            parked_bytes_max: None,
            partition_records_max: None,
            metrics_port: None,
        }
    }
}

impl WorkerSettings {
    pub(super) fn arguments(&self) -> Vec<String> {
        let numbers = [
            ("--session-timeout-ms", self.session_timeout_ms),
            ("--run-deadline-ms", self.run_deadline_ms),
            ("--attempts-max", u64::from(self.attempts_max)),
        ];
        let numbers = numbers
            .iter()
            .flat_map(|(name, value)| [(*name).to_owned(), value.to_string()]);
        let hold = self.hold_after_dead.then(|| "--hold-after-dead".to_owned());
        let limits = [
            ("--parked-keys-max", self.parked_keys_max),
            ("--parked-bytes-max", self.parked_bytes_max),
            ("--partition-records-max", self.partition_records_max),
        ];
        let limits = limits.iter().filter_map(|(name, value)| {
            let value = (*value)?;
            Some([(*name).to_owned(), value.to_string()])
        });
        let metrics = self
            .metrics_port
            .map(|port| ["--metrics".to_owned(), format!("127.0.0.1:{port}")]);
        let optional = limits.chain(metrics).flatten();
        numbers.chain(hold).chain(optional).collect()
    }
}

impl Patience {
    /// From a claim's grant to its deadline.
    pub fn claim_holds(self) -> std::time::Duration {
        self.call_timeout() + DEADLINE_GRACE
    }
}

/// What a supplier does to the first draft of an order.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The order's key; `*` stands for any characters.
    pub key: String,
    /// The effect, as the sandbox's README has it.
    pub effect: Value,
    /// How often it strikes; without it, always.
    pub times: Option<u32>,
}

impl Fault {
    pub(super) fn rule(&self) -> Value {
        let mut rule = json!({
            "match": { "operation": "draft", "key": self.key },
            "effect": self.effect,
        });
        if let Some(times) = self.times {
            rule["times"] = times.into();
        }
        rule
    }
}

/// Writes the configuration file.
pub(super) fn write(
    folder: &Path,
    at: &Addresses,
    bootstrap: &str,
    store: &str,
) -> anyhow::Result<PathBuf> {
    let receipts = folder.join("receipts.jsonl");
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
operator_token = "{OPERATOR_TOKEN}"

[gateway.shopify]
secret = "trial"

[worker]
state_dir = {:?}

[sandbox]
listen = "127.0.0.1:{}"
receipts = "{}"
"#,
        at.gateway,
        folder.join("state").display().to_string(),
        at.sandbox,
        receipts.display(),
    );
    for class in CLASSES {
        let (name, keys, token) = (class.name(), class.sandbox_keys(), token(class));
        text.push_str(&format!(
            "\n[sandbox.suppliers.{name}]\ntoken = \"{token}\"\n{keys}\n"
        ));
    }
    let path = folder.join("argosy.toml");
    std::fs::write(&path, text)?;
    Ok(path)
}
