//! Finds a client that knows no broker any more, which would stay silent for good.
//!
//! A broker that is stopping may answer a metadata request without naming a broker. librdkafka then forgets all of them,
//! those of the bootstrap list too, and never connects again (its issue 5301, since 2.10). No error tells of it; the
//! statistics do. Whoever owns the client then tells it the bootstrap list anew.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use serde::Deserialize;

/// What the statistics said last.
#[derive(Debug, Default)]
pub(super) struct Stranded(AtomicBool);

impl Stranded {
    /// Reads librdkafka's statistics.
    pub(super) fn look(&self, statistics: &[u8]) {
        if knows_no_broker(statistics) {
            self.0.store(true, Ordering::Release);
        }
    }

    /// True once after statistics without a broker.
    pub(super) fn take(&self) -> bool {
        self.0.load(Ordering::Acquire) && self.0.swap(false, Ordering::AcqRel)
    }
}

/// The part of librdkafka's `STATISTICS.md` that is read.
#[derive(Deserialize)]
struct Statistics<'a> {
    #[serde(borrow)]
    brokers: BTreeMap<Cow<'a, str>, Broker<'a>>,
}

#[derive(Deserialize)]
struct Broker<'a> {
    #[serde(borrow)]
    source: Cow<'a, str>,
}

/// Statistics that cannot be read say nothing.
fn knows_no_broker(statistics: &[u8]) -> bool {
    let read: Result<Statistics<'_>, _> = serde_json::from_slice(statistics);
    // A logical one is the group's coordinator: it has an address only if another broker told it.
    read.is_ok_and(|read| {
        let mut sources = read.brokers.values().map(|broker| &*broker.source);
        !sources.any(|source| matches!(source, "configured" | "learned"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(statistics: &str) -> bool {
        let stranded = Stranded::default();
        stranded.look(statistics.as_bytes());
        stranded.take()
    }

    #[test]
    fn a_client_with_a_coordinator_alone_is_stranded() {
        assert!(told(r#"{"name":"c","brokers":{},"topics":{}}"#));
        assert!(told(
            r#"{"brokers":{"GroupCoordinator":{"nodeid":-1,"source":"logical"}}}"#
        ));
    }

    #[test]
    fn a_client_with_an_address_to_try_is_not() {
        for source in ["configured", "learned"] {
            assert!(!told(&format!(
                r#"{{"brokers":{{"GroupCoordinator":{{"source":"logical"}},"a:1/1":{{"source":"{source}","state":"DOWN"}}}}}}"#
            )));
        }
    }

    #[test]
    fn statistics_that_cannot_be_read_say_nothing() {
        for hostile in ["", "{}", "[]", "null", r#"{"brokers":[]}"#, "{\"brokers\":"] {
            assert!(!told(hostile), "{hostile}");
        }
    }

    #[test]
    fn it_is_told_once() {
        let stranded = Stranded::default();
        stranded.look(br#"{"brokers":{}}"#);
        assert!(stranded.take());
        assert!(!stranded.take());
    }
}
