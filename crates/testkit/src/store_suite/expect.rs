//! Asking the store and expecting: what the cases have in common when they read an answer.

use argosy_store::{
    Claim, ClaimAnswer, EffectId, EffectRow, EffectState, OutcomeRow, Resolution, Resolved,
    StoreError,
};
use bytes::Bytes;

use super::World;

impl World<'_> {
    /// One claim's answer.
    pub(super) async fn ask(&self, claim: Claim) -> ClaimAnswer {
        let mut answers = self.claims(vec![claim]).await;
        answers.pop().expect("one answer to one claim")
    }

    pub(super) async fn claims(&self, claims: Vec<Claim>) -> Vec<ClaimAnswer> {
        let asked = claims.len();
        let answers = self
            .store
            .claim(claims)
            .await
            .expect("the store is up and the claims are sound");
        assert_eq!(answers.len(), asked, "one answer to each claim");
        answers
    }

    /// Claims and expects the grant; its number.
    pub(super) async fn granted(&self, claim: Claim) -> i64 {
        number_granted(&self.ask(claim).await)
    }

    /// Claims and expects a row.
    pub(super) async fn found(&self, claim: Claim) -> EffectRow {
        row_found(self.ask(claim).await)
    }

    pub(super) async fn record(&self, outcomes: Vec<OutcomeRow>) {
        self.store
            .record(outcomes)
            .await
            .expect("the store is up and the outcomes are sound");
    }

    /// The effect's row, by recall.
    pub(super) async fn row(&self, id: &EffectId) -> EffectRow {
        let mut events = self
            .store
            .recall(vec![id.of.clone()])
            .await
            .expect("the store is up");
        let rows = events.pop().expect("one list for one event");
        rows.into_iter()
            .find(|row| row.id == *id)
            .expect("the effect was claimed")
    }

    pub(super) async fn state(&self, id: &EffectId) -> EffectState {
        self.row(id).await.state
    }

    pub(super) async fn resolve(
        &self,
        id: &EffectId,
        resolution: Resolution,
    ) -> Result<Resolved, StoreError> {
        self.store
            .resolve(id.clone(), resolution, self.salt.to_string())
            .await
    }
}

pub(super) fn number_granted(answer: &ClaimAnswer) -> i64 {
    match answer {
        ClaimAnswer::Granted { number, .. } => *number,
        other => panic!("expected a grant, got {other:?}"),
    }
}

pub(super) fn row_found(answer: ClaimAnswer) -> EffectRow {
    match answer {
        ClaimAnswer::Found(row) => row,
        other => panic!("expected what is there, got {other:?}"),
    }
}

pub(super) fn success(answer: &'static str) -> EffectState {
    EffectState::Succeeded(Bytes::from_static(answer.as_bytes()))
}
