//! `[orders]`: which supplier gets which SKU, and how each is called.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    Secret,
    address::Url,
    repeat::Repeat,
    section::{Section, write_millis},
};

const REMEMBERED_MIN: Duration = Duration::from_secs(2 * 3_600);

/// `[orders]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Orders {
    /// `[orders.suppliers.<name>]`.
    pub suppliers: BTreeMap<String, Supplier>,
}

/// `[orders.suppliers.<name>]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Supplier {
    /// SKU patterns that go to it; `*` stands for any characters. Never empty.
    pub skus: Vec<String>,
    /// Where its API begins.
    pub base_url: Url,
    /// Its bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// What it does with a second identical call.
    pub repeat: Repeat,
    /// It can be asked for an order by our own reference.
    pub lookup: bool,
    /// One try takes no longer.
    #[serde(rename = "timeout_ms", serialize_with = "write_millis")]
    pub timeout: Duration,
    /// Calls per second at most; absent for no limit of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// Calls under way at once in one process.
    pub calls_max: u32,
}

pub(crate) fn read(mut section: Section<'_>, needed: bool) -> Orders {
    let sections = section.sections("suppliers");
    if needed && sections.is_empty() {
        let message =
            "has no supplier: write [orders.suppliers.<name>] with skus, base_url and repeat";
        section.fault("suppliers", None, message);
    }
    let suppliers = sections
        .into_iter()
        .filter_map(|(name, section)| Some((name, read_supplier(section)?)))
        .collect();
    section.finish();
    Orders { suppliers }
}

fn read_supplier(mut section: Section<'_>) -> Option<Supplier> {
    section.require(&["skus", "base_url", "repeat"]);
    let skus = section.list("skus");
    if skus.as_ref().is_some_and(Vec::is_empty) {
        section.fault(
            "skus",
            None,
            "is empty: name at least one SKU pattern, e.g. \"ACME-*\"",
        );
    }
    let base_url = section.parsed("base_url", Url::parse);
    let repeat = section.parsed("repeat", trusted_repeat);
    let token = section.secret("token", "token_file");
    let lookup = section.flag("lookup").unwrap_or(true);
    let timeout = section.millis("timeout_ms", 1_000..=50_000, Duration::from_secs(10));
    let rate_per_second = section
        .number("rate_per_second", 1..=100_000)
        .and_then(|rate| u32::try_from(rate).ok());
    let calls_max = section
        .number("calls_max", 1..=10_000)
        .and_then(|calls| u32::try_from(calls).ok())
        .unwrap_or(256);
    section.finish();
    Some(Supplier {
        skus: skus?,
        base_url: base_url?,
        token,
        repeat: repeat?,
        lookup,
        timeout,
        rate_per_second,
        calls_max,
    })
}

/// An hour of a vendor's memory is kept back as margin, so less than two would be no memory at all.
fn trusted_repeat(text: &str) -> Result<Repeat, String> {
    match Repeat::parse(text)? {
        Repeat::Remembered(span) if span < REMEMBERED_MIN => {
            Err("remembered must be at least 2h: an hour is kept back as margin".to_owned())
        }
        repeat => Ok(repeat),
    }
}
