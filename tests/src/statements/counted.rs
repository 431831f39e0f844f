//! What PostgreSQL counted: calls by statement, and the operation that each belongs to.

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::sync::Mutex;

/// Statements that only frame others.
const FRAMES: [&str; 3] = ["begin", "commit", "rollback"];

/// What a worker asks every second, whatever it handles: what operators want done with dead letters.
const EVERY_SECOND: &str = "from plan_steps as step";

/// What the operations' statements name; each operation of the store has one that nobody else has.
const OPERATIONS: [(&str, &str); 3] = [
    ("recall", "join effects using (event_hash, worker"),
    ("claim", "insert into effects"),
    ("record", "update effects"),
];

/// The suite's own connection.
#[derive(Debug)]
pub(super) struct Counter(Mutex<PgConnection>);

/// Calls by statement, most first; frames apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    calls: Vec<(String, i64)>,
    frames: i64,
    /// Questions that are asked every second.
    every_second: i64,
}

impl Counter {
    pub(super) async fn connect(url: &str) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql("create extension if not exists pg_stat_statements")
            .execute(&mut connection)
            .await?;
        Ok(Self(Mutex::new(connection)))
    }

    pub(super) async fn reset(&self) -> anyhow::Result<()> {
        let mut connection = self.0.lock().await;
        sqlx::raw_sql("select pg_stat_statements_reset()")
            .execute(&mut *connection)
            .await?;
        Ok(())
    }

    pub(super) async fn read(&self) -> anyhow::Result<Counted> {
        let mut connection = self.0.lock().await;
        let rows = sqlx::raw_sql("select query, calls from pg_stat_statements")
            .fetch_all(&mut *connection)
            .await?;
        let rows = rows
            .iter()
            .map(|row| Ok((row.try_get("query")?, row.try_get("calls")?)));
        let rows: Result<Vec<(String, i64)>, sqlx::Error> = rows.collect();
        Ok(Counted::of(rows?))
    }
}

impl Counted {
    fn of(rows: Vec<(String, i64)>) -> Self {
        let mut counted = Self::default();
        for (query, calls) in rows {
            let query = query
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .to_lowercase();
            if query.contains("pg_stat_statements") {
                continue;
            }
            if query.contains(EVERY_SECOND) {
                counted.every_second += calls;
            } else if FRAMES.iter().any(|frame| query.starts_with(frame)) {
                counted.frames += calls;
            } else {
                counted.calls.push((query, calls));
            }
        }
        counted
            .calls
            .sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
        counted
    }

    /// Statements that records cost, frames left out.
    pub(super) fn statements(&self) -> i64 {
        self.calls.iter().map(|(_, calls)| calls).sum()
    }

    /// Questions that are asked every second.
    pub(super) fn every_second(&self) -> i64 {
        self.every_second
    }

    fn calls_of(&self, mark: &str) -> i64 {
        let own = self.calls.iter().filter(|(query, _)| query.contains(mark));
        own.map(|(_, calls)| calls).sum()
    }

    pub(super) fn to_json(&self, records: usize, seconds: f64) -> Value {
        let per_record = |count: i64| round(count as f64 / records as f64);
        let groups: serde_json::Map<String, Value> = OPERATIONS
            .iter()
            .map(|(name, mark)| (*name, self.calls_of(mark)))
            .filter(|(_, calls)| *calls > 0)
            .map(|(name, calls)| (name.to_owned(), round(records as f64 / calls as f64).into()))
            .collect();
        let statements: Vec<Value> = self
            .calls
            .iter()
            .map(|(query, calls)| {
                let head: String = query.chars().take(60).collect();
                json!({ "calls": calls, "statement": head })
            })
            .collect();
        json!({
            "records": records,
            "seconds": round(seconds),
            "statements_per_record": per_record(self.statements()),
            "with_begin_and_commit": per_record(self.statements() + self.frames),
            "records_per_group": groups,
            "statements": statements,
        })
    }
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_the_counting_itself_are_left_out_and_groups_are_computed() {
        let row = |query: &str, calls| (query.to_owned(), calls);
        let counted = Counted::of(vec![
            row("BEGIN", 50),
            row("COMMIT", 50),
            row("select query, calls from pg_stat_statements", 3),
            row(
                "select *\n from asked join effects using (event_hash, worker, source)",
                20,
            ),
            row("with w as (select)  insert into effects", 30),
            row("update effects set state", 25),
        ]);
        assert_eq!((counted.statements(), counted.frames), (75, 100));
        let told = counted.to_json(600, 3.0);
        assert_eq!(told["statements_per_record"], 0.125);
        assert_eq!(told["with_begin_and_commit"], 0.292);
        let groups = json!({ "recall": 30.0, "claim": 20.0, "record": 24.0 });
        assert_eq!(told["records_per_group"], groups);
        assert_eq!(told["statements"][0]["calls"], 30);
        assert_eq!(Counted::of(Vec::new()).statements(), 0);
    }
}
