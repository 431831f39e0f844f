//! A vendor call as a value: it can be stored, compared, listed by a dry run, and sent again byte for byte.

use std::{fmt, sync::Arc};

use argosy_kernel::claims::Repeat;
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::Failure;

/// A vendor account as seen by breaker, limiter and gate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dependency(pub Arc<str>);

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a journal can keep.
pub trait Recorded: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Recorded for T {}

/// The HTTP methods that calls use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A read.
    Get,
    /// Creates or acts.
    Post,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// As it stands on the request line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// An HTTP request as data. Base URL and credentials belong to the dependency and are added when it is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// Headers beside those that the stack adds (credentials, `Idempotency-Key`, `X-Request-Id`, trace context).
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Bytes,
}

impl fmt::Debug for Request {
    /// Bodies hold personal data: only the length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} ({} bytes)",
            self.method.name(),
            self.path,
            self.body.len()
        )
    }
}

/// What came back, bounded.
#[derive(Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.status, self.body.len())
    }
}

impl Response {
    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads an answer and classifies it. It may hold what the answer must be about, so that another's is not taken for it.
pub struct Read<T>(Arc<ReadFn<T>>);

type ReadFn<T> = dyn Fn(&Response) -> Result<T, Failure> + Send + Sync;

impl<T> Read<T> {
    /// It must say of an answer that breaks the contract that it is ambiguous.
    pub fn new(read: impl Fn(&Response) -> Result<T, Failure> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// What the answer means.
    ///
    /// # Errors
    ///
    /// The failure that the answer is, with its class.
    pub fn read(&self, response: &Response) -> Result<T, Failure> {
        (self.0)(response)
    }
}

impl<T> Clone for Read<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Read<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Read")
    }
}

/// A vendor call as a value: what to send, to whom, what a repeat would do, how to read the answer (which classifies
/// it), and how to find out later whether it happened.
#[must_use = "a call does nothing until a context sends it"]
#[derive(Debug, Clone)]
pub struct Call<T> {
    /// To whom.
    pub dependency: Dependency,
    /// What, for timelines and metrics.
    pub operation: &'static str,
    /// What a second identical call does.
    pub repeat: Repeat,
    /// Weight for the limiter; at least 1.
    pub cost: u32,
    /// What to send.
    pub request: Request,
    /// Reads and classifies the answer.
    pub read: Read<T>,
    /// How to find the effect later.
    pub lookup: Option<Lookup<T>>,
}

/// A read that finds the effect of an earlier call, by our own reference.
#[derive(Debug, Clone)]
pub struct Lookup<T> {
    /// What to send.
    pub request: Request,
    /// Reads the answer; `None` if it did not happen.
    pub read: Read<Option<T>>,
}
