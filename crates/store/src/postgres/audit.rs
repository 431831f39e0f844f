//! The audit: how a row is added within another operation's transaction, and the newest rows.

use sqlx::{Error, PgConnection, Row};

use super::{
    connection::{Connections, Operation},
    fault::unreadable,
    text::unescape,
};
use crate::{AuditRow, StoreError, limits};

/// Actor, action, subject as JSON text.
pub(super) const AUDIT: &str =
    "insert into audit (actor, action, subject) values ($1, $2, $3::text::json)";

const NEWEST: &str = r#"
select (extract(epoch from at) * 1000)::bigint as at_ms, actor, action, subject::text
from audit order by id desc limit $1
"#;

pub(super) async fn newest(
    connections: &Connections,
    rows_max: u32,
) -> Result<Vec<AuditRow>, StoreError> {
    let rows_max = rows_max.min(limits::OPERATOR_ROWS_MAX);
    connections.run(&Newest(i64::from(rows_max))).await
}

struct Newest(i64);

impl Operation for Newest {
    type Answer = Vec<AuditRow>;

    async fn run(&self, connection: &mut PgConnection) -> Result<Vec<AuditRow>, Error> {
        let rows = sqlx::query(NEWEST)
            .bind(self.0)
            .fetch_all(connection)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(AuditRow {
                    at_ms: row.try_get(0)?,
                    actor: unescape(row.try_get(1)?),
                    action: row.try_get(2)?,
                    subject: serde_json::from_str(row.try_get(3)?)
                        .map_err(|_| unreadable("an audit subject is not JSON"))?,
                })
            })
            .collect()
    }
}
