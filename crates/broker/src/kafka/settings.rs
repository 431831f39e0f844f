//! How to reach a cluster, and how that becomes librdkafka's configuration. Secrets never reach Debug or an error.

use std::{fmt, time::Duration};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use super::{errors, group::GroupProtocol};
use crate::port::{BrokerError, ConsumerSettings};

/// Idle longer than this between two polls, a consumer gives its partitions up.
const POLL_INTERVAL_MAX: Duration = Duration::from_secs(60);
/// A partition's queue is filled again below this.
const PREFETCH_RECORDS_MIN: u32 = 5_000;
const PREFETCH_KILOBYTES_MAX: u32 = 4_096;
/// Messages waiting in a producer, and their size together.
const QUEUED_MESSAGES_MAX: u32 = 100_000;
const QUEUED_KILOBYTES_MAX: u32 = 65_536;
/// The client refuses larger messages itself; the topic's own limit is judged by the broker.
const MESSAGE_BYTES_MAX: u32 = 10_000_000;
/// A batch above a topic's `max.message.bytes` is refused whole, small messages and all: topics take at least 128 KiB.
const BATCH_BYTES_MAX: u32 = 100_000;
const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(1);
/// A frozen broker is noticed by this; the joining of a group has a longer limit of its own.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// New topics and partitions are found by then.
const METADATA_AGE_MAX: Duration = Duration::from_secs(10);
/// A client that knows no broker any more is found by then.
const STATISTICS_INTERVAL: Duration = Duration::from_secs(5);

/// How to reach a cluster.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `host:port`, separated by commas.
    pub bootstrap: String,
    /// Encryption and credentials.
    pub security: Security,
    /// How members of a group agree on who reads what.
    pub group: GroupProtocol,
    /// Where a group without a committed position starts.
    pub start_at: StartAt,
    /// A consumer that is not polled for so long leaves its group; with the classic protocol at least the session
    /// timeout.
    pub poll_interval_max: Duration,
    /// Fetching goes on while a partition has fewer records waiting.
    pub prefetch_records_min: u32,
    /// Fetching stops while a partition has so much waiting.
    pub prefetch_kilobytes_max: u32,
}

/// Where a group without a committed position starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// At the oldest record.
    #[default]
    Earliest,
    /// After the newest record.
    Latest,
}

/// Encryption and credentials, by librdkafka's own words.
#[derive(Clone)]
pub struct Security {
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.
    pub protocol: String,
    /// A file of trusted authorities (PEM); the system's own without it.
    pub authorities_file: Option<String>,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: Option<String>,
    /// The user.
    pub username: Option<String>,
    /// The user's secret.
    pub password: Option<String>,
}

impl Default for Security {
    fn default() -> Self {
        Self {
            protocol: "plaintext".into(),
            authorities_file: None,
            mechanism: None,
            username: None,
            password: None,
        }
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security")
            .field("protocol", &self.protocol)
            .field("authorities_file", &self.authorities_file)
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "redacted"))
            .finish()
    }
}

impl KafkaSettings {
    /// A plaintext cluster at these addresses, all else as by default.
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            security: Security::default(),
            group: GroupProtocol::default(),
            start_at: StartAt::default(),
            poll_interval_max: POLL_INTERVAL_MAX,
            prefetch_records_min: PREFETCH_RECORDS_MIN,
            prefetch_kilobytes_max: PREFETCH_KILOBYTES_MAX,
        }
    }

    pub(super) fn check(&self) -> Result<(), BrokerError> {
        for address in self.bootstrap.split(',') {
            check_address(address.trim())?;
        }
        self.security.check()?;
        self.group.check()?;
        self.client("argosy")
            .create_native_config()
            .map(drop)
            .map_err(|error| errors::of_configuration(&error))
    }

    pub(super) fn consumer(&self, settings: &ConsumerSettings) -> ClientConfig {
        let mut config = self.client(&settings.client_id);
        config
            .set("statistics.interval.ms", millis(STATISTICS_INTERVAL))
            .set("group.id", &settings.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", self.start_at.name())
            // The default, a second, stalls every fast reader as soon as a queue is full.
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.min.messages", self.prefetch_records_min.to_string())
            .set(
                "queued.max.messages.kbytes",
                self.prefetch_kilobytes_max.to_string(),
            )
            .set(
                "topic.metadata.refresh.interval.ms",
                millis(METADATA_AGE_MAX),
            );
        self.group.apply(self.poll_interval_max, &mut config);
        config
    }

    pub(super) fn producer(&self, client_id: &str, message_timeout: Duration) -> ClientConfig {
        // Longer than the message's own time, a missing topic would look like a broker that is away.
        let propagation = (message_timeout / 2).min(Duration::from_secs(30));
        let mut config = self.client(client_id);
        config
            .set("statistics.interval.ms", millis(STATISTICS_INTERVAL))
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("linger.ms", "2")
            .set("message.timeout.ms", millis(message_timeout))
            .set("topic.metadata.propagation.max.ms", millis(propagation))
            .set("message.max.bytes", MESSAGE_BYTES_MAX.to_string())
            .set("batch.size", BATCH_BYTES_MAX.to_string())
            .set(
                "queue.buffering.max.messages",
                QUEUED_MESSAGES_MAX.to_string(),
            )
            .set(
                "queue.buffering.max.kbytes",
                QUEUED_KILOBYTES_MAX.to_string(),
            );
        config
    }

    pub(super) fn admin(&self) -> ClientConfig {
        let mut config = self.client("argosy-admin");
        // Nobody reads the main queue of an admin client, so nothing may be written to it.
        config.set_log_level(RDKafkaLogLevel::Emerg);
        config
    }

    fn client(&self, client_id: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", client_id)
            .set("socket.keepalive.enable", "true")
            .set("socket.timeout.ms", millis(REQUEST_TIMEOUT))
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", millis(RECONNECT_WAIT_MAX))
            .set_log_level(RDKafkaLogLevel::Info);
        self.security.apply(&mut config);
        config
    }
}

