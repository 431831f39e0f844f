//! `[broker]`: where Kafka is and how to enter.

use serde::Serialize;

use super::{Secret, address::is_host_and_port, section::Section};

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokerSecurity {
    /// Neither encrypted nor authenticated.
    #[default]
    Plaintext,
    /// Encrypted.
    Tls,
    /// Encrypted, with user and password.
    SaslTls,
    /// User and password over an open line.
    SaslPlaintext,
}

const SECURITIES: [(&str, BrokerSecurity); 4] = [
    ("plaintext", BrokerSecurity::Plaintext),
    ("tls", BrokerSecurity::Tls),
    ("sasl_tls", BrokerSecurity::SaslTls),
    ("sasl_plaintext", BrokerSecurity::SaslPlaintext),
];

/// How user and password are proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum SaslMechanism {
    /// As they are.
    #[serde(rename = "PLAIN")]
    Plain,
    /// Salted challenge, SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Salted challenge, SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl SaslMechanism {
    /// As the protocol names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

const MECHANISMS: [(&str, SaslMechanism); 3] = [
    ("PLAIN", SaslMechanism::Plain),
    ("SCRAM-SHA-256", SaslMechanism::ScramSha256),
    ("SCRAM-SHA-512", SaslMechanism::ScramSha512),
];

/// `[broker]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broker {
    /// `host:port` of some brokers; never empty.
    pub bootstrap: Vec<String>,
    /// Replicas of a topic that `topics apply` creates; absent for the cluster's own default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic_replicas: Option<u16>,
    /// How the connection is protected.
    pub security: BrokerSecurity,
    /// How user and password are proved; set whenever `security` says SASL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_mechanism: Option<SaslMechanism>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// PEM file of the authorities that the brokers' certificates are checked against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

pub(crate) fn read(mut section: Section<'_>) -> Broker {
    let bootstrap = section
        .list("bootstrap")
        .unwrap_or_else(|| vec!["127.0.0.1:9092".to_owned()]);
    if bootstrap.is_empty() || !bootstrap.iter().all(|item| is_host_and_port(item)) {
        let message = "must be a list of host:port, e.g. [\"127.0.0.1:9092\"]";
        section.fault("bootstrap", None, message);
    }
    let broker = Broker {
        bootstrap,
        topic_replicas: section
            .number("topic_replicas", 1..=9)
            .and_then(|replicas| u16::try_from(replicas).ok()),
        security: section.choice("security", &SECURITIES).unwrap_or_default(),
        sasl_mechanism: section.choice("sasl_mechanism", &MECHANISMS),
        username: section.text("username"),
        password: section.secret("password", "password_file"),
        ca_file: section.text("ca_file"),
    };
    check_sasl(&broker, &section);
    section.finish();
    broker
}

/// SASL needs all three of its keys, and without it they would silently do nothing.
fn check_sasl(broker: &Broker, section: &Section<'_>) {
    let sasl = matches!(
        broker.security,
        BrokerSecurity::SaslTls | BrokerSecurity::SaslPlaintext
    );
    for (key, written) in [
        ("sasl_mechanism", broker.sasl_mechanism.is_some()),
        ("username", broker.username.is_some()),
        ("password", broker.password.is_some()),
    ] {
        if sasl && !written {
            section.missing(key);
        }
        if !sasl && written {
            let message = "does nothing without security = \"sasl_tls\": set that or remove it";
            section.fault(key, None, message);
        }
    }
}
