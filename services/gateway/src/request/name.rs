//! Names in addresses: bounded, and free of what a store or a log cannot take.

use std::fmt::Write;

use axum::{
    extract::{FromRequestParts, Path, rejection::PathRejection},
    http::request::Parts,
};

use crate::{Api, problem::Problem};

/// Longest name asked for, as long as the longest source of an event.
const NAME_CHARS_MAX: usize = 1_024;

/// The one name in a path.
pub(crate) struct Name(pub(crate) String);

impl FromRequestParts<Api> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, api).await;
        let Path(text) = path.map_err(|_| Problem::invalid("id", "is not UTF-8 text"))?;
        name("id", text).map(Self)
    }
}

/// Checks a name; `path` is where it stands.
pub(crate) fn name(path: &str, text: String) -> Result<String, Problem> {
    if text.is_empty() {
        return Err(Problem::invalid(path, "is empty"));
    }
    if text.chars().count() > NAME_CHARS_MAX {
        return Err(Problem::invalid(
            path,
            format!("is longer than {NAME_CHARS_MAX} characters"),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::invalid(path, "has control characters"));
    }
    Ok(text)
}

/// A name as it stands in an address.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte.into())
            }
            _ => write!(encoded, "%{byte:02X}").expect("writing to a String does not fail"),
        }
    }
    encoded
}
