//! The operator: whoever holds the operator token, under a name of their own for the audit.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{check_bearer, name};
use crate::{Api, problem::Problem};

/// The header that names the person.
const ACTOR: &str = "x-actor";

/// A request with the operator token.
pub(crate) struct Operator {
    /// Who, for the audit.
    pub(crate) actor: String,
}

impl FromRequestParts<Api> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Some(token) = api.operator_token() else {
            return Err(Problem::closed(
                "the operator's addresses are closed: set gateway.operator_token",
            ));
        };
        check_bearer(&parts.headers, token, "operator")?;
        let actor = match parts.headers.get(ACTOR) {
            None => "operator".to_owned(),
            Some(value) => match value.to_str() {
                Ok(text) => name(ACTOR, text.to_owned())?,
                Err(_) => return Err(Problem::invalid(ACTOR, "is not printable text")),
            },
        };
        Ok(Self { actor })
    }
}
