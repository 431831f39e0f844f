//! Claiming effects: fence, insert, refresh and take-over in one statement, so that nothing lies between check and act.
//!
//! The owner's row is locked `for share`: a new owner waits for the claims under way, and then fences all later ones.
//! The insert's conflict clause judges the newest committed row under its lock, so of two claimers one is granted.

use std::collections::HashMap;

use bytes::Bytes;
use metrics::counter;
use sqlx::{Error, PgConnection, Row};
use tracing::warn;

use super::{
    connection::{Connections, Operation},
    find::{Find, identity_of},
    identity::{EventHash, Identity, place},
    text::escape,
};
use crate::{Claim, ClaimAnswer, OwnerKey, StoreError, limits};

/// A fresh claim is proposed with number 1, a take-over with the number that would follow the one it saw; the
/// conflict clause reads from that which of the two it is. A request is answered only where it may be another's.
const CLAIM: &str = r#"
with owned as materialized (
    select asked.ordinal, owners.epoch
    from unnest($1::text[], $2::text[], $3::integer[]) with ordinality as asked (worker, topic, partition, ordinal)
    join owners using (worker, topic, partition)
    order by owners.worker, owners.topic, owners.partition
    for share of owners
),
granted as (
    insert into effects (
        event_hash, identity, worker, source, event, name, key, operation, request,
        number, run, body_hash, state, first_claimed_at, claimed_at, deadline
    )
    select
        event_hash, identity, worker, source, event, name, key, operation, request,
        number, run, body_hash, 'open', clock_timestamp(), clock_timestamp(),
        clock_timestamp() + hold_us * interval '1 microsecond'
    from unnest(
        $4::bytea[], $5::bytea[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
        $12::bytea[], $13::bigint[], $14::uuid[], $15::bytea[], $16::bigint[], $17::bigint[], $18::bigint[]
    ) as asked (
        event_hash, identity, worker, source, event, name, key, operation,
        request, number, run, body_hash, hold_us, ordinal, epoch
    )
    join owned using (ordinal, epoch)
    order by event_hash, identity
    on conflict (event_hash, identity) do update
    set number = effects.number + 1, run = excluded.run, state = 'open', claimed_at = clock_timestamp(),
        deadline = clock_timestamp() + (excluded.deadline - excluded.claimed_at)
    where (effects.state = 'open' and effects.run = excluded.run)
        or (
            excluded.number > 1 and effects.number = excluded.number - 1
            and (effects.state = 'released' or (effects.state = 'open' and effects.deadline <= clock_timestamp()))
        )
    returning identity, number, case when number > 1 then request end as request
)
select ordinal, epoch, null as identity, null as number, null as request from owned
union all
select null, null, identity, number, request from granted
"#;

pub(super) async fn claim(
    connections: &Connections,
    claims: Vec<Claim>,
) -> Result<Vec<ClaimAnswer>, StoreError> {
    claims.iter().try_for_each(Claim::check)?;
    let mut answers: Vec<Option<ClaimAnswer>> = claims.iter().map(|_| None).collect();
    for round in rounds(&claims) {
        claim_round(connections, &claims, &round, &mut answers).await?;
    }
    answers
        .into_iter()
        .map(|answer| {
            answer.ok_or_else(|| {
                // Erased between the refusal and the reading.
                StoreError::Unavailable("an effect vanished while it was claimed".to_owned())
            })
        })
        .collect()
}

/// Indices into the batch, so that no round names an effect twice: one statement cannot change a row twice.
fn rounds(claims: &[Claim]) -> Vec<Vec<Placed>> {
    let mut rounds: Vec<Vec<Placed>> = Vec::new();
    let mut seen: HashMap<Identity, usize> = HashMap::new();
    for (index, claim) in claims.iter().enumerate() {
        let (event_hash, identity) = place(&claim.id);
        let times = seen.entry(identity).or_default();
        if *times == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[*times].push(Placed {
            index,
            event_hash,
            identity,
        });
        *times += 1;
    }
    rounds
}

/// A claim of the batch and where its row lies.
struct Placed {
    index: usize,
    event_hash: EventHash,
    identity: Identity,
}

/// Told here and not by the asker, who may be gone by now: an instance that lost its membership drops its runs.
fn told_fenced(claim: &Claim) {
    counter!("argosy_claims_fenced_total").increment(1);
    let OwnerKey {
        worker,
        topic,
        partition,
    } = &claim.owner;
    let epoch = claim.epoch.0;
    warn!(
        event = "claim_fenced",
        worker = &**worker,
        topic = &**topic,
        partition,
        epoch,
        "claim refused: another instance owns the partition"
    );
}

async fn claim_round(
    connections: &Connections,
    claims: &[Claim],
    round: &[Placed],
    answers: &mut [Option<ClaimAnswer>],
) -> Result<(), StoreError> {
    let mut verdict = connections.run(&Round::new(claims, round)).await?;
    let mut refused = Vec::new();
    for placed in round {
        let claim = &claims[placed.index];
        answers[placed.index] = if verdict.epochs.get(&claim.owner) != Some(&claim.epoch.0) {
            told_fenced(claim);
            Some(ClaimAnswer::Fenced)
        } else if let Some((number, request)) = verdict.granted.remove(&placed.identity) {
            let request = request.unwrap_or_else(|| claim.request.clone());
            Some(ClaimAnswer::Granted { number, request })
        } else {
            refused.push(placed);
            None
        };
    }
    if refused.is_empty() {
        return Ok(());
    }
    let places = refused
        .iter()
        .map(|placed| (placed.event_hash, placed.identity))
        .collect();
    let mut found = connections.run(&Find(places)).await?;
    for placed in refused {
        answers[placed.index] = found.remove(&placed.identity).map(ClaimAnswer::Found);
    }
    Ok(())
}

/// One statement's worth of claims.
struct Round<'a> {
    owners: Vec<&'a OwnerKey>,
    /// With the ordinal of each claim's owner, from 1.
    claims: Vec<(&'a Placed, &'a Claim, i64)>,
}

