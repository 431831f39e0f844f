//! The idempotency keys that a supplier remembers, each with the request it came with and the answer it got.
//!
//! A key is forgotten when its time is past, or when it is the oldest of more than [`KEYS_KEPT_MAX`].

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::order::Status;

/// Remembered keys per supplier.
pub const KEYS_KEPT_MAX: usize = 400_000;

/// What is remembered of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) fingerprint: Arc<str>,
    pub(crate) order_id: Arc<str>,
    /// The order's status in the answer that was given.
    pub(crate) status: Status,
    pub(crate) applied_at: i64,
}

/// See the module page.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    by_key: HashMap<Arc<str>, Remembered>,
    oldest_first: VecDeque<(i64, Arc<str>)>,
    warned: bool,
}

impl Memory {
    /// What came with this key, if it is still remembered.
    pub(crate) fn recall(&mut self, key: &str, time: Duration, now: i64) -> Option<&Remembered> {
        let time = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        while let Some((at, _)) = self.oldest_first.front()
            && now.saturating_sub(*at) >= time
        {
            self.forget_oldest();
        }
        self.by_key.get(key)
    }

    /// Remembers a call under a key which is not known.
    pub(crate) fn keep(&mut self, key: Arc<str>, call: Remembered) {
        if self.by_key.len() >= KEYS_KEPT_MAX {
            if !self.warned {
                tracing::warn!(
                    keys = KEYS_KEPT_MAX,
                    "idempotency keys are being forgotten before their time"
                );
                self.warned = true;
            }
            self.forget_oldest();
        }
        self.oldest_first
            .push_back((call.applied_at, Arc::clone(&key)));
        self.by_key.insert(key, call);
    }

    fn forget_oldest(&mut self) {
        if let Some((at, key)) = self.oldest_first.pop_front() {
            // A key may have come again after it was forgotten: only the entry of that time goes.
            if self
                .by_key
                .get(&key)
                .is_some_and(|kept| kept.applied_at == at)
            {
                self.by_key.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(at: i64) -> Remembered {
        Remembered {
            fingerprint: "f".into(),
            order_id: "acme-1".into(),
            status: Status::Draft,
            applied_at: at,
        }
    }

    #[test]
    fn a_key_is_forgotten_when_its_time_is_past() {
        let mut memory = Memory::default();
        let time = Duration::from_nanos(10);
        memory.keep("a".into(), call(0));
        memory.keep("b".into(), call(5));
        assert!(memory.recall("a", time, 9).is_some());
        assert!(memory.recall("a", time, 10).is_none());
        assert!(memory.recall("b", time, 14).is_some());
        memory.keep("a".into(), call(14));
        assert!(memory.recall("a", time, 23).is_some());
        assert!(memory.recall("b", time, 23).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let mut memory = Memory::default();
        for n in 0..=KEYS_KEPT_MAX {
            memory.keep(n.to_string().into(), call(n as i64));
        }
        assert_eq!(memory.by_key.len(), KEYS_KEPT_MAX);
        assert!(memory.recall("0", Duration::from_secs(1), 0).is_none());
        assert!(memory.recall("1", Duration::from_secs(1), 0).is_some());
    }
}
