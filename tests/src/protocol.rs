//! The group protocols by which a suite can let members join, and what a broker is told so that both are as quick.

use std::time::Duration;

/// A group protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// The members agree among themselves.
    Classic,
    /// The broker decides (KIP-848).
    Consumer,
}

impl Protocol {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Classic, Self::Consumer];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
        }
    }
}

/// Broker settings: with the consumer protocol, heartbeat and session timeout are not the member's.
pub fn broker_settings(session_timeout: Duration) -> [(&'static str, String); 3] {
    let millis = |span: Duration| span.as_millis().to_string();
    [
        ("group.consumer.min.heartbeat.interval.ms", "100".to_owned()),
        (
            "group.consumer.heartbeat.interval.ms",
            millis(session_timeout / 6),
        ),
        ("group.consumer.session.timeout.ms", millis(session_timeout)),
    ]
}
