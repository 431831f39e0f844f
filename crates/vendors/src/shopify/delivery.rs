//! The headers of a webhook delivery.
//!
//! Invariant: what identifies a delivery is there once, bounded, and plain; names are compared without case.

use jiff::Timestamp;
use thiserror::Error;

const TOPIC: &str = "x-shopify-topic";
const WEBHOOK_ID: &str = "x-shopify-webhook-id";
const SHOP_DOMAIN: &str = "x-shopify-shop-domain";
const API_VERSION: &str = "x-shopify-api-version";
const EVENT_ID: &str = "x-shopify-event-id";
const TRIGGERED_AT: &str = "x-shopify-triggered-at";

/// Longest value, in bytes.
const VALUE_BYTES_MAX: usize = 255;

/// One delivery of one subscription. The same delivery sent again has the same `webhook_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What happened, as in `orders/create`.
    pub topic: String,
    /// Identity of the delivery: what is deduplicated on.
    pub webhook_id: String,
    /// The shop, in lower case.
    pub shop_domain: String,
    /// Version of the payload's shape.
    pub api_version: String,
    /// One merchant's action; shared by deliveries of several topics, so never to be deduplicated on.
    pub event_id: Option<String>,
    /// When it happened.
    pub triggered_at: Option<Timestamp>,
}

/// Why headers are refused. Values are not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// It must be there.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// It must be there once.
    #[error("the header {0} appears more than once")]
    Repeated(&'static str),
    /// It must be visible ASCII, not empty, and short.
    #[error("the header {0} must be 1 to 255 visible ASCII characters")]
    Unreadable(&'static str),
    /// It must be a host name.
    #[error("the header x-shopify-shop-domain must be a host name")]
    ShopDomain,
    /// It must be a time.
    #[error("the header x-shopify-triggered-at must be an RFC 3339 time")]
    TriggeredAt,
}

impl HeaderError {
    /// The header at fault, in lower case.
    pub fn header(&self) -> &'static str {
        match self {
            Self::Missing(name) | Self::Repeated(name) | Self::Unreadable(name) => name,
            Self::ShopDomain => SHOP_DOMAIN,
            Self::TriggeredAt => TRIGGERED_AT,
        }
    }

    /// What is wrong, without the header's name: for whoever tells that beside it.
    pub fn message(&self) -> String {
        let text = self.to_string();
        let named = format!("the header {} ", self.header());
        text.strip_prefix(&named).unwrap_or(&text).to_owned()
    }
}

impl Delivery {
    /// Reads a request's headers: all of them, as (name, value).
    ///
    /// # Errors
    ///
    /// The first header that is missing or not as it should be.
    pub fn read<'a>(
        headers: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
    ) -> Result<Self, HeaderError> {
        let shop_domain = required(headers.clone(), SHOP_DOMAIN)?.to_ascii_lowercase();
        if !is_host_name(&shop_domain) {
            return Err(HeaderError::ShopDomain);
        }
        let triggered_at = optional(headers.clone(), TRIGGERED_AT)?;
        let triggered_at = triggered_at
            .map(str::parse)
            .transpose()
            .map_err(|_| HeaderError::TriggeredAt)?;
        Ok(Self {
            topic: required(headers.clone(), TOPIC)?.to_owned(),
            webhook_id: required(headers.clone(), WEBHOOK_ID)?.to_owned(),
            shop_domain,
            api_version: required(headers.clone(), API_VERSION)?.to_owned(),
            event_id: optional(headers, EVENT_ID)?.map(str::to_owned),
            triggered_at,
        })
    }
}

fn required<'a>(
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    name: &'static str,
) -> Result<&'a str, HeaderError> {
    optional(headers, name)?.ok_or(HeaderError::Missing(name))
}

fn optional<'a>(
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    name: &'static str,
) -> Result<Option<&'a str>, HeaderError> {
    let mut found = headers
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value);
    let Some(value) = found.next() else {
        return Ok(None);
    };
    if found.next().is_some() {
        return Err(HeaderError::Repeated(name));
    }
    let is_plain =
        (1..=VALUE_BYTES_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    let text = std::str::from_utf8(value).ok().filter(|_| is_plain);
    text.map(Some).ok_or(HeaderError::Unreadable(name))
}

fn is_host_name(text: &str) -> bool {
    text.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}
