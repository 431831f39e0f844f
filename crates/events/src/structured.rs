//! CloudEvents JSON documents (structured mode): turned into headers and body, as binary mode has them.
//!
//! Invariant: what comes out is as untrusted as what went in; [`crate::Envelope::read`] judges the attributes.

use std::{collections::HashSet, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    EnvelopeError, Header,
    envelope::{CONTENT_TYPE_HEADER, attribute_header},
    json,
};

/// The media type of a document.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The members of a document that hold its data.
const DATA: &str = "data";
const DATA_BASE64: &str = "data_base64";

/// Does this content type announce a document?
pub fn is_structured(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case(CONTENT_TYPE)
}

/// Do these headers announce a document as the record's value?
pub fn is_structured_record(headers: &[Header]) -> bool {
    headers
        .iter()
        .find(|(name, _)| name == CONTENT_TYPE_HEADER)
        .and_then(|(_, value)| str::from_utf8(value).ok())
        .is_some_and(is_structured)
}

/// Opens a document: its attributes as headers of binary mode, and its data. Extensions that are not ours are dropped.
///
/// # Errors
///
/// `Document` if it is no JSON object or has no data; else the attribute that is no text or stands twice.
pub fn open(document: &[u8]) -> Result<(Vec<Header>, Bytes), EnvelopeError> {
    let document: Document =
        json::read(document, "").map_err(|error| EnvelopeError::Document(error.message))?;
    let Document {
        attributes,
        data,
        data_base64,
        repeated,
    } = document;
    if let Some(name) = repeated {
        return Err(name.map_or_else(
            || EnvelopeError::Document("has a name twice".to_owned()),
            EnvelopeError::Repeated,
        ));
    }
    let mut headers = Vec::with_capacity(attributes.len() + 1);
    for (name, value) in attributes {
        headers.extend(text(name, &value)?.map(|text| (name.to_owned(), Bytes::from(text))));
    }
    let body = match (data, data_base64) {
        (Some(_), Some(_)) => {
            return Err(EnvelopeError::Document(
                "has both data and data_base64".to_owned(),
            ));
        }
        (Some(json), None) => Bytes::from(json.get().to_owned()),
        (None, Some(json)) => text(DATA_BASE64, &json)?
            .and_then(|text| STANDARD.decode(text).ok())
            .map(Bytes::from)
            .ok_or(EnvelopeError::Malformed {
                name: DATA_BASE64,
                wanted: "base64",
            })?,
        (None, None) => return Err(EnvelopeError::Document("has no data".to_owned())),
    };
    if !headers.iter().any(|(name, _)| name == CONTENT_TYPE_HEADER) {
        headers.push((
            CONTENT_TYPE_HEADER.to_owned(),
            Bytes::from_static(b"application/json"),
        ));
    }
    Ok((headers, body))
}

/// The text of an attribute; `null` is as if it were not there.
fn text(name: &'static str, value: &RawValue) -> Result<Option<String>, EnvelopeError> {
    serde_json::from_str(value.get()).map_err(|_| EnvelopeError::Malformed {
        name,
        wanted: "a text",
    })
}

/// A document, as it was read.
struct Document {
    attributes: Vec<(&'static str, Box<RawValue>)>,
    data: Option<Box<RawValue>>,
    data_base64: Option<Box<RawValue>>,
    /// The first name that stands twice: one of ours, or somebody's.
    repeated: Option<Option<&'static str>>,
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvents object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut document = Document {
            attributes: Vec::new(),
            data: None,
            data_base64: None,
            repeated: None,
        };
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let known = match name.as_str() {
                DATA => {
                    document.data = Some(map.next_value()?);
                    Some(DATA)
                }
                DATA_BASE64 => {
                    document.data_base64 = Some(map.next_value()?);
                    Some(DATA_BASE64)
                }
                other => {
                    let attribute = attribute_header(other);
                    match attribute {
                        Some(header) => document.attributes.push((header, map.next_value()?)),
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                    attribute
                }
            };
            if !seen.insert(name) {
                document.repeated.get_or_insert(known);
            }
        }
        Ok(document)
    }
}
