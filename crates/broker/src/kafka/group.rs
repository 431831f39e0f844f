//! How members of a group agree on who reads what: a type per protocol, each with what that protocol takes and no more.
//!
//! Invariant: librdkafka is told nothing that its protocol does not know; it refuses such a setting only when a consumer
//! is created.

use std::time::Duration;

use rdkafka::ClientConfig;

use super::settings::millis;
use crate::port::BrokerError;

const SESSION_TIMEOUT: Duration = Duration::from_secs(20);
const HEARTBEAT_INTERVAL_MAX: Duration = Duration::from_secs(3);
/// The longest name that a broker takes.
const NAME_BYTES_MAX: usize = 249;

/// How members of a group agree on who reads what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The members agree among themselves, by cooperative-sticky.
    Classic {
        /// A member not heard of for so long loses its partitions; the broker bounds it.
        session_timeout: Duration,
        /// Makes the member a static one: under the same name it gets the same partitions back without a rebalance. When
        /// it closes it does not leave, so that nobody has its partitions until it is back or its session expires.
        instance_id: Option<String>,
    },
    /// The broker decides (KIP-848, Apache Kafka 4.0 and later). Session timeout and heartbeat are its settings.
    Consumer {
        /// The broker's assignor, by name; its first one without a name.
        remote_assignor: Option<String>,
    },
}

impl Default for GroupProtocol {
    fn default() -> Self {
        Self::Classic {
            session_timeout: SESSION_TIMEOUT,
            instance_id: None,
        }
    }
}

impl GroupProtocol {
    pub(super) fn check(&self) -> Result<(), BrokerError> {
        let (what, name) = match self {
            Self::Classic { instance_id, .. } => ("instance id", instance_id),
            Self::Consumer { remote_assignor } => ("remote assignor", remote_assignor),
        };
        match name {
            Some(name) if !is_name(name) => Err(BrokerError::Misconfigured(format!(
                "{what} {name:?} is no name: use 1 to {NAME_BYTES_MAX} letters, digits, dots, hyphens and underscores"
            ))),
            _ => Ok(()),
        }
    }

    pub(super) fn apply(&self, poll_interval_max: Duration, config: &mut ClientConfig) {
        match self {
            Self::Classic {
                session_timeout,
                instance_id,
            } => {
                let heartbeat = (*session_timeout / 4).min(HEARTBEAT_INTERVAL_MAX);
                config
                    .set("group.protocol", "classic")
                    .set("partition.assignment.strategy", "cooperative-sticky")
                    .set("session.timeout.ms", millis(*session_timeout))
                    .set("heartbeat.interval.ms", millis(heartbeat))
                    .set(
                        "max.poll.interval.ms",
                        millis(poll_interval_max.max(*session_timeout)),
                    );
                if let Some(instance_id) = instance_id {
                    config.set("group.instance.id", instance_id);
                }
            }
            Self::Consumer { remote_assignor } => {
                config
                    .set("group.protocol", "consumer")
                    .set("max.poll.interval.ms", millis(poll_interval_max));
                if let Some(remote_assignor) = remote_assignor {
                    config.set("group.remote.assignor", remote_assignor);
                }
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;

    use super::*;

    fn written(protocol: &GroupProtocol) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("group.id", "g");
        protocol.apply(Duration::from_secs(60), &mut config);
        config
    }

    fn classic(instance_id: Option<&str>) -> GroupProtocol {
        GroupProtocol::Classic {
            session_timeout: Duration::from_secs(8),
            instance_id: instance_id.map(str::to_owned),
        }
    }

    fn consumer(remote_assignor: Option<&str>) -> GroupProtocol {
        GroupProtocol::Consumer {
            remote_assignor: remote_assignor.map(str::to_owned),
        }
    }

    #[test]
    fn each_protocol_is_told_what_it_takes_and_no_more() {
        let config = written(&classic(Some("orders-0")));
        assert_eq!(config.get("session.timeout.ms"), Some("8000"));
        assert_eq!(config.get("heartbeat.interval.ms"), Some("2000"));
        assert_eq!(config.get("group.instance.id"), Some("orders-0"));
        let config = written(&consumer(Some("range")));
        assert_eq!(config.get("group.remote.assignor"), Some("range"));
        for key in [
            "session.timeout.ms",
            "heartbeat.interval.ms",
            "partition.assignment.strategy",
            "group.instance.id",
        ] {
            assert_eq!(config.get(key), None, "{key}");
        }
    }

    #[test]
    fn a_consumer_can_be_created_with_each_of_them() {
        for protocol in [
            GroupProtocol::default(),
            classic(Some("a.b_c-9")),
            consumer(None),
            consumer(Some("uniform")),
        ] {
            protocol.check().unwrap();
            let created: Result<BaseConsumer, _> = written(&protocol).create();
            created.unwrap();
        }
    }

    #[test]
    fn a_bad_name_is_refused_and_said_which_one() {
        for bad in ["", ".", "..", "a b", "ä", "a/b", "a\0", &"x".repeat(250)] {
            for (protocol, what) in [
                (classic(Some(bad)), "instance id"),
                (consumer(Some(bad)), "remote assignor"),
            ] {
                let Err(BrokerError::Misconfigured(why)) = protocol.check() else {
                    panic!("{bad:?} is taken as {what}");
                };
                assert!(why.starts_with(what), "{why}");
            }
        }
        classic(Some(&"x".repeat(249))).check().unwrap();
    }
}
