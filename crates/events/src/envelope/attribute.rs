//! One attribute of an envelope: its name, its bound, and the check that every text passes.

use std::sync::Arc;

use super::EnvelopeError;

/// An attribute and its longest text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute {
    /// As errors name it.
    pub(crate) name: &'static str,
    /// Longest text.
    pub(crate) chars_max: usize,
}

impl Attribute {
    /// Checks a value that is there.
    pub(crate) fn parse(self, bytes: &[u8]) -> Result<Arc<str>, EnvelopeError> {
        let Self { name, chars_max } = self;
        // Four bytes are the longest character: what is longer is not even looked at.
        if bytes.len() > chars_max * 4 {
            return Err(EnvelopeError::TooLong { name, chars_max });
        }
        let text = str::from_utf8(bytes).map_err(|_| EnvelopeError::NotText(name))?;
        if text.is_empty() {
            return Err(EnvelopeError::Empty(name));
        }
        if text.chars().count() > chars_max {
            return Err(EnvelopeError::TooLong { name, chars_max });
        }
        if text.chars().any(char::is_control) {
            return Err(EnvelopeError::ControlCharacters(name));
        }
        Ok(text.into())
    }
}

/// The record header of a CloudEvents attribute (`id`, `correlationid`, `datacontenttype`, …); `None` for those that are
/// not ours.
pub fn attribute_header(name: &str) -> Option<&'static str> {
    use super::read;
    Some(match name {
        "specversion" => read::SPEC_VERSION,
        "id" => read::ID,
        "source" => read::SOURCE,
        "type" => read::TYPE,
        "time" => read::TIME,
        "subject" => read::SUBJECT,
        "correlationid" => read::CORRELATION,
        "causationid" => read::CAUSATION,
        "traceparent" => read::TRACE_PARENT,
        "tracestate" => read::TRACE_STATE,
        "datacontenttype" => read::CONTENT_TYPE,
        _ => return None,
    })
}
