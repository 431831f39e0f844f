//! Events that a run emits: identity, message, publication.

use std::{collections::HashMap, sync::Arc};

use argosy_broker::{BrokerError, Message};
use argosy_events::{Envelope, Payload};
use argosy_kernel::WriteFault;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::clock;

/// One emitted event, ready to be written; what its timeline step needs stands beside it.
#[derive(Clone, Debug)]
pub(crate) struct Emitted {
    pub(crate) event_type: &'static str,
    pub(crate) id: Arc<str>,
    pub(crate) message: Message,
}

/// Collects the events of one run.
#[derive(Debug, Default)]
pub(crate) struct Emits {
    pub(crate) events: Vec<Emitted>,
    /// How often the same content was emitted: the last part of the identity.
    repeats: HashMap<[u8; 32], u32>,
}

impl Emits {
    pub(crate) fn push<P: Payload>(&mut self, cause: &Envelope, worker: &str, body: &P) {
        let value = body.encode();
        let key = body.key();
        let content = Sha256::new()
            .chain_update(P::TYPE)
            .chain_update([0])
            .chain_update(&key)
            .chain_update([0])
            .chain_update(&value)
            .finalize();
        let n = self.repeats.entry(content.into()).or_insert(0);
        let envelope = Envelope::emitted(cause, worker, body, *n, clock::wall_ms());
        *n += 1;
        self.events.push(Emitted {
            event_type: P::TYPE,
            id: Arc::clone(&envelope.id),
            message: Message {
                topic: Arc::from(P::TOPIC),
                partition: None,
                key: (!key.is_empty()).then(|| Bytes::from(key)),
                value: Some(value),
                headers: envelope.headers(),
            },
        });
    }
}

/// What a batch of write results comes to: rejected beats unavailable, since waiting would not mend it.
pub(crate) fn fault_of<T>(results: &[Result<T, BrokerError>]) -> Result<(), WriteFault> {
    let mut fault = Ok(());
    for result in results {
        match result {
            Ok(_) => {}
            Err(BrokerError::Rejected(_)) => return Err(WriteFault::Rejected),
            Err(_) => fault = Err(WriteFault::Unavailable),
        }
    }
    fault
}
