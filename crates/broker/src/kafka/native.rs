//! The calls of librdkafka that rdkafka lacks, or that panic on bytes which others may write. The only unsafe code.
//!
//! Invariant: nothing here outlives the consumer, list or message that it borrows, and no foreign text is trusted to be
//! UTF-8.
#![expect(unsafe_code, reason = "the audited file: calls into librdkafka")]

use std::{
    borrow::Cow,
    ffi::{CStr, CString},
    ptr, slice,
};

use rdkafka::{
    bindings::{
        rd_kafka_brokers_add, rd_kafka_commit_queue, rd_kafka_consumer_group_metadata,
        rd_kafka_consumer_group_metadata_destroy, rd_kafka_consumer_group_metadata_generation_id,
        rd_kafka_consumer_group_metadata_member_id, rd_kafka_header_cnt, rd_kafka_header_get_all,
        rd_kafka_headers_t, rd_kafka_message_headers, rd_kafka_queue_destroy,
        rd_kafka_queue_get_consumer, rd_kafka_topic_partition_t,
    },
    client::{Client, ClientContext},
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::IsError,
    message::BorrowedMessage,
    topic_partition_list::TopicPartitionList,
    types::{RDKafkaErrorCode, RDKafkaRespErr},
};

/// One line of a list of partitions.
pub(super) struct Row<'a> {
    pub(super) topic: Cow<'a, str>,
    pub(super) partition: i32,
    /// Below zero stands for no offset.
    pub(super) offset: i64,
    pub(super) metadata: Option<Cow<'a, str>>,
    pub(super) error: Option<RDKafkaErrorCode>,
}

/// Starts a commit whose end comes to the consumer's queue, and so to `ConsumerContext::commit_callback`.
///
/// Neither mode of `Consumer::commit` tells an end without blocking.
pub(super) fn commit<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    positions: &TopicPartitionList,
) -> Result<(), RDKafkaErrorCode> {
    let client = consumer.client().native_ptr();
    // SAFETY: `client` lives as long as `consumer`. librdkafka copies the list before it returns. The queue is a
    // reference of our own, given back below; the commit holds another.
    let code = unsafe {
        let queue = rd_kafka_queue_get_consumer(client);
        if queue.is_null() {
            return Err(RDKafkaErrorCode::UnknownGroup);
        }
        let code = rd_kafka_commit_queue(client, positions.ptr(), queue, None, ptr::null_mut());
        rd_kafka_queue_destroy(queue);
        code
    };
    if code.is_error() {
        return Err(code.into());
    }
    Ok(())
}

/// Under what the consumer is in its group: its member id, empty while it is in none, and its generation or epoch.
///
/// Asks librdkafka's main thread, so not for every record.
pub(super) fn member<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> (String, i32) {
    let client = consumer.client().native_ptr();
    // SAFETY: `client` lives as long as `consumer`. The answer is ours until it is given back; its text, which ends in a
    // zero, lives as long.
    unsafe {
        let told = rd_kafka_consumer_group_metadata(client);
        if told.is_null() {
            return (String::new(), -1);
        }
        let text = rd_kafka_consumer_group_metadata_member_id(told);
        let id = if text.is_null() {
            String::new()
        } else {
            CStr::from_ptr(text).to_string_lossy().into_owned()
        };
        let epoch = rd_kafka_consumer_group_metadata_generation_id(told);
        rd_kafka_consumer_group_metadata_destroy(told);
        (id, epoch)
    }
}

/// Makes a client die, as a broker's answer would.
#[cfg(test)]
pub(super) fn raise_fatal_error<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    cause: RDKafkaRespErr,
) {
    let client = consumer.client().native_ptr();
    // SAFETY: the client lives as long as `consumer`; librdkafka copies the text.
    unsafe {
        rdkafka::bindings::rd_kafka_test_fatal_error(client, cause, c"for a test".as_ptr());
    }
}

