//! `[gateway]`: the HTTP edge.

use std::{net::SocketAddr, time::Duration};

use serde::Serialize;

use super::{
    Secret,
    section::{Section, socket_address, write_millis},
};

/// `[gateway]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gateway {
    /// Address and port.
    pub listen: SocketAddr,
    /// The CloudEvents source of events that name none.
    pub source: String,
    /// An intake that is not acknowledged by then answers 503; below the caller's own deadline (Shopify's is 5 s).
    #[serde(rename = "deadline_ms", serialize_with = "write_millis")]
    pub deadline: Duration,
    /// Larger bodies answer 413.
    pub body_bytes_max: usize,
    /// Requests under way beyond this answer 429.
    pub in_flight_max: usize,
    /// Opens the operator's endpoints; absent, they are closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_token: Option<Secret>,
    /// Needed for `POST /v1/events`; without it anybody may post, which production refuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intake_token: Option<Secret>,
    /// Publishes every placed order as approved too: the mapping until a screening worker exists.
    pub approve_placed_orders: bool,
    /// `[gateway.shopify]`.
    pub shopify: Shopify,
}

/// `[gateway.shopify]`: webhook verification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shopify {
    /// The app's secret; absent, webhooks are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// The secret before the last rotation, still accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_previous: Option<Secret>,
}

impl Shopify {
    /// The live secrets, the newest first.
    pub fn secrets(&self) -> Vec<Secret> {
        [&self.secret, &self.secret_previous]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }
}

pub(crate) fn read(mut section: Section<'_>) -> Gateway {
    let gateway = Gateway {
        listen: section
            .parsed("listen", socket_address)
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
        source: section
            .parsed("source", source)
            .unwrap_or_else(|| "argosy://gateway".to_owned()),
        deadline: section.millis("deadline_ms", 100..=60_000, Duration::from_millis(4_500)),
        body_bytes_max: section.size("body_bytes_max", 1_024..=16 << 20, 1 << 20),
        in_flight_max: section.size("in_flight_max", 1..=100_000, 1_024),
        operator_token: section.secret("operator_token", "operator_token_file"),
        intake_token: section.secret("intake_token", "intake_token_file"),
        approve_placed_orders: section.flag("approve_placed_orders").unwrap_or(false),
        shopify: read_shopify(section.section("shopify")),
    };
    section.finish();
    gateway
}

fn read_shopify(mut section: Section<'_>) -> Shopify {
    let shopify = Shopify {
        secret: section.secret("secret", "secret_file"),
        secret_previous: section.secret("secret_previous", "secret_previous_file"),
    };
    if shopify.secret.is_none() && shopify.secret_previous.is_some() {
        section.missing("secret");
    }
    section.finish();
    shopify
}

fn source(text: &str) -> Result<String, String> {
    let fits = text.len() <= 1_024 && !text.contains(|c: char| c.is_control() || c.is_whitespace());
    match fits {
        true => Ok(text.to_owned()),
        false => Err("must be a URI reference of at most 1024 bytes without spaces".to_owned()),
    }
}
