//! Reading timelines: the rows of a business flow, and how an event stands.

use sqlx::{Error, PgConnection, Row};

use super::{
    connection::{Connections, Operation},
    fault::unreadable,
    identity::{event_hash, text_hash},
    text::{escape, shared},
};
use crate::{EventStatus, StoreError, TimelinePlace, TimelineRow, limits};

const TIMELINE: &str = r#"
select instance, number, correlation, source, event, event_type, worker, at_ms, steps::text, state
from timeline_rows
where correlation_hash = $1 and correlation = $2 and (at_ms, instance, number) > ($3, $4, $5)
order by at_ms, instance, number
limit $6
"#;

const STATUS: &str = r#"
select worker, state, at_ms, correlation
from event_status
where event_hash = $1 and source = $2 and event = $3
order by worker
limit $4
"#;

pub(super) async fn timeline(
    connections: &Connections,
    correlation: String,
    after: TimelinePlace,
    rows_max: u32,
) -> Result<Vec<TimelineRow>, StoreError> {
    let rows_max = i64::from(rows_max.min(limits::TIMELINE_ROWS_MAX));
    let timeline = Timeline {
        correlation,
        after,
        rows_max,
    };
    connections.run(&timeline).await
}

pub(super) async fn status(
    connections: &Connections,
    source: String,
    event: String,
) -> Result<Vec<EventStatus>, StoreError> {
    connections.run(&Status { source, event }).await
}

struct Timeline {
    correlation: String,
    after: TimelinePlace,
    rows_max: i64,
}

impl Operation for Timeline {
    type Answer = Vec<TimelineRow>;

    async fn run(&self, connection: &mut PgConnection) -> Result<Vec<TimelineRow>, Error> {
        let rows = sqlx::query(TIMELINE)
            .bind(text_hash(&self.correlation))
            .bind(escape(&self.correlation))
            .bind(self.after.at_ms)
            .bind(self.after.instance)
            .bind(self.after.number)
            .bind(self.rows_max)
            .fetch_all(connection)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(TimelineRow {
                    instance: row.try_get(0)?,
                    number: row.try_get(1)?,
                    correlation: shared(row.try_get(2)?),
                    source: shared(row.try_get(3)?),
                    event: shared(row.try_get(4)?),
                    event_type: shared(row.try_get(5)?),
                    worker: shared(row.try_get(6)?),
                    at_ms: row.try_get(7)?,
                    steps: serde_json::from_str(row.try_get(8)?)
                        .map_err(|_| unreadable("a timeline's steps are not JSON"))?,
                    state: shared(row.try_get(9)?),
                })
            })
            .collect()
    }
}

struct Status {
    source: String,
    event: String,
}

impl Operation for Status {
    type Answer = Vec<EventStatus>;

    async fn run(&self, connection: &mut PgConnection) -> Result<Vec<EventStatus>, Error> {
        let rows = sqlx::query(STATUS)
            .bind(event_hash(&self.source, &self.event))
            .bind(escape(&self.source))
            .bind(escape(&self.event))
            .bind(i64::from(limits::OPERATOR_ROWS_MAX))
            .fetch_all(connection)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(EventStatus {
                    worker: shared(row.try_get(0)?),
                    state: shared(row.try_get(1)?),
                    at_ms: row.try_get(2)?,
                    correlation: shared(row.try_get(3)?),
                })
            })
            .collect()
    }
}
