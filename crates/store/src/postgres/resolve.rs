//! An operator's word on an effect, and its audit row, in one transaction.

use sqlx::{Connection, Error, PgConnection};

use super::{
    audit::AUDIT,
    connection::{Connections, Operation},
    effect_row::{effect_columns, effect_row},
    identity::{event_hash, identity},
    text::escape,
};
use crate::{EffectId, EffectState, Resolution, Resolved, StoreError};

const LOCK: &str = concat!(
    "select",
    effect_columns!(),
    "from effects where event_hash = $1 and identity = $2 for no key update"
);

const SETTLE: &str = concat!(
    r#"
update effects set state = $3, answer = $4, settled_at = clock_timestamp()
where event_hash = $1 and identity = $2
returning
"#,
    effect_columns!(),
);

pub(super) async fn resolve(
    connections: &Connections,
    id: EffectId,
    resolution: Resolution,
    actor: String,
) -> Result<Resolved, StoreError> {
    resolution.check()?;
    let resolve = Resolve {
        id,
        resolution,
        actor,
    };
    connections.run(&resolve).await
}

struct Resolve {
    id: EffectId,
    resolution: Resolution,
    actor: String,
}

impl Operation for Resolve {
    type Answer = Resolved;

    /// Committed, but not heard of, it would be refused the second time.
    const IS_REPEATABLE: bool = false;

    async fn run(&self, connection: &mut PgConnection) -> Result<Resolved, Error> {
        let event_hash = event_hash(&self.id.of.source, &self.id.of.event);
        let identity = identity(&self.id);
        let mut transaction = connection.begin().await?;
        let row = sqlx::query(LOCK)
            .bind(event_hash)
            .bind(identity)
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(row) = row else {
            return Ok(Resolved::Unknown);
        };
        let found = effect_row(&row)?;
        match found.state {
            EffectState::Released | EffectState::Open(None) => {}
            EffectState::Succeeded(_) | EffectState::Open(Some(_)) => {
                return Ok(Resolved::Refused(found));
            }
        }
        let (state, answer) = match &self.resolution {
            Resolution::Happened(answer) => ("succeeded", Some(&**answer)),
            Resolution::DidNotHappen => ("released", None),
        };
        let settled = sqlx::query(SETTLE)
            .bind(event_hash)
            .bind(identity)
            .bind(state)
            .bind(answer)
            .fetch_one(&mut *transaction)
            .await?;
        sqlx::query(AUDIT)
            .bind(escape(&self.actor))
            .bind(Resolution::ACTION)
            .bind(self.resolution.subject(&self.id).to_string())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Resolved::Now(effect_row(&settled)?))
    }
}
