//! How a worker joins its consumer group, of `[worker]`: a type per group protocol, each with the keys that it has.
//!
//! Invariant: a key that its protocol does not have is a fault, because it would silently do nothing.

use std::time::Duration;

use serde::Serialize;

use super::section::{Section, write_millis};

/// The longest name that a broker takes.
const NAME_BYTES_MAX: usize = 249;

/// How a worker joins its consumer group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "group_protocol", rename_all = "snake_case")]
pub enum Membership {
    /// The members agree among themselves.
    Classic {
        /// An instance not heard of for so long loses its partitions.
        #[serde(rename = "session_timeout_ms", serialize_with = "write_millis")]
        session_timeout: Duration,
        /// Set, the instance is a static member by this name.
        #[serde(skip_serializing_if = "Option::is_none")]
        instance_id: Option<String>,
    },
    /// The broker decides (KIP-848), and has its own session timeout.
    Consumer {
        /// The broker's assignor by name; its first one without a name.
        #[serde(skip_serializing_if = "Option::is_none")]
        remote_assignor: Option<String>,
    },
}

#[derive(Clone, Copy)]
enum Protocol {
    Classic,
    Consumer,
}

const PROTOCOLS: [(&str, Protocol); 2] = [
    ("classic", Protocol::Classic),
    ("consumer", Protocol::Consumer),
];

pub(crate) fn read(section: &mut Section<'_>) -> Membership {
    let is_written = section.is_key_written("group_protocol");
    let protocol = section.choice("group_protocol", &PROTOCOLS);
    if let Some(Protocol::Consumer) = protocol {
        let message = "does nothing with worker.group_protocol = \"consumer\", where the broker's \
            group.consumer.session.timeout.ms counts: remove it, or set worker.group_protocol = \"classic\"";
        section.refuse("session_timeout_ms", message);
        let message = "cannot be set beside worker.group_protocol = \"consumer\": static membership needs the \
            classic protocol; remove worker.instance_id, or set worker.group_protocol = \"classic\"";
        section.refuse("instance_id", message);
        return Membership::Consumer {
            remote_assignor: section.parsed("remote_assignor", name),
        };
    }
    if is_written && protocol.is_none() {
        // Which keys belong to it cannot be said.
        section.text("remote_assignor");
    } else {
        let message = "does nothing with the classic protocol: remove it, or set worker.group_protocol = \"consumer\"";
        section.refuse("remote_assignor", message);
    }
    Membership::Classic {
        session_timeout: section.millis(
            "session_timeout_ms",
            6_000..=300_000,
            Duration::from_secs(20),
        ),
        instance_id: section.parsed("instance_id", name),
    }
}

/// A name that a broker takes.
fn name(text: &str) -> Result<String, String> {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.len() <= NAME_BYTES_MAX && ![".", ".."].contains(&text) && text.bytes().all(is_known) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "must be 1 to {NAME_BYTES_MAX} letters, digits, `.`, `_` and `-`"
    ))
}
