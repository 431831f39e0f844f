//! Typed clients of vendors: they make [`argosy_outbound::Call`] values and send nothing themselves.
//!
//! # Behaviour
//!
//! - A client's method says what to send, what a repeat would do, how to read and classify the answer, and how to find
//!   out later whether it happened. The stack does the rest.
//! - What a vendor says is parsed at the edge into types that cannot be wrong: an answer that is not what the contract
//!   says is ambiguous, never guessed at; a webhook that is not is refused with the field's path.
//! - Ids are whole numbers of 64 bits or text, never floating point; money is minor units of its currency.
//! - No error and no Debug shows a person's data, a payload or a secret.
#![warn(missing_docs)]

pub mod money;
pub mod shopify;
pub mod supplier;
