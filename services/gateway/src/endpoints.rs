//! One endpoint per file.

pub(crate) mod accept_event;
pub(crate) mod effects;
pub(crate) mod event_status;
pub(crate) mod resolve_effect;
pub(crate) mod shopify_webhook;
pub(crate) mod timeline;

mod accepted;
