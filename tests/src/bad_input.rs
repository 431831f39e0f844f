//! Records that nobody can handle, on a real broker: each is dead with its cause, byte-identical, and nothing is lost.
//!
//! Records are written and dead letters read by kcat, so that our own code is on neither side of the comparison.

mod kcat;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use self::kcat::{Raw, Written};
use crate::{
    protocol::Protocol,
    storm::arena::{Arena, ArenaSettings},
    suite::{Verdict, progress},
};

/// What came of it.
#[derive(Debug)]
pub struct BadInputReport {
    /// Each is a sentence.
    pub violations: Vec<String>,
    cases: Vec<(&'static str, String)>,
}

impl Verdict for BadInputReport {
    fn to_json(&self) -> Value {
        let cases: BTreeMap<_, _> = self
            .cases
            .iter()
            .map(|(name, cause)| (*name, cause.clone()))
            .collect();
        json!({
            "verdict": if self.violations.is_empty() { "holds" } else { "violated" },
            "violations": self.violations,
            "cases": cases,
        })
    }

    fn exit_code(&self) -> u8 {
        u8::from(!self.violations.is_empty())
    }
}

/// A record, and the cause of which it must die.
struct Case {
    name: &'static str,
    record: Raw,
    cause: &'static str,
}

const ORDERS: &str = "argosy.order-events.v1";
const DEAD_LETTERS: &str = "argosy.dead-letters.v1";
const APPROVED: (&str, &[u8]) = ("ce_type", b"argosy.orders.v1.OrderApproved");
/// Bytes of a value that fits into the orders topic with its key, headers and batch.
const LARGEST: usize = 1_048_000;
const SETTLE_WITHIN: Duration = Duration::from_secs(60);

/// What a dead letter must say beside its record.
const HEADERS: [&str; 14] = [
    "__dlq.errors.topic",
    "__dlq.errors.partition",
    "__dlq.errors.offset",
    "__dlq.errors.group",
    "__dlq.errors.delivery.count",
    "__dlq.errors.message",
    "argosy.dlq.worker",
    "argosy.dlq.cause",
    "argosy.dlq.fingerprint",
    "argosy.dlq.attempts",
    "argosy.dlq.first-failure-ms",
    "argosy.dlq.last-failure-ms",
    "argosy.dlq.build",
    "argosy.dlq.epoch",
];

fn raw(key: &str, value: Option<Vec<u8>>, headers: &[(&str, &[u8])]) -> Raw {
    Raw {
        key: key.as_bytes().to_vec(),
        value,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_string(), value.to_vec()))
            .collect(),
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    let json = ("content-type", b"application/json".as_slice());
    let order = |text: &str| Some(text.as_bytes().to_vec());
    let garbage: Vec<u8> = (0..=255u8).cycle().take(4_096).collect();
    let huge: Vec<u8> = (0..=255u8).cycle().skip(7).take(LARGEST).collect();
    let case = |name, record, cause| Case {
        name,
        record,
        cause,
    };
    vec![
        case(
            "bytes that are no protobuf",
            raw("b1", Some(garbage), &[("ce_id", b"b1"), APPROVED]),
            "undecodable",
        ),
        case(
            "as many of them as the topic takes",
            raw("b2", Some(huge), &[("ce_id", b"b2"), APPROVED]),
            "undecodable",
        ),
        case(
            "headers of an earlier death",
            raw(
                "b12",
                order("{}"),
                &[
                    ("ce_id", b"b12"),
                    ("argosy.dlq.cause", b"forged"),
                    ("__dlq.errors.topic", b"forged"),
                ],
            ),
            "undecodable",
        ),
        case(
            "truncated JSON",
            raw(
                "b3",
                order(r#"{"orderId": "b3""#),
                &[("ce_id", b"b3"), APPROVED, json],
            ),
            "undecodable",
        ),
        case(
            "wrong types",
            raw(
                "b4",
                order(r#"{"orderId": 4, "lines": {}}"#),
                &[("ce_id", b"b4"), APPROVED, json],
            ),
            "undecodable",
        ),
        case(
            "an unknown content type",
            raw(
                "b5",
                order("<order/>"),
                &[("ce_id", b"b5"), APPROVED, ("content-type", b"text/xml")],
            ),
            "undecodable",
        ),
        case(
            "no type",
            raw("b6", order("{}"), &[("ce_id", b"b6"), json]),
            "undecodable",
        ),
        case(
            "an id that is not UTF-8",
            raw("b7", order("{}"), &[("ce_id", b"\xff\xfe"), APPROVED, json]),
            "undecodable",
        ),
        case(
            "an id that is too long",
            raw(
                "b8",
                order("{}"),
                &[("ce_id", &[b'x'; 5_000]), APPROVED, json],
            ),
            "undecodable",
        ),
        case(
            "a tombstone",
            raw("b9", None, &[("ce_id", b"b9"), APPROVED]),
            "invalid",
        ),
        case(
            "an order without lines",
            raw(
                "b10",
                order(r#"{"orderId": "b10", "currency": "EUR"}"#),
                &[("ce_id", b"b10"), APPROVED, json],
            ),
            "invalid",
        ),
        case(
            "an order without id",
            raw(
                "b11",
                order(r#"{"currency": "EUR"}"#),
                &[("ce_id", b"b11"), APPROVED, json],
            ),
            "invalid",
        ),
    ]
}

/// Writes all cases, waits for as many dead letters, and compares.
///
/// # Errors
///
/// If the fleet or kcat cannot be run.
pub async fn run(folder: PathBuf) -> anyhow::Result<BadInputReport> {
    let mut arena = Arena::start(ArenaSettings {
        folder,
        workers: 1,
        protocol: Protocol::Classic,
        latency_ms: (0, 0),
    })
    .await?;
    arena.start_workers()?;
    let bootstrap = arena.bootstrap();
    let cases = cases();
    for case in &cases {
        progress(&format!("bad-input: {}", case.name));
        kcat::write(&bootstrap, ORDERS, &case.record)?;
    }
    let deadline = Instant::now() + SETTLE_WITHIN;
    let letters = loop {
        let letters = kcat::read(&bootstrap, DEAD_LETTERS)?;
        if letters.len() >= cases.len() || Instant::now() > deadline {
            break letters;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let mut report = BadInputReport {
        violations: Vec::new(),
        cases: Vec::new(),
    };
    for case in &cases {
        compare(case, &letters, &mut report);
    }
    if letters.len() != cases.len() {
        report.violations.push(format!(
            "{} records, {} dead letters",
            cases.len(),
            letters.len()
        ));
    }
    while arena.lag()? != 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    if arena.lag()? != 0 {
        report
            .violations
            .push(format!("group orders has a lag of {}", arena.lag()?));
    }
    arena.stop(!report.violations.is_empty());
    Ok(report)
}

fn compare(case: &Case, letters: &[Written], report: &mut BadInputReport) {
    let Some(letter) = letters.iter().find(|letter| letter.key == case.record.key) else {
        report
            .violations
            .push(format!("{}: no dead letter", case.name));
        return;
    };
    let header = |name: &str| letter.header(name);
    let cause = header("argosy.dlq.cause").unwrap_or("none");
    report.cases.push((case.name, cause.to_string()));
    let mut wrong = |what: String| report.violations.push(format!("{}: {what}", case.name));
    if cause != case.cause {
        wrong(format!("dead of {cause}, not of {}", case.cause));
    }
    if letter.value != case.record.value {
        wrong("the value is not byte-identical".to_string());
    }
    for name in HEADERS {
        match letter
            .headers
            .iter()
            .filter(|(found, _)| found == name)
            .count()
        {
            1 => {}
            times => wrong(format!("header {name} is there {times} times")),
        }
    }
    for (name, value) in &case.record.headers {
        let is_ours = HEADERS.contains(&name.as_str());
        let kept = if is_ours {
            format!("argosy.earlier.{name}")
        } else {
            name.clone()
        };
        // Printed as text, so that only what is text can be compared.
        if std::str::from_utf8(value).is_ok_and(|value| header(&kept) != Some(value)) {
            wrong(format!("header {name} of the record is not kept"));
        }
    }
    if header("__dlq.errors.topic") != Some(ORDERS) || header("argosy.dlq.worker") != Some("orders")
    {
        wrong("its origin is not told".to_string());
    }
}
