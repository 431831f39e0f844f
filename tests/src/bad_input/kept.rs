//! What the store keeps of a dead record: the record byte for byte, as chronicle read it back from its letter.

use std::time::Duration;

use argosy_store::{LetterId, Postgres, Store};
use tokio::time::Instant;

use super::{ORDERS, cases::Case, kcat::Written};

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is wrong with the store's row of a dead record; asked again until it is there, or the deadline.
pub(super) async fn faults(
    store: &Postgres,
    case: &Case,
    cause: &str,
    record: &Written,
    deadline: Instant,
) -> anyhow::Result<Vec<String>> {
    let id = LetterId {
        worker: "orders".into(),
        topic: ORDERS.into(),
        partition: record.partition,
        offset: record.offset,
    };
    let found = loop {
        match store.dead_letter(id.clone()).await? {
            Some(letter) => break letter.row,
            None if Instant::now() > deadline => {
                return Ok(vec!["the store has no row of its letter".to_owned()]);
            }
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    };
    let mut faults = Vec::new();
    if found.key.as_deref() != case.record.key.as_deref() {
        faults.push("the store's key is not byte-identical".to_owned());
    }
    if found.value.as_deref() != case.record.value.as_deref() {
        faults.push("the store's value is not byte-identical".to_owned());
    }
    let kept = found
        .headers
        .iter()
        .map(|(name, value)| (&**name, &value[..]));
    let own = &case.record.headers;
    if !kept.eq(own.iter().map(|(name, value)| (&**name, &value[..]))) {
        faults.push("the store's headers are not the record's".to_owned());
    }
    if &*found.cause != cause {
        faults.push(format!("the store's cause is {}, not {cause}", found.cause));
    }
    Ok(faults)
}
