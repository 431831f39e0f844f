//! What an event's body can do: name itself, be decoded and checked, be encoded.

use std::fmt::Debug;

use bytes::Bytes;

/// An event body, with its topic and key.
pub trait Payload: Clone + Debug + Send + Sync + 'static {
    /// The full protobuf name.
    const TYPE: &'static str;

    /// The topic it lives on.
    const TOPIC: &'static str;

    /// The aggregate's id; empty if it has none.
    fn key(&self) -> String;

    /// Bounds and presence, which the encoding does not keep.
    ///
    /// # Errors
    ///
    /// The first field that is not as it should be.
    fn check(&self) -> Result<(), Invalid>;

    /// Decodes and checks a record's value. Without content type the bytes are protobuf. Fields that the type does not
    /// have are ignored: a newer producer may have written them.
    ///
    /// # Errors
    ///
    /// `Undecodable` if the bytes are no such message, or the content type is not known; `Invalid` if the check fails.
    fn decode(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, PayloadError>;

    /// The protobuf encoding: the same bytes for the same message, always.
    fn encode(&self) -> Bytes;

    /// SHA-256 of [`Payload::encode`]: the same for a JSON and a protobuf copy.
    fn body_hash(&self) -> [u8; 32];
}

/// A field that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} {message}")]
pub struct Invalid {
    /// The field, as in `lines[2].unit_price.currency`.
    pub path: String,
    /// What is wrong with it, without its value.
    pub message: String,
}

/// Why bytes are not a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// They are no such message.
    #[error("body cannot be decoded: {path} {message}")]
    Undecodable {
        /// Where reading ended, as in `lines[2].quantity`; `data` if that is not known.
        path: String,
        /// What is wrong there, without what was found.
        message: String,
    },
    /// Nobody knows what they should be.
    #[error("type is not known: use one of {known}")]
    UnknownType {
        /// The types that may come from outside.
        known: String,
    },
    /// They are, but no record of their topic can hold them.
    #[error("body is longer than {bytes_max} bytes, the most that its topic takes")]
    TooLarge {
        /// The limit, in the encoding that is written.
        bytes_max: usize,
    },
    /// They are, but a field is not as it should be.
    #[error("body is invalid: {path} {message}")]
    Invalid {
        /// The field, as in `lines[2].unit_price.currency`.
        path: String,
        /// What is wrong with it, without its value.
        message: String,
    },
}

impl From<Invalid> for PayloadError {
    fn from(Invalid { path, message }: Invalid) -> Self {
        Self::Invalid { path, message }
    }
}
