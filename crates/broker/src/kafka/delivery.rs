//! Copies a message out of librdkafka's memory, once: key, headers and value become slices of one allocation.

use bytes::Bytes;
use rdkafka::{
    Message as _,
    message::{BorrowedMessage, Timestamp},
};

use super::native;
use crate::port::{Delivery, TopicPartition};

/// A record of its own; the message may be dropped.
pub(super) fn copied(message: &BorrowedMessage<'_>, from: &TopicPartition) -> Delivery {
    let (key, value) = (message.key(), message.payload());
    let headers: Vec<_> = native::headers(message).collect();
    let bytes = key.map_or(0, <[u8]>::len)
        + value.map_or(0, <[u8]>::len)
        + headers.iter().map(|(_, value)| value.len()).sum::<usize>();

    let mut all = Vec::with_capacity(bytes);
    all.extend_from_slice(key.unwrap_or_default());
    for (_, value) in &headers {
        all.extend_from_slice(value);
    }
    all.extend_from_slice(value.unwrap_or_default());
    let mut all = Bytes::from(all);

    let key = key.map(|key| all.split_to(key.len()));
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name.into_owned(), all.split_to(value.len())))
        .collect();
    Delivery {
        from: from.clone(),
        offset: message.offset(),
        timestamp_ms: match message.timestamp() {
            Timestamp::NotAvailable => None,
            known => known.to_millis(),
        },
        key,
        value: value.map(|_| all),
        headers,
        bytes,
    }
}
