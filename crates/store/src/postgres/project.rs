//! Projecting timeline rows: a known row changes nothing, a new one also moves its event's status.

use std::collections::HashSet;

use sqlx::{Error, PgConnection};

use super::{
    connection::{Connections, Operation},
    identity::{event_hash, text_hash},
    text::escape,
};
use crate::{StoreError, TimelineRow, finality};

/// Of the rows that were new, one per event and worker speaks: the first of those that settle most, else the latest.
/// What says more stays. Both inserts are sorted, so that two batches never wait for each other in a ring.
const PROJECT: &str = r#"
with asked as (
    select * from unnest(
        $1::uuid[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::bigint[], $12::text[], $13::text[], $14::smallint[]
    ) with ordinality as asked (
        instance, number, correlation_hash, event_hash, worker_hash, correlation, source, event,
        event_type, worker, at_ms, steps, state, finality, ordinal
    )
),
inserted as (
    insert into timeline_rows (
        instance, number, correlation_hash, event_hash, correlation, source, event, event_type, worker, at_ms,
        steps, state
    )
    select
        instance, number, correlation_hash, event_hash, correlation, source, event, event_type, worker, at_ms,
        steps::json, state
    from asked
    order by instance, number
    on conflict (instance, number) do nothing
    returning instance, number
),
speaking as (
    select distinct on (event_hash, worker_hash) asked.*
    from asked join inserted using (instance, number)
    order by
        event_hash, worker_hash, finality desc, case when finality > 0 then ordinal end, at_ms desc, ordinal desc
)
insert into event_status as before (event_hash, worker_hash, source, event, worker, state, at_ms, correlation)
select event_hash, worker_hash, source, event, worker, state, at_ms, correlation
from speaking
order by event_hash, worker_hash
on conflict (event_hash, worker_hash) do update
set state = excluded.state, at_ms = excluded.at_ms, correlation = excluded.correlation
where case before.state when 'done' then false when 'skipped' then false
    when 'dead' then excluded.state in ('done', 'skipped')
    else excluded.state in ('done', 'skipped', 'dead') or excluded.at_ms >= before.at_ms
end
"#;

pub(super) async fn project(
    connections: &Connections,
    rows: Vec<TimelineRow>,
) -> Result<(), StoreError> {
    let mut seen = HashSet::new();
    let once: Vec<&TimelineRow> = rows
        .iter()
        .filter(|row| seen.insert((row.instance, row.number)))
        .collect();
    if once.is_empty() {
        return Ok(());
    }
    connections.run(&Project(once)).await
}

struct Project<'a>(Vec<&'a TimelineRow>);

impl<'a> Project<'a> {
    fn column<T>(&self, value: impl Fn(&'a TimelineRow) -> T) -> Vec<T> {
        self.0.iter().map(|row| value(row)).collect()
    }
}

impl Operation for Project<'_> {
    type Answer = ();

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Error> {
        sqlx::query(PROJECT)
            .bind(self.column(|row| row.instance))
            .bind(self.column(|row| row.number))
            .bind(self.column(|row| text_hash(&row.correlation)))
            .bind(self.column(|row| event_hash(&row.source, &row.event)))
            .bind(self.column(|row| text_hash(&row.worker)))
            .bind(self.column(|row| escape(&row.correlation)))
            .bind(self.column(|row| escape(&row.source)))
            .bind(self.column(|row| escape(&row.event)))
            .bind(self.column(|row| escape(&row.event_type)))
            .bind(self.column(|row| escape(&row.worker)))
            .bind(self.column(|row| row.at_ms))
            .bind(self.column(|row| row.steps.to_string()))
            .bind(self.column(|row| escape(&row.state)))
            .bind(self.column(|row| finality(&row.state)))
            .execute(connection)
            .await?;
        Ok(())
    }
}
