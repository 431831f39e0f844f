//! From bytes to messages and back. Errors name the place in the message and never show its content.

use bytes::Bytes;
use prost::Message;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::PayloadError;

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
            _ => Err(PayloadError::Undecodable(
                "content type is not known: use application/protobuf or application/json"
                    .to_owned(),
            )),
        }
    }
}

pub(crate) fn decode<M: Message + Default + DeserializeOwned>(
    content_type: Option<&str>,
    bytes: &[u8],
) -> Result<M, PayloadError> {
    match Encoding::of(content_type)? {
        Encoding::Protobuf => {
            M::decode(bytes).map_err(|error| PayloadError::Undecodable(error.to_string()))
        }
        Encoding::Json => decode_json(bytes),
    }
}

pub(crate) fn encode<M: Message>(message: &M) -> Bytes {
    Bytes::from(message.encode_to_vec())
}

pub(crate) fn hash<M: Message>(message: &M) -> [u8; 32] {
    Sha256::digest(message.encode_to_vec()).into()
}

/// Serde's own messages repeat what they found, which may be personal: only the place and the kind are kept.
fn decode_json<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, PayloadError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let message = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| undecodable(&error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| undecodable(".", &error))?;
    Ok(message)
}

fn undecodable(path: &str, error: &serde_json::Error) -> PayloadError {
    PayloadError::Undecodable(without_values(path, error))
}

/// What is wrong and where, without what was found.
pub(crate) fn without_values(path: &str, error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "ends too early",
        serde_json::error::Category::Data => {
            "is repeated, or has another type or range than it should"
        }
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "is not JSON",
    };
    let path: String = path
        .chars()
        .filter(|char| !char.is_control())
        .take(PATH_CHARS_MAX)
        .collect();
    let place = if path == "." {
        "the document".to_owned()
    } else {
        path
    };
    format!(
        "{place} {what} (line {}, column {})",
        error.line(),
        error.column()
    )
}
