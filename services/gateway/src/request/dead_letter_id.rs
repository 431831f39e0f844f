//! The dead letter that a path names.

use argosy_store::LetterId;
use axum::{
    extract::{FromRequestParts, Path, rejection::PathRejection},
    http::request::Parts,
};

use super::name;
use crate::{Api, problem::Problem};

/// `…/{worker}/{topic}/{partition}/{offset}`.
pub(crate) struct DeadLetterId(pub(crate) LetterId);

impl FromRequestParts<Api> for DeadLetterId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path: Result<Path<[String; 4]>, PathRejection> =
            Path::from_request_parts(parts, api).await;
        let Path([worker, topic, partition, offset]) =
            path.map_err(|_| Problem::invalid("id", "is not UTF-8 text"))?;
        let id = name("id", format!("{worker}/{topic}/{partition}/{offset}"))?;
        let id: LetterId = id
            .parse()
            .map_err(|_| Problem::invalid("id", "is not worker/topic/partition/offset"))?;
        // A slash within a segment would shift the ones before it.
        if *id.topic != *topic {
            return Err(Problem::invalid(
                "id",
                "is not worker/topic/partition/offset",
            ));
        }
        Ok(Self(id))
    }
}
