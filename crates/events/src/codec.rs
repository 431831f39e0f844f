//! From bytes to messages and back. Errors name the place in the message and never show its content.

use bytes::Bytes;
use prost::Message;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::{Invalid, Payload, PayloadError, json};

/// The path of the whole body.
const DOCUMENT: &str = "data";

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// Media types are compared without case and parameters.
    pub(crate) fn of(content_type: Option<&str>) -> Result<Self, PayloadError> {
        let Some(content_type) = content_type else {
            return Ok(Self::Protobuf);
        };
        let media_type = content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match media_type.as_str() {
            "application/protobuf" | "application/x-protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            _ => Err(not_decoded(
                "has an unknown content type: use application/protobuf or application/json",
            )),
        }
    }
}

/// What becomes of a JSON body's fields that its type does not have. In protobuf they are always ignored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UnknownFields {
    Ignored,
    Refused,
}

/// Decodes and checks.
pub(crate) fn decode<M: Payload + Message + Default + DeserializeOwned>(
    content_type: Option<&str>,
    bytes: &[u8],
    unknown: UnknownFields,
) -> Result<M, PayloadError> {
    let encoding = Encoding::of(content_type)?;
    let body = match (encoding, unknown) {
        (Encoding::Protobuf, _) => {
            <M as Message>::decode(bytes).map_err(|error| PayloadError::Undecodable {
                path: field_of(&error),
                message: "is not the protobuf of its type, or is cut off".to_owned(),
            })
        }
        (Encoding::Json, UnknownFields::Ignored) => {
            json::read(bytes, DOCUMENT).map_err(undecodable)
        }
        (Encoding::Json, UnknownFields::Refused) => {
            json::read_strict(bytes, DOCUMENT).map_err(undecodable)
        }
    }?;
    M::check(&body).map_err(|invalid| as_sent(encoding, invalid))?;
    Ok(body)
}

fn undecodable(Invalid { path, message }: Invalid) -> PayloadError {
    PayloadError::Undecodable { path, message }
}

fn not_decoded(message: impl Into<String>) -> PayloadError {
    PayloadError::Undecodable {
        path: DOCUMENT.to_owned(),
        message: message.into(),
    }
}

pub(crate) fn encode<M: Message>(message: &M) -> Bytes {
    Bytes::from(message.encode_to_vec())
}

pub(crate) fn hash<M: Message>(message: &M) -> [u8; 32] {
    Sha256::digest(message.encode_to_vec()).into()
}

/// The path of a field of a message, as a sender in this encoding writes it.
fn as_sent(encoding: Encoding, invalid: Invalid) -> Invalid {
    match encoding {
        Encoding::Json => Invalid {
            path: camel_case(&invalid.path),
            ..invalid
        },
        Encoding::Protobuf => invalid,
    }
}

/// As proto3 JSON makes names: `unit_price` is `unitPrice`.
fn camel_case(path: &str) -> String {
    let mut named = String::with_capacity(path.len());
    let mut is_after_underscore = false;
    for char in path.chars() {
        match char {
            '_' => is_after_underscore = true,
            _ if is_after_underscore => {
                named.push(char.to_ascii_uppercase());
                is_after_underscore = false;
            }
            _ => named.push(char),
        }
    }
    named
}

/// The decoder tells the fields that it was in, as `Message.field: `, before its own words.
fn field_of(error: &prost::DecodeError) -> String {
    let text = error.to_string();
    let mut fields: Vec<&str> = text
        .split(": ")
        .filter_map(|part| part.split_once('.'))
        .filter(|(message, field)| is_name(message) && is_name(field))
        .map(|(_, field)| field)
        .collect();
    // The innermost is told first.
    fields.reverse();
    match fields.is_empty() {
        true => DOCUMENT.to_owned(),
        false => fields.join("."),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
