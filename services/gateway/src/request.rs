//! What endpoints read from requests: bodies, queries, names, credentials. Whatever does not fit is a problem.

mod body;
mod dead_letter_id;
mod json;
mod name;
mod operator;
mod query;
mod token;

pub(crate) use body::{Arrived, Body};
pub(crate) use dead_letter_id::DeadLetterId;
pub(crate) use json::json;
pub(crate) use name::{Name, encoded, name};
pub(crate) use operator::Operator;
pub(crate) use query::query;
pub(crate) use token::check_bearer;
