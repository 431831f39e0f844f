//! The name of a dead record: the worker, and where the record lies. It reads back as it is written, and only so.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{OwnerKey, StoreError, limits};

/// A dead record's place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LetterId {
    /// The worker that it died in.
    pub worker: Arc<str>,
    /// The record's topic.
    pub topic: Arc<str>,
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}

impl LetterId {
    /// Whose owner alone may replay it.
    pub fn owner(&self) -> OwnerKey {
        OwnerKey {
            worker: Arc::clone(&self.worker),
            topic: Arc::clone(&self.topic),
            partition: self.partition,
        }
    }

    /// Refuses what the store would not take.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLarge`], with what is too large.
    pub fn check(&self) -> Result<(), StoreError> {
        limits::within("worker", self.worker.len(), limits::LETTER_NAME_BYTES_MAX)?;
        limits::within("topic", self.topic.len(), limits::LETTER_NAME_BYTES_MAX)
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            worker,
            topic,
            partition,
            offset,
        } = self;
        write!(f, "{worker}/{topic}/{partition}/{offset}")
    }
}

/// A text is not the name of a dead record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a dead letter is named worker/topic/partition/offset, such as orders/argosy.order-events.v1/3/42"
)]
pub struct LetterIdError;

impl FromStr for LetterId {
    type Err = LetterIdError;

    /// Read from the end, since no topic has a slash in its name, and a worker may.
    fn from_str(text: &str) -> Result<Self, LetterIdError> {
        let mut parts = text.rsplitn(4, '/');
        let mut next = || {
            parts
                .next()
                .filter(|part| !part.is_empty())
                .ok_or(LetterIdError)
        };
        let (offset, partition, topic, worker) = (next()?, next()?, next()?, next()?);
        let id = Self {
            worker: worker.into(),
            topic: topic.into(),
            partition: partition.parse().map_err(|_| LetterIdError)?,
            offset: offset.parse().map_err(|_| LetterIdError)?,
        };
        // Numbers may be written in several ways; a name has one.
        if id.partition < 0 || id.offset < 0 || id.to_string() != text {
            return Err(LetterIdError);
        }
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_name_reads_back(
            worker in "[a-z/.\u{e9}]{1,9}", topic in "[a-zA-Z0-9._-]{1,9}", partition in 0..i32::MAX, offset in 0..i64::MAX,
        ) {
            let id = LetterId { worker: worker.into(), topic: topic.into(), partition, offset };
            prop_assert_eq!(id.to_string().parse::<LetterId>(), Ok(id));
        }

        #[test]
        fn any_text_is_refused_or_is_the_name_itself(text in ".{0,20}") {
            if let Ok(id) = text.parse::<LetterId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn what_names_no_record_is_refused() {
        for text in [
            "",
            "orders",
            "orders/topic/1",
            "/topic/1/2",
            "orders//1/2",
            "orders/topic//2",
            "orders/topic/1/",
            "orders/topic/-1/2",
            "orders/topic/1/-2",
            "orders/topic/+1/2",
            "orders/topic/01/2",
            "orders/topic/1/ 2",
            "orders/topic/1/2\n",
            "orders/topic/2147483648/2",
            "orders/topic/1/9223372036854775808",
            "orders/topic/1/2/x",
        ] {
            assert_eq!(text.parse::<LetterId>(), Err(LetterIdError), "{text:?}");
        }
    }
}
