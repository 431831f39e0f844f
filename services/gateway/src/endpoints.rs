//! One endpoint per file.

pub(crate) mod accept_event;
pub(crate) mod dead_letter;
pub(crate) mod dead_letters;
pub(crate) mod effects;
pub(crate) mod event_status;
pub(crate) mod release_dead_letter;
pub(crate) mod replay_dead_letter;
pub(crate) mod resolve_effect;
pub(crate) mod shopify_webhook;
pub(crate) mod timeline;

mod accepted;
mod plan_step;
