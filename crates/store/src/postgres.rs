//! The store on PostgreSQL: one operation per file, each one statement where it can be.
//!
//! Nothing is connected before it is needed, so that a process starts while the store is down. Every operation ends
//! within a bound, whatever the server or the network does, and is repeated once on its own where that may help.

mod audit;
mod claim;
mod connection;
mod effect_row;
mod fault;
mod find;
mod identity;
mod lane;
mod letters;
mod owners;
mod park;
mod parked;
mod plan_steps;
mod project;
mod project_letters;
mod recall;
mod record;
mod resolve;
mod schema;
mod suspects;
mod text;
mod timelines;

use std::fmt;

use argosy_kernel::Epoch;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::{
    AuditRow, Claim, ClaimAnswer, DueStep, EffectId, EffectRow, EventKey, EventStatus, FoundParked,
    LeftRunning, Letter, LetterId, LetterQuestion, LetterRow, LoadedRow, OutcomeRow, OwnerKey,
    ParkAnswer, ParkChange, ParkLoad, PlanStepAnswer, PlanStepKind, Resolution, Resolved, Store,
    StoreError, TimelinePlace, TimelineRow,
};
use connection::{Connections, connections};

/// PostgreSQL as a store.
pub struct Postgres {
    /// For what runs wait on: owners, claims, outcomes, recalls.
    runs: Connections,
    /// For projections and people, so that a long question never delays a claim.
    reads: Connections,
}

impl fmt::Debug for Postgres {
    /// The URL may carry a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("server", &self.runs.server())
            .finish_non_exhaustive()
    }
}

impl Postgres {
    /// Prepares up to `connections_max` connections (at least two); none is made yet.
    ///
    /// # Errors
    ///
    /// If the URL is not one.
    pub fn connect(url: &str, connections_max: u32) -> Result<Self, StoreError> {
        let options = connection::options(url)?;
        let reads_max = (connections_max / 3).max(1);
        let runs_max = connections_max.saturating_sub(reads_max).max(1);
        Ok(Self {
            runs: connections(options.clone(), runs_max),
            reads: connections(options, reads_max),
        })
    }

    /// Brings the schema to what this build needs; several may do so at once.
    ///
    /// # Errors
    ///
    /// If the store is away, or holds a schema that was not made by these migrations.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        schema::migrate(&self.reads).await
    }

    /// Ends its connections, after what is under way.
    pub async fn close(&self) {
        self.runs.close().await;
        self.reads.close().await;
    }
}

impl Store for Postgres {
    fn take_owners(
        &self,
        instance: Uuid,
        owners: Vec<OwnerKey>,
    ) -> BoxFuture<'_, Result<Vec<Epoch>, StoreError>> {
        Box::pin(owners::take(&self.runs, instance, owners))
    }

    fn recall(
        &self,
        events: Vec<EventKey>,
    ) -> BoxFuture<'_, Result<Vec<Vec<EffectRow>>, StoreError>> {
        Box::pin(recall::recall(&self.runs, events))
    }

    fn claim(&self, claims: Vec<Claim>) -> BoxFuture<'_, Result<Vec<ClaimAnswer>, StoreError>> {
        Box::pin(claim::claim(&self.runs, claims))
    }

    fn record(&self, outcomes: Vec<OutcomeRow>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(record::record(&self.runs, outcomes))
    }

    fn park(&self, changes: Vec<ParkChange>) -> BoxFuture<'_, Result<Vec<ParkAnswer>, StoreError>> {
        Box::pin(park::park(&self.runs, changes))
    }

    fn parked(&self, owner: OwnerKey) -> BoxFuture<'_, Result<FoundParked, StoreError>> {
        Box::pin(parked::found(&self.runs, owner))
    }

    fn load_parked(
        &self,
        loads: Vec<ParkLoad>,
    ) -> BoxFuture<'_, Result<Vec<Vec<LoadedRow>>, StoreError>> {
        Box::pin(parked::load(&self.runs, loads))
    }

    fn suspect(&self, left: LeftRunning) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(suspects::tell(&self.reads, left))
    }

    fn forget_suspects(
        &self,
        owner: OwnerKey,
        offsets: Vec<i64>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(suspects::forget(&self.reads, owner, offsets))
    }

    fn resolve(
        &self,
        id: EffectId,
        resolution: Resolution,
        actor: String,
    ) -> BoxFuture<'_, Result<Resolved, StoreError>> {
        Box::pin(resolve::resolve(&self.reads, id, resolution, actor))
    }

    fn effects(
        &self,
        source: String,
        event: String,
    ) -> BoxFuture<'_, Result<Vec<EffectRow>, StoreError>> {
        Box::pin(recall::of_event(&self.reads, source, event))
    }

    fn audit(&self, rows_max: u32) -> BoxFuture<'_, Result<Vec<AuditRow>, StoreError>> {
        Box::pin(audit::newest(&self.reads, rows_max))
    }

    fn project(&self, rows: Vec<TimelineRow>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(project::project(&self.reads, rows))
    }

    fn timeline(
        &self,
        correlation: String,
        after: TimelinePlace,
        rows_max: u32,
    ) -> BoxFuture<'_, Result<Vec<TimelineRow>, StoreError>> {
        Box::pin(timelines::timeline(
            &self.reads,
            correlation,
            after,
            rows_max,
        ))
    }

    fn status(
        &self,
        source: String,
        event: String,
    ) -> BoxFuture<'_, Result<Vec<EventStatus>, StoreError>> {
        Box::pin(timelines::status(&self.reads, source, event))
    }

    fn project_letters(&self, rows: Vec<LetterRow>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(project_letters::project(&self.reads, rows))
    }

    fn dead_letters(
        &self,
        question: LetterQuestion,
    ) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        Box::pin(letters::list(&self.reads, question))
    }

    fn dead_letter(&self, id: LetterId) -> BoxFuture<'_, Result<Option<Letter>, StoreError>> {
        Box::pin(letters::one(&self.reads, id))
    }

    fn ask_plan_step(
        &self,
        id: LetterId,
        kind: PlanStepKind,
        actor: String,
    ) -> BoxFuture<'_, Result<PlanStepAnswer, StoreError>> {
        Box::pin(plan_steps::ask(&self.reads, id, kind, actor))
    }

    fn due_plan_steps(
        &self,
        owners: Vec<OwnerKey>,
        rows_max: u32,
    ) -> BoxFuture<'_, Result<Vec<DueStep>, StoreError>> {
        Box::pin(plan_steps::due(&self.runs, owners, rows_max))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(schema::ping(&self.reads))
    }
}
