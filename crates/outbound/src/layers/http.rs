//! Hands a request to a socket and reads the answer, bounded.
//!
//! Invariant: the claim's age is looked at last, with nothing in between but the hand-over itself.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::Client;
use thiserror::Error;

use super::{Layer, Outgoing, timeout::TimedOut};
use crate::{Response, clock, settings::RESPONSE_BYTES_MAX, target::Target};

#[derive(Clone)]
pub(crate) struct Http {
    client: Client,
    target: Arc<Target>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// The claim was too old to send under. Nothing was sent.
    #[error("the claim expired before the request was sent")]
    Stale,
    /// The call cannot be made into a request. Nothing was sent.
    #[error("the request cannot be sent: {0}")]
    Unsendable(String),
    /// No connection. Nothing was sent.
    #[error("no connection could be made")]
    Connect(#[source] reqwest::Error),
    /// It may have been received.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// It may have been received.
    #[error("the connection broke before the answer was complete")]
    Broken(#[source] reqwest::Error),
    /// It was received, and the answer is useless.
    #[error("the answer to status {0} has more than {RESPONSE_BYTES_MAX} bytes")]
    TooLarge(u16),
}

impl Fault {
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::TooLarge(status) => Some(*status),
            Self::Stale
            | Self::Unsendable(_)
            | Self::Connect(_)
            | Self::TimedOut(_)
            | Self::Broken(_) => None,
        }
    }
}

impl From<TimedOut> for Fault {
    fn from(TimedOut(limit): TimedOut) -> Self {
        Self::TimedOut(limit)
    }
}

impl From<reqwest::Error> for Fault {
    /// The URL is left out of what is kept: paths may hold names.
    fn from(error: reqwest::Error) -> Self {
        let connect = error.is_connect();
        let error = error.without_url();
        if connect {
            Self::Connect(error)
        } else {
            Self::Broken(error)
        }
    }
}

pub(crate) fn http(client: &Client, target: &Arc<Target>) -> Http {
    Http {
        client: client.clone(),
        target: Arc::clone(target),
    }
}

impl Layer<Outgoing> for Http {
    type Out = Result<Response, Fault>;

    async fn pass(&self, outgoing: Outgoing) -> Result<Response, Fault> {
        let Outgoing {
            request,
            idempotency_key,
            sendable_until,
        } = outgoing;
        let request = self
            .target
            .request(&request, idempotency_key)
            .map_err(Fault::Unsendable)?;
        if sendable_until.is_some_and(|until| clock::now() >= until) {
            return Err(Fault::Stale);
        }
        let response = self.client.execute(request).await?;
        let status = response.status().as_u16();
        let headers = response.headers().iter().filter_map(text_header).collect();
        let body = match body_of(response).await? {
            Some(body) => body,
            // A refusal is clear without its text.
            None if status >= 400 => Bytes::new(),
            None => return Err(Fault::TooLarge(status)),
        };
        Ok(Response {
            status,
            headers,
            body,
        })
    }
}

fn text_header(
    (name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue),
) -> Option<(String, String)> {
    Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
}

/// The body; `None` if it is too large.
async fn body_of(mut response: reqwest::Response) -> Result<Option<Bytes>, Fault> {
    if response
        .content_length()
        .is_some_and(|bytes| bytes > RESPONSE_BYTES_MAX as u64)
    {
        return Ok(None);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > RESPONSE_BYTES_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.freeze()))
}