/// What the statement said.
struct Verdict {
    epochs: HashMap<OwnerKey, i64>,
    /// The request is there if another than the asked one may be stored.
    granted: HashMap<Identity, (i64, Option<Bytes>)>,
}

impl<'a> Round<'a> {
    fn new(claims: &'a [Claim], round: &'a [Placed]) -> Self {
        let mut owners: Vec<&OwnerKey> = Vec::new();
        let mut ordinals: HashMap<&OwnerKey, i64> = HashMap::new();
        let claims = round
            .iter()
            .map(|placed| {
                let claim = &claims[placed.index];
                let ordinal = *ordinals.entry(&claim.owner).or_insert_with(|| {
                    owners.push(&claim.owner);
                    i64::try_from(owners.len()).expect("a batch is far below 2^63 claims")
                });
                (placed, claim, ordinal)
            })
            .collect();
        Self { owners, claims }
    }

    /// A column of the claims.
    fn column<T>(&self, value: impl Fn(&'a Claim) -> T) -> Vec<T> {
        self.claims
            .iter()
            .map(|(_, claim, _)| value(claim))
            .collect()
    }
}

impl Operation for Round<'_> {
    type Answer = Verdict;

    async fn run(&self, connection: &mut PgConnection) -> Result<Verdict, Error> {
        let owners = &self.owners;
        let rows = sqlx::query(CLAIM)
            .bind(
                owners
                    .iter()
                    .map(|owner| escape(&owner.worker))
                    .collect::<Vec<_>>(),
            )
            .bind(
                owners
                    .iter()
                    .map(|owner| escape(&owner.topic))
                    .collect::<Vec<_>>(),
            )
            .bind(
                owners
                    .iter()
                    .map(|owner| owner.partition)
                    .collect::<Vec<_>>(),
            )
            .bind(
                self.claims
                    .iter()
                    .map(|(placed, ..)| placed.event_hash)
                    .collect::<Vec<_>>(),
            )
            .bind(
                self.claims
                    .iter()
                    .map(|(placed, ..)| placed.identity)
                    .collect::<Vec<_>>(),
            )
            .bind(self.column(|claim| escape(&claim.id.of.worker)))
            .bind(self.column(|claim| escape(&claim.id.of.source)))
            .bind(self.column(|claim| escape(&claim.id.of.event)))
            .bind(self.column(|claim| escape(&claim.id.name)))
            .bind(self.column(|claim| escape(&claim.id.key)))
            .bind(self.column(|claim| escape(&claim.operation)))
            .bind(self.column(|claim| &*claim.request))
            .bind(self.column(proposed_number))
            .bind(self.column(|claim| claim.run))
            .bind(self.column(|claim| claim.body_hash))
            .bind(self.column(hold_us))
            .bind(
                self.claims
                    .iter()
                    .map(|(.., ordinal)| *ordinal)
                    .collect::<Vec<_>>(),
            )
            .bind(self.column(|claim| claim.epoch.0))
            .fetch_all(connection)
            .await?;
        let mut verdict = Verdict {
            epochs: HashMap::new(),
            granted: HashMap::new(),
        };
        for row in &rows {
            if let Some(ordinal) = row.try_get::<Option<i64>, _>("ordinal")? {
                let owner = usize::try_from(ordinal - 1)
                    .ok()
                    .and_then(|at| owners.get(at));
                let owner = owner.ok_or(Error::RowNotFound)?;
                verdict
                    .epochs
                    .insert((*owner).clone(), row.try_get("epoch")?);
            } else {
                let request: Option<Vec<u8>> = row.try_get("request")?;
                verdict.granted.insert(
                    identity_of(row.try_get("identity")?)?,
                    (row.try_get("number")?, request.map(Bytes::from)),
                );
            }
        }
        Ok(verdict)
    }
}

fn proposed_number(claim: &Claim) -> i64 {
    claim.over.unwrap_or(0).max(0).saturating_add(1)
}

fn hold_us(claim: &Claim) -> i64 {
    i64::try_from(claim.hold.min(limits::HOLD_MAX).as_micros())
        .expect("the longest hold is far below 2^63 microseconds")
}
