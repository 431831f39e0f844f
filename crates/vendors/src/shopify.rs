//! Shopify: webhooks in, as far as they are used. What is sent there comes with the workers that send it.
//!
//! A delivery is taken in three steps, in this order: [`WebhookSecrets::verify`] over the raw body, then
//! [`Delivery::read`] of its headers, then [`Order::parse`] of its body; [`order_placed`] makes the event of it.

mod delivery;
mod order;
mod order_event;
mod signature;

pub use delivery::{Delivery, HeaderError};
pub use order::{Address, Customer, Line, Order, PayloadError};
pub use order_event::order_placed;
pub use signature::{SIGNATURE_HEADER, SecretError, SignatureError, WebhookSecrets};
