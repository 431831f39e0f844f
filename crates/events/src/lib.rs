//! Events: their types, envelopes, identities, and the catalogue of topics.
//!
//! # Behaviour
//!
//! - A body is protobuf, or JSON by the proto3 mapping (64-bit integers may be strings); both decode to one message
//!   and have one [`Payload::body_hash`].
//! - Fields that a type does not have are ignored in records ([`Payload::decode`]), so that a newer producer's can be
//!   read; in JSON from outside ([`validate_any`]) they are refused, so that a misspelt name is not lost.
//! - What decodes is checked: a [`Payload`] in hand has its key, its currencies and its bounds.
//! - An envelope is read from CloudEvents headers (binary mode, [`Envelope::read`]) or a CloudEvents JSON document
//!   ([`structured`]); every attribute is bounded, and free of control characters.
//! - An emitted event's identity is a function of what caused it and what it says ([`identity`]).
//! - No error and no Debug shows a value that may be personal.
#![warn(missing_docs)]

pub mod catalogue;
pub mod identity;
pub mod json;
pub mod murmur2;
pub mod structured;

mod codec;
mod envelope;
mod generated;
mod payload;
mod payloads;
mod personal;
mod validate;

pub use envelope::{Envelope, EnvelopeError, Header, attribute_header, event_type_of};
pub use generated::{fleet, orders};
pub use payload::{Invalid, Payload, PayloadError};
pub use validate::{Validated, publishable, validate_any};
