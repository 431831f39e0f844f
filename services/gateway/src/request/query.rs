//! The query of an address, as one typed value; unknown names are errors.

use axum::{extract::Query, http::Uri};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Reads the query.
pub(crate) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    match Query::try_from_uri(uri) {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(Problem::invalid("query", rejection.body_text())),
    }
}
