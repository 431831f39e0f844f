//! From bytes to messages and back. Errors name the place in the message and never show its content.

use bytes::Bytes;
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use sha2::{Digest, Sha256};

use crate::PayloadError;

/// The path of the whole body.
const DOCUMENT: &str = "data";

/// Longest path shown in an error.
const PATH_CHARS_MAX: usize = 200;

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

pub(crate) fn decode<M: Message + Default + DeserializeOwned>(
    content_type: Option<&str>,
    bytes: &[u8],
) -> Result<M, PayloadError> {
    match Encoding::of(content_type)? {
        Encoding::Protobuf => M::decode(bytes).map_err(|error| not_decoded(error.to_string())),
        Encoding::Json => decode_json(bytes),
    }
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

fn decode_json<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, PayloadError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let message = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| undecodable(&error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| undecodable(".", &error))?;
    Ok(message)
}

fn undecodable(path: &str, error: &serde_json::Error) -> PayloadError {
    // A field whose name was not read to its end is told as `?`.
    let known = path.trim_end_matches('?').trim_end_matches('.');
    let shown: String = known
        .chars()
        .filter(|char| !char.is_control())
        .take(PATH_CHARS_MAX)
        .collect();
    let path = match shown.is_empty() {
        true => DOCUMENT.to_owned(),
        false => shown,
    };
    PayloadError::Undecodable {
        path,
        message: without_values(error),
    }
}

/// What is wrong and where, without what was found: serde's own messages repeat it, and it may be personal.
pub(crate) fn without_values(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Eof => "ends too early",
        Category::Data => "is repeated, or has another type or range than it should",
        Category::Syntax | Category::Io => "is not JSON",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}
