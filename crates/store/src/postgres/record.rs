//! Recording outcomes: a success stands for ever, whoever else claims; a release is for the newest claim alone.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Error, PgConnection};

use super::{
    connection::{Connections, Operation},
    identity::{EventHash, Identity, place},
};
use crate::{OutcomeRow, RecordedOutcome, StoreError};

/// The rows are locked in the order in which claims lock theirs, then changed.
const RECORD: &str = r#"
with asked as (
    select * from unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[])
        as asked (event_hash, identity, number, answer)
),
locked as materialized (
    select effects.event_hash, effects.identity
    from (select distinct event_hash, identity from asked) as wanted
    join effects using (event_hash, identity)
    order by event_hash, identity
    for no key update of effects
)
update effects
set state = case when asked.answer is null then 'released' else 'succeeded' end,
    answer = asked.answer,
    settled_at = clock_timestamp()
from asked join locked using (event_hash, identity)
where effects.event_hash = asked.event_hash and effects.identity = asked.identity
    and effects.state <> 'succeeded'
    and (asked.answer is not null or (effects.state = 'open' and effects.number = asked.number))
"#;

pub(super) async fn record(
    connections: &Connections,
    outcomes: Vec<OutcomeRow>,
) -> Result<(), StoreError> {
    outcomes.iter().try_for_each(OutcomeRow::check)?;
    if outcomes.is_empty() {
        return Ok(());
    }
    connections.run(&Record::new(&outcomes)).await
}

/// What a batch says of one effect, as if its outcomes came one after another.
enum Said<'a> {
    Succeeded(i64, &'a [u8]),
    NotHappened(BTreeSet<i64>),
}

struct Record<'a>(BTreeMap<(EventHash, Identity), Said<'a>>);

impl<'a> Record<'a> {
    fn new(outcomes: &'a [OutcomeRow]) -> Self {
        let mut said = BTreeMap::new();
        for row in outcomes {
            let of_effect = said
                .entry(place(&row.id))
                .or_insert_with(|| Said::NotHappened(BTreeSet::new()));
            match (of_effect, &row.outcome) {
                (Said::Succeeded(..), _) => {}
                (Said::NotHappened(numbers), RecordedOutcome::NotHappened) => {
                    numbers.insert(row.number);
                }
                (of_effect, RecordedOutcome::Succeeded(answer)) => {
                    *of_effect = Said::Succeeded(row.number, answer);
                }
            }
        }
        Self(said)
    }
}

impl Operation for Record<'_> {
    type Answer = ();

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let (mut event_hashes, mut identities) = (Vec::new(), Vec::new());
        let (mut numbers, mut answers) = (Vec::new(), Vec::new());
        for ((event_hash, identity), said) in &self.0 {
            let rows: Vec<(i64, Option<&[u8]>)> = match said {
                Said::Succeeded(number, answer) => vec![(*number, Some(*answer))],
                Said::NotHappened(of) => of.iter().map(|number| (*number, None)).collect(),
            };
            for (number, answer) in rows {
                event_hashes.push(*event_hash);
                identities.push(*identity);
                numbers.push(number);
                answers.push(answer);
            }
        }
        sqlx::query(RECORD)
            .bind(event_hashes)
            .bind(identities)
            .bind(numbers)
            .bind(answers)
            .execute(connection)
            .await?;
        Ok(())
    }
}
