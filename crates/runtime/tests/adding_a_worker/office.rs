//! The client of the vetting office: its methods return calls as values and send nothing.
//! docs/adding-a-worker.md quotes it.

use std::time::Duration;

use argosy_events::orders::v1::Money;
use argosy_outbound::{
    Call, Dependency, Method, Read, Repeat, Request, classify_status, unreadable,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The office promises to know an idempotency key for so long.
const REMEMBERS: Duration = Duration::from_hours(24);

/// One account at the office.
pub(crate) struct Office {
    pub(crate) dependency: Dependency,
}

/// What the office answers; the journal keeps it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) case_id: String,
    pub(crate) is_risky: bool,
}

impl Office {
    /// Files an order to be vetted.
    pub(crate) fn file_case(&self, order_id: &str, total: &Money) -> Call<Case> {
        let body = json!({
            "reference": order_id,
            "amount": { "minor": total.minor.to_string(), "currency": total.currency },
        });
        Call {
            dependency: self.dependency.clone(),
            operation: "file-case",
            repeat: Repeat::Remembered(REMEMBERS),
            cost: 1,
            request: Request {
                method: Method::Post,
                path: "/v1/cases".into(),
                headers: vec![("content-type".into(), "application/json".into())],
                body: body.to_string().into(),
            },
            read: Read::new(|response| {
                classify_status(response)?;
                serde_json::from_slice(&response.body)
                    .map_err(|_| unreadable(response, "the office's answer is no case"))
            }),
            lookup: None,
        }
    }
}
