//! A broker that acknowledges, fails or hangs as a test says, and keeps what was sent.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use argosy_broker::{
    Admin, Broker, BrokerError, ClusterTopic, Consumer, ConsumerSettings, Message, NewTopic,
    Producer,
};
use futures_util::future::{BoxFuture, pending, ready};

/// What becomes of the next sends.
#[derive(Clone, Debug, Default)]
pub(crate) enum Mood {
    #[default]
    Acknowledges,
    Fails(BrokerError),
    /// Only the last message of a batch fails.
    FailsLast(BrokerError),
    Hangs,
}

#[derive(Debug, Default)]
pub(crate) struct FakeBroker {
    pub(crate) mood: Mutex<Mood>,
    pub(crate) sent: Mutex<Vec<Vec<Message>>>,
    pub(crate) timeouts: Mutex<Vec<Duration>>,
}

/// What a test holds and what it hands over are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(pub(crate) Arc<FakeBroker>);

impl Shared {
    pub(crate) fn mood(&self, mood: Mood) {
        *self
            .0
            .mood
            .lock()
            .expect("no test panics while it holds this") = mood;
    }

    /// All batches so far.
    pub(crate) fn sent(&self) -> Vec<Vec<Message>> {
        self.0
            .sent
            .lock()
            .expect("no test panics while it holds this")
            .clone()
    }
}

impl Producer for Shared {
    fn send(
        &self,
        messages: Vec<Message>,
    ) -> BoxFuture<'static, Vec<Result<(i32, i64), BrokerError>>> {
        let count = messages.len();
        let mood = self
            .0
            .mood
            .lock()
            .expect("no test panics while it holds this")
            .clone();
        self.0
            .sent
            .lock()
            .expect("no test panics while it holds this")
            .push(messages);
        let mut results = vec![Ok((0, 0)); count];
        match mood {
            Mood::Acknowledges => {}
            Mood::Fails(error) => results.fill(Err(error)),
            Mood::FailsLast(error) => results[count - 1] = Err(error),
            Mood::Hangs => return Box::pin(pending()),
        }
        Box::pin(ready(results))
    }

    fn flush(&self, _at_most: Duration) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(ready(Ok(())))
    }
}

impl Admin for Shared {
    fn topics(&self) -> BoxFuture<'_, Result<Vec<ClusterTopic>, BrokerError>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn create(&self, _topic: NewTopic) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(ready(Ok(())))
    }

    fn configure(
        &self,
        _topic: &str,
        _values: Vec<(String, String)>,
    ) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(ready(Ok(())))
    }

    fn grow(&self, _topic: &str, _partitions: i32) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(ready(Ok(())))
    }

    fn ping(&self, _at_most: Duration) -> BoxFuture<'_, Result<(), BrokerError>> {
        let mood = self
            .0
            .mood
            .lock()
            .expect("no test panics while it holds this")
            .clone();
        let answer = match mood {
            Mood::Fails(error) => Err(error),
            Mood::Acknowledges | Mood::FailsLast(_) | Mood::Hangs => Ok(()),
        };
        Box::pin(ready(answer))
    }
}

impl Broker for Shared {
    fn consumer(&self, _settings: ConsumerSettings) -> Result<Box<dyn Consumer>, BrokerError> {
        Err(BrokerError::Misconfigured(
            "the gateway consumes nothing".to_owned(),
        ))
    }

    fn producer(
        &self,
        _client_id: &str,
        message_timeout: Duration,
    ) -> Result<Arc<dyn Producer>, BrokerError> {
        self.0
            .timeouts
            .lock()
            .expect("no test panics while it holds this")
            .push(message_timeout);
        Ok(Arc::new(self.clone()))
    }

    fn admin(&self) -> Result<Arc<dyn Admin>, BrokerError> {
        Ok(Arc::new(self.clone()))
    }
}
