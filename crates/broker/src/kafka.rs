//! Apache Kafka behind the port, through librdkafka.
//!
//! # Behavior
//!
//! - **Consumer**: one split queue per partition for the consumer's life, taken round robin. An assign is applied at
//!   once, a revoke waits for `let_go`, a lost assignment is given back at once and told as
//!   [`ConsumerEvent::Lost`](crate::ConsumerEvent::Lost). It joins by the classic protocol (cooperative-sticky) or the
//!   consumer protocol (KIP-848), see [`GroupProtocol`]; its owner sees no difference.
//! - **A member that was thrown out while a rebalance was open**, of which librdkafka says nothing, is found by its
//!   member id (classic) or its epoch (consumer) and told the same way. By the classic protocol, what it holds under the
//!   new membership is assigned anew, from the committed position. By the consumer protocol it is replaced by a new
//!   member, because librdkafka's own way back ends in a fatal error (its issue 5541).
//! - **A client that is closed** ends, also one that died or was replaced with a rebalance open.
//! - **A static member** is classic alone. It does not leave when it closes; fenced by a namesake, it is
//!   [`ConsumerEvent::Fatal`](crate::ConsumerEvent::Fatal).
//! - **Commits** are of partitions that this member holds under its present membership, one at a time, and report each
//!   partition by itself.
//! - **Producer**: idempotent, acks=all, Java's partitioner. After a fatal error the next send has a new one.
//! - **A client that was told of no broker** by one that is stopping, and would never connect again, is told the
//!   bootstrap list anew.
//! - **Bounded**: prefetch per partition, records and bytes per turn, the producer's queue, every call by a timeout.
//! - **Lost**: nothing that was acknowledged. A send that timed out may still have been written.

mod admin;
mod closing;
mod commits;
mod consumer;
mod context;
mod delivery;
mod errors;
mod group;
mod membership;
mod native;
mod positions;
mod producer;
mod queues;
mod settings;
mod stranded;

use std::{sync::Arc, time::Duration};

use crate::port::{Admin, Broker, BrokerError, Consumer, ConsumerSettings, Producer};

pub use group::GroupProtocol;
pub use settings::{KafkaSettings, Security, StartAt};

/// A Kafka cluster.
#[derive(Clone, Debug)]
pub struct Kafka {
    settings: KafkaSettings,
}

impl Kafka {
    /// Checks the settings; nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`BrokerError::Misconfigured`] names the setting that is not usable.
    pub fn new(settings: KafkaSettings) -> Result<Self, BrokerError> {
        settings.check()?;
        Ok(Self { settings })
    }
}

impl Broker for Kafka {
    fn consumer(&self, settings: ConsumerSettings) -> Result<Box<dyn Consumer>, BrokerError> {
        Ok(Box::new(consumer::join(&self.settings, &settings)?))
    }

    fn producer(
        &self,
        client_id: &str,
        message_timeout: Duration,
    ) -> Result<Arc<dyn Producer>, BrokerError> {
        let config = self.settings.producer(client_id, message_timeout);
        Ok(Arc::new(producer::open(config, message_timeout)?))
    }

    fn admin(&self) -> Result<Arc<dyn Admin>, BrokerError> {
        Ok(Arc::new(admin::open(&self.settings)?))
    }
}
