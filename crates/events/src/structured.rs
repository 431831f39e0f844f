//! CloudEvents JSON documents (structured mode): turned into headers and body, as binary mode has them.
//!
//! Invariant: what comes out is as untrusted as what went in; [`crate::Envelope::read`] judges the attributes.

use std::{collections::HashSet, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    EnvelopeError, Header, codec,
    envelope::{CONTENT_TYPE_HEADER, attribute_header},
};

/// The media type of a document.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

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
/// `Document` if it is no JSON object, an attribute is no string or stands twice, or data is there twice.
pub fn open(document: &[u8]) -> Result<(Vec<Header>, Bytes), EnvelopeError> {
    let document: Document = serde_json::from_slice(document)
        .map_err(|error| EnvelopeError::Document(codec::without_values(&error)))?;
    let Document {
        mut headers,
        data,
        data_base64,
    } = document;
    let body = match (data, data_base64) {
        (Some(_), Some(_)) => {
            return Err(EnvelopeError::Document(
                "has both data and data_base64".to_owned(),
            ));
        }
        (Some(json), None) => Bytes::from(json.get().to_owned()),
        (None, Some(text)) => STANDARD
            .decode(text)
            .map(Bytes::from)
            .map_err(|_| EnvelopeError::Document("data_base64 is not base64".to_owned()))?,
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

/// A document, as it was read.
struct Document {
    headers: Vec<Header>,
    data: Option<Box<RawValue>>,
    data_base64: Option<String>,
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
            headers: Vec::new(),
            data: None,
            data_base64: None,
        };
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "data" => document.data = Some(map.next_value()?),
                "data_base64" => document.data_base64 = Some(map.next_value()?),
                other => match attribute_header(other) {
                    Some(header) => {
                        let value: Option<String> = map.next_value()?;
                        document
                            .headers
                            .extend(value.map(|value| (header.to_owned(), Bytes::from(value))));
                    }
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                },
            }
            if !seen.insert(name) {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(document)
    }
}
