//! Recalling the effects of events: for a run that begins, and for the operator.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use sqlx::{Error, PgConnection};

use super::{
    connection::{Connections, Operation},
    effect_row::{effect_columns, effect_row},
    identity::event_hash,
    text::escape,
};
use crate::{EffectRow, EventKey, StoreError, limits};

const RECALL: &str = concat!(
    "select",
    effect_columns!(),
    r#"
from unnest($1::bytea[], $2::text[], $3::text[], $4::text[]) as asked (event_hash, worker, source, event)
join effects using (event_hash, worker, source, event)
order by effects.name, effects.key
"#
);

const OF_EVENT: &str = concat!(
    "select",
    effect_columns!(),
    r#"
from effects
where event_hash = $1 and source = $2 and event = $3
order by effects.worker, effects.name, effects.key
limit $4
"#
);

pub(super) async fn recall(
    connections: &Connections,
    events: Vec<EventKey>,
) -> Result<Vec<Vec<EffectRow>>, StoreError> {
    let once: BTreeSet<&EventKey> = events.iter().collect();
    if once.is_empty() {
        return Ok(Vec::new());
    }
    let rows = connections.run(&Recall(once.into_iter().collect())).await?;
    let mut by_event: HashMap<&EventKey, Vec<EffectRow>> = HashMap::new();
    for row in &rows {
        by_event.entry(&row.id.of).or_default().push(row.clone());
    }
    Ok(events
        .iter()
        .map(|event| by_event.get(event).cloned().unwrap_or_default())
        .collect())
}

pub(super) async fn of_event(
    connections: &Connections,
    source: String,
    event: String,
) -> Result<Vec<EffectRow>, StoreError> {
    connections.run(&OfEvent { source, event }).await
}

struct Recall<'a>(Vec<&'a EventKey>);

impl Operation for Recall<'_> {
    type Answer = Vec<EffectRow>;

    async fn run(&self, connection: &mut PgConnection) -> Result<Vec<EffectRow>, Error> {
        let column = |text: fn(&EventKey) -> &Arc<str>| -> Vec<_> {
            self.0.iter().map(|event| escape(text(event))).collect()
        };
        let hashes: Vec<_> = self
            .0
            .iter()
            .map(|event| event_hash(&event.source, &event.event))
            .collect();
        let rows = sqlx::query(RECALL)
            .bind(hashes)
            .bind(column(|event| &event.worker))
            .bind(column(|event| &event.source))
            .bind(column(|event| &event.event))
            .fetch_all(connection)
            .await?;
        rows.iter().map(effect_row).collect()
    }
}

struct OfEvent {
    source: String,
    event: String,
}

impl Operation for OfEvent {
    type Answer = Vec<EffectRow>;

    async fn run(&self, connection: &mut PgConnection) -> Result<Vec<EffectRow>, Error> {
        let rows = sqlx::query(OF_EVENT)
            .bind(event_hash(&self.source, &self.event))
            .bind(escape(&self.source))
            .bind(escape(&self.event))
            .bind(i64::from(limits::OPERATOR_ROWS_MAX))
            .fetch_all(connection)
            .await?;
        rows.iter().map(effect_row).collect()
    }
}