impl StartAt {
    fn name(self) -> &'static str {
        match self {
            Self::Earliest => "earliest",
            Self::Latest => "latest",
        }
    }
}

impl Security {
    fn check(&self) -> Result<(), BrokerError> {
        let protocol = self.protocol.to_ascii_lowercase();
        if !["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"].contains(&&*protocol) {
            return Err(BrokerError::Misconfigured(format!(
                "security protocol {protocol:?} is unknown: use plaintext, ssl, sasl_plaintext or sasl_ssl"
            )));
        }
        let is_sasl = protocol.starts_with("sasl");
        let scrambled = self
            .mechanism
            .as_ref()
            .is_some_and(|name| name.to_ascii_uppercase().starts_with("SCRAM"));
        if !cfg!(feature = "tls") && (protocol.ends_with("ssl") || (is_sasl && scrambled)) {
            return Err(BrokerError::Misconfigured(format!(
                "{protocol} needs TLS, which this build lacks: build with the cargo feature `tls`"
            )));
        }
        let has_credentials = self.username.is_some() && self.password.is_some();
        if is_sasl && (self.mechanism.is_none() || !has_credentials) {
            return Err(BrokerError::Misconfigured(format!(
                "{protocol} needs mechanism, username and password"
            )));
        }
        Ok(())
    }

    fn apply(&self, config: &mut ClientConfig) {
        config.set("security.protocol", self.protocol.to_ascii_lowercase());
        let optional = [
            ("ssl.ca.location", &self.authorities_file),
            ("sasl.mechanism", &self.mechanism),
            ("sasl.username", &self.username),
            ("sasl.password", &self.password),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                config.set(name, value);
            }
        }
    }
}

fn check_address(address: &str) -> Result<(), BrokerError> {
    let port = address.rsplit_once(':').map(|(host, port)| {
        let is_host = !host.is_empty() && !host.contains(['/', ' ', '@']);
        is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if port == Some(true) {
        return Ok(());
    }
    Err(BrokerError::Misconfigured(format!(
        "bootstrap address {address:?} is not host:port"
    )))
}

pub(super) fn millis(duration: Duration) -> String {
    duration.as_millis().max(1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: &KafkaSettings) -> String {
        match settings.check() {
            Err(BrokerError::Misconfigured(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_good_address_is_taken() {
        KafkaSettings::new("127.0.0.1:9092, [::1]:9093,broker.internal:9094")
            .check()
            .unwrap();
    }

    #[test]
    fn a_bad_address_is_refused_by_name() {
        for bootstrap in [
            "",
            "localhost",
            "localhost:",
            ":9092",
            "a:9092,,b:9092",
            "http://localhost:9092",
            "localhost:0",
            "localhost:99999",
            "a b:9092",
        ] {
            assert!(refused(&KafkaSettings::new(bootstrap)).contains("host:port"));
        }
    }

    #[test]
    fn an_unknown_protocol_is_refused() {
        let mut settings = KafkaSettings::new("a:1");
        settings.security.protocol = "tls".into();
        assert!(refused(&settings).contains("sasl_ssl"));
    }

    #[test]
    fn credentials_must_be_complete() {
        let mut settings = KafkaSettings::new("a:1");
        settings.security.protocol = "sasl_plaintext".into();
        settings.security.mechanism = Some("PLAIN".into());
        settings.security.username = Some("app".into());
        assert!(refused(&settings).contains("password"));
        settings.security.password = Some("hunter2".into());
        settings.check().unwrap();
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn a_build_without_tls_names_the_feature() {
        let mut settings = KafkaSettings::new("a:1");
        settings.security.protocol = "SSL".into();
        assert!(refused(&settings).contains("`tls`"));
        settings.security.protocol = "sasl_plaintext".into();
        settings.security.mechanism = Some("scram-sha-512".into());
        assert!(refused(&settings).contains("`tls`"));
    }

    #[test]
    fn the_password_is_in_neither_debug_nor_an_error() {
        let mut settings = KafkaSettings::new("a:1");
        settings.security = Security {
            protocol: "sasl_plaintext".into(),
            mechanism: Some("NONSENSE\0".into()),
            username: Some("app".into()),
            password: Some("hunter2".into()),
            ..Security::default()
        };
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert!(!refused(&settings).contains("hunter2"));
    }

    #[test]
    fn what_librdkafka_is_told_is_accepted_by_it() {
        let settings = KafkaSettings::new("a:1");
        let consumer = ConsumerSettings {
            group: "g".into(),
            topics: Vec::new(),
            client_id: "c".into(),
        };
        settings.consumer(&consumer).create_native_config().unwrap();
        settings
            .producer("p", Duration::from_secs(4))
            .create_native_config()
            .unwrap();
        settings.admin().create_native_config().unwrap();
    }
}
