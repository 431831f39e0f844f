//! Timelines in the model: a known row changes nothing, a settled state yields only to one that says more.

use std::sync::Arc;

use argosy_store::{EventStatus, TimelinePlace, TimelineRow, finality, limits};

use super::tables::Tables;

pub(super) fn project(tables: &mut Tables, rows: Vec<TimelineRow>) {
    for row in rows {
        let key = (
            Arc::clone(&row.source),
            Arc::clone(&row.event),
            Arc::clone(&row.worker),
        );
        let status = EventStatus {
            worker: Arc::clone(&row.worker),
            state: Arc::clone(&row.state),
            at_ms: row.at_ms,
            correlation: Arc::clone(&row.correlation),
        };
        if !tables.add_timeline(row) {
            continue;
        }
        let replaces = tables.status(&key).is_none_or(|before| {
            let (was, is) = (finality(&before.state), finality(&status.state));
            is > was || (is == 0 && was == 0 && status.at_ms >= before.at_ms)
        });
        if replaces {
            tables.put_status(key, status);
        }
    }
}

pub(super) fn timeline(
    tables: &Tables,
    correlation: &str,
    after: TimelinePlace,
    rows_max: u32,
) -> Vec<TimelineRow> {
    let mut rows: Vec<_> = tables
        .timelines()
        .filter(|row| &*row.correlation == correlation && row.place() > after)
        .collect();
    rows.sort_by_key(|row| row.place());
    let rows_max = rows_max.min(limits::TIMELINE_ROWS_MAX) as usize;
    rows.into_iter().take(rows_max).cloned().collect()
}

pub(super) fn status(tables: &Tables, source: &str, event: &str) -> Vec<EventStatus> {
    tables
        .statuses_from((Arc::from(source), Arc::from(event), Arc::from("")))
        .take_while(|((of, id, _), _)| &**of == source && &**id == event)
        .map(|(_, status)| status.clone())
        .collect()
}
