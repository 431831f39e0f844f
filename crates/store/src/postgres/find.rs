//! Finding effects by identity, as they are committed now.

use std::collections::HashMap;

use sqlx::{Error, PgConnection, Row};

use super::{
    connection::Operation,
    effect_row::{effect_columns, effect_row},
    fault::unreadable,
    identity::{EventHash, Identity},
};
use crate::EffectRow;

const FIND: &str = concat!(
    "select effects.identity,",
    effect_columns!(),
    r#"
from unnest($1::bytea[], $2::bytea[]) as asked (event_hash, identity)
join effects using (event_hash, identity)
"#
);

/// Reads the rows at these places.
pub(super) struct Find(pub(super) Vec<(EventHash, Identity)>);

impl Operation for Find {
    type Answer = HashMap<Identity, EffectRow>;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        let (event_hashes, identities): (Vec<_>, Vec<_>) = self.0.iter().copied().unzip();
        let rows = sqlx::query(FIND)
            .bind(event_hashes)
            .bind(identities)
            .fetch_all(connection)
            .await?;
        rows.iter()
            .map(|row| Ok((identity_of(row.try_get(0)?)?, effect_row(row)?)))
            .collect()
    }
}

/// An identity as a column holds it.
pub(super) fn identity_of(column: &[u8]) -> Result<Identity, Error> {
    column
        .try_into()
        .map_err(|_| unreadable("an identity has not 32 bytes"))
}