/// Tells a client where brokers are, as its configuration did at first.
pub(super) fn add_brokers<C: ClientContext>(client: &Client<C>, bootstrap: &str) {
    let Ok(bootstrap) = CString::new(bootstrap) else {
        return;
    };
    // SAFETY: the client lives as long as its borrow; librdkafka copies the text.
    unsafe {
        rd_kafka_brokers_add(client.native_ptr(), bootstrap.as_ptr());
    }
}

/// The lines of a list. `TopicPartitionListElem::metadata` panics on what is not UTF-8.
pub(super) fn rows(list: &TopicPartitionList) -> Vec<Row<'_>> {
    // SAFETY: the list lives as long as the rows, which nothing changes meanwhile: changing it takes `&mut`.
    let lines: &[rd_kafka_topic_partition_t] = unsafe {
        let native = &*list.ptr();
        slice_of(native.elems, usize::try_from(native.cnt).unwrap_or(0))
    };
    lines.iter().map(row).collect()
}

fn row(line: &rd_kafka_topic_partition_t) -> Row<'_> {
    // SAFETY: a line's topic is always set and ends in a zero; its metadata is null or `metadata_size` bytes.
    let (topic, metadata) = unsafe {
        let metadata = (!line.metadata.is_null())
            .then(|| slice_of(line.metadata.cast::<u8>(), line.metadata_size));
        (CStr::from_ptr(line.topic).to_string_lossy(), metadata)
    };
    Row {
        topic,
        partition: line.partition,
        offset: line.offset,
        metadata: metadata
            .filter(|bytes| !bytes.is_empty())
            .map(String::from_utf8_lossy),
        error: line.err.is_error().then(|| line.err.into()),
    }
}

/// A message's headers, in order. `BorrowedHeaders` panics on a name that is not UTF-8.
pub(super) fn headers<'a>(
    message: &'a BorrowedMessage<'_>,
) -> impl Iterator<Item = (Cow<'a, str>, &'a [u8])> {
    let mut list: *mut rd_kafka_headers_t = ptr::null_mut();
    // SAFETY: the message is valid while it is borrowed; the list belongs to it.
    let count = unsafe {
        match rd_kafka_message_headers(message.ptr(), &raw mut list) {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => rd_kafka_header_cnt(list),
            _ => 0,
        }
    };
    (0..count).map_while(move |index| {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: `list` lives as long as the message. A name ends in a zero; a value is null or `size` bytes.
        unsafe {
            let code =
                rd_kafka_header_get_all(list, index, &raw mut name, &raw mut value, &raw mut size);
            (!code.is_error()).then(|| {
                let name = CStr::from_ptr(name).to_string_lossy();
                (name, slice_of(value.cast::<u8>(), size))
            })
        }
    })
}

/// # Safety
///
/// `start` is null, or `length` valid elements that live for `'a`.
unsafe fn slice_of<'a, T>(start: *const T, length: usize) -> &'a [T] {
    if start.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { slice::from_raw_parts(start, length) }
}

#[cfg(test)]
mod tests {
    use rdkafka::topic_partition_list::Offset;

    use super::*;

    #[test]
    fn a_list_is_read_line_by_line() {
        let mut list = TopicPartitionList::new();
        let mut line = list.add_partition("orders", 3);
        line.set_offset(Offset::Offset(7)).unwrap();
        line.set_metadata("map");
        list.add_partition("prices", 0);
        let rows = rows(&list);
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (&*rows[0].topic, rows[0].partition, rows[0].offset),
            ("orders", 3, 7)
        );
        assert_eq!(rows[0].metadata.as_deref(), Some("map"));
        assert!(rows[0].error.is_none());
        assert!(rows[1].offset < 0);
        assert!(rows[1].metadata.is_none());
    }

    #[test]
    fn an_empty_list_has_no_lines() {
        assert!(rows(&TopicPartitionList::new()).is_empty());
    }
}
