//! What librdkafka calls while it is polled. It only writes down what happened: the owner acts in its own turn.
//!
//! The exception is a consumer that closes: nobody takes turns any more, so rebalances are answered here.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, KafkaResult},
    types::{RDKafkaErrorCode, RDKafkaRespErr},
};

use super::{native, stranded::Stranded};

/// Faults kept until the next turn; a broker that is away says so again and again.
const FAULTS_MAX: usize = 16;

/// What librdkafka waits for: until it comes, it delivers nothing, and does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Of an assign.
    Assign,
    /// Of a revoke, or of an assignment that is lost.
    Unassign,
}

/// Something that happened while polling.
#[derive(Debug)]
pub(super) enum Happened {
    /// librdkafka waits for an assign.
    Assigned(Vec<(String, i32)>),
    /// librdkafka waits for an unassign.
    Revoked(Vec<(String, i32)>),
    /// The same, and the partitions may be another's already.
    Lost(Vec<(String, i32)>),
    /// The commit that was out has ended.
    Committed(Option<RDKafkaErrorCode>),
    /// A fault, with librdkafka's words.
    Fault(RDKafkaErrorCode, String),
}

/// The consumer's context.
#[derive(Debug, Default)]
pub(super) struct Context {
    served: AtomicU64,
    happened: Mutex<VecDeque<Happened>>,
    asked: Mutex<Option<Answer>>,
    is_closing: AtomicBool,
    stranded: Stranded,
}

impl Context {
    /// How many events were served: `poll` answers `None` after each, with more behind it.
    pub(super) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// What happened since the last call, in order.
    pub(super) fn take(&self) -> VecDeque<Happened> {
        std::mem::take(&mut self.happened())
    }

    /// True once when the client knows no broker any more.
    pub(super) fn is_stranded(&self) -> bool {
        self.stranded.take()
    }

    /// Does librdkafka wait for an answer?
    pub(super) fn is_asked(&self) -> bool {
        self.asked().is_some()
    }

    /// It was given this answer.
    pub(super) fn answered(&self, answer: Answer) {
        let mut asked = self.asked();
        if *asked == Some(answer) {
            *asked = None;
        }
    }

    /// From now on rebalances are answered here.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
    }

    fn happened(&self) -> MutexGuard<'_, VecDeque<Happened>> {
        self.happened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, Option<Answer>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, what: Happened) {
        self.served.fetch_add(1, Ordering::Relaxed);
        let mut happened = self.happened();
        if let Happened::Fault(code, _) = &what {
            let faults = happened.iter().filter_map(|kept| match kept {
                Happened::Fault(code, _) => Some(*code),
                _ => None,
            });
            let (mut count, mut is_known) = (0, false);
            for kept in faults {
                count += 1;
                is_known |= kept == *code;
            }
            if is_known || count >= FAULTS_MAX {
                return;
            }
        }
        happened.push_back(what);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.served.fetch_add(1, Ordering::Relaxed);
        log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.stranded.look(statistics);
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error
            .rdkafka_error_code()
            .unwrap_or(RDKafkaErrorCode::Unknown);
        self.note(Happened::Fault(code, reason.to_owned()));
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let is_assign = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.is_closing.load(Ordering::Acquire) {
            // Closed, it would never return from an answer (librdkafka's issue 4884).
            if consumer.closed() {
                return;
            }
            let answer = if is_assign {
                consumer.incremental_assign(list)
            } else {
                consumer.incremental_unassign(list)
            };
            if let Err(error) = answer {
                tracing::debug!(%error, "rebalance while closing was not answered");
            }
            return;
        }
        *self.asked() = Some(if is_assign {
            Answer::Assign
        } else {
            Answer::Unassign
        });
        let partitions = native::rows(list)
            .into_iter()
            .map(|row| (row.topic.into_owned(), row.partition))
            .collect();
        self.note(if is_assign {
            Happened::Assigned(partitions)
        } else if consumer.assignment_lost() {
            Happened::Lost(partitions)
        } else {
            Happened::Revoked(partitions)
        });
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        let code = result.err().map(|error| {
            error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown)
        });
        self.note(Happened::Committed(code));
    }
}

/// librdkafka's log lines, as they are.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel as Level;
    match level {
        Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        Level::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        Level::Notice | Level::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        Level::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_repeats_is_kept_once_and_faults_are_bounded() {
        let context = Context::default();
        let fault = |code| KafkaError::Global(code);
        for _ in 0..3 {
            context.error(fault(RDKafkaErrorCode::AllBrokersDown), "1/1 down");
        }
        assert_eq!(context.served(), 3, "each was served all the same");
        assert_eq!(context.take().len(), 1);
        assert!(context.take().is_empty());
    }

    #[test]
    fn events_other_than_faults_are_all_kept_in_order() {
        let context = Context::default();
        context.note(Happened::Committed(None));
        context.note(Happened::Assigned(Vec::new()));
        context.note(Happened::Committed(Some(
            RDKafkaErrorCode::IllegalGeneration,
        )));
        let happened: Vec<Happened> = context.take().into();
        assert!(matches!(
            happened[..],
            [
                Happened::Committed(None),
                Happened::Assigned(_),
                Happened::Committed(Some(_))
            ]
        ));
    }
}
