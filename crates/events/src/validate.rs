//! Takes in an event of any business type, as the gateway does.

use bytes::Bytes;
use prost::Message;
use serde::de::DeserializeOwned;

use crate::{
    Payload, PayloadError, catalogue,
    codec::{self, UnknownFields},
    orders::v1::{OrderApproved, OrderPlaced, OrderRefused, OrderRouted},
};

/// Room for key and headers beside the body in a record.
const HEADER_BYTES: usize = 16 * 1_024;

/// A body that was decoded and checked.
#[derive(Clone)]
pub struct Validated {
    /// Where it belongs.
    pub topic: &'static str,
    /// Its key; empty if it has none.
    pub key: String,
    /// Its protobuf encoding.
    pub body: Bytes,
}

impl std::fmt::Debug for Validated {
    /// Bodies hold personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Validated({}, {} bytes)", self.topic, self.body.len())
    }
}

type Validate = fn(Option<&str>, &[u8]) -> Result<Validated, PayloadError>;

/// The types that may come from outside; the fleet's own may not.
const TYPES: &[(&str, Validate)] = &[
    (OrderPlaced::TYPE, validate::<OrderPlaced>),
    (OrderApproved::TYPE, validate::<OrderApproved>),
    (OrderRouted::TYPE, validate::<OrderRouted>),
    (OrderRefused::TYPE, validate::<OrderRefused>),
];

/// Decodes and checks a body by the name of its type. A JSON body may have no field that its type has not: a name that
/// is misspelt would be lost without a word, as the body is written anew. Protobuf has no names, and such fields of it
/// are left out.
///
/// # Errors
///
/// As [`Payload::decode`]; `Undecodable` at a field that is unknown; `UnknownType` for a type that is not in the
/// catalogue; `TooLarge` for a body that its topic cannot take.
pub fn validate_any(
    event_type: &str,
    content_type: Option<&str>,
    bytes: &[u8],
) -> Result<Validated, PayloadError> {
    let Some((_, validate)) = TYPES.iter().find(|(known, _)| *known == event_type) else {
        let known: Vec<&str> = TYPES.iter().map(|(known, _)| *known).collect();
        return Err(PayloadError::UnknownType {
            known: known.join(", "),
        });
    };
    validate(content_type, bytes)
}

fn validate<P: Payload + Message + Default + DeserializeOwned>(
    content_type: Option<&str>,
    bytes: &[u8],
) -> Result<Validated, PayloadError> {
    let body: P = codec::decode(content_type, bytes, UnknownFields::Refused)?;
    publishable(&body)
}

/// The record of a body that was checked.
///
/// # Errors
///
/// `TooLarge` for a body that its topic cannot take.
pub fn publishable<P: Payload>(body: &P) -> Result<Validated, PayloadError> {
    let encoded = body.encode();
    let bytes_max = catalogue::topic(P::TOPIC).map_or(0, |topic| {
        topic.message_bytes_max.saturating_sub(HEADER_BYTES)
    });
    if encoded.len() > bytes_max {
        return Err(PayloadError::TooLarge { bytes_max });
    }
    Ok(Validated {
        topic: P::TOPIC,
        key: body.key(),
        body: encoded,
    })
}
