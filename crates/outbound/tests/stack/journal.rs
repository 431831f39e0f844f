//! A journal in memory that says what it is told to say, and keeps what it is told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use argosy_outbound::{
    Admission, Call, Dependency, DependencySettings, Failure, Journal, Lookup, Method, Outcome,
    Profile, Read, Recall, Repeat, Request, Stack, classify_status, unreadable,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::vendor::Vendor;

pub(crate) const KEY: Uuid = Uuid::from_u128(0x1234);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Placed {
    pub(crate) id: String,
}

pub(crate) fn id(id: &str) -> Placed {
    Placed { id: id.to_owned() }
}

/// One scripted answer to a claim; when there are no more, the call's own bytes may be sent.
#[derive(Debug)]
pub(crate) enum Answer {
    Send { repeat: bool },
    Stale,
    Say(Admission),
    Fail(Failure),
}

#[derive(Default)]
struct State {
    recall: Option<Bytes>,
    answers: VecDeque<Answer>,
    record_faults: VecDeque<Failure>,
    claims: usize,
    recorded: Vec<Outcome>,
}

#[derive(Default)]
pub(crate) struct Memory(Mutex<State>);

impl Memory {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn answering(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let state = State {
            answers: answers.into_iter().collect(),
            ..State::default()
        };
        Arc::new(Self(Mutex::new(state)))
    }

    pub(crate) fn holding(json: &'static str) -> Arc<Self> {
        let state = State {
            recall: Some(Bytes::from_static(json.as_bytes())),
            ..State::default()
        };
        Arc::new(Self(Mutex::new(state)))
    }

    pub(crate) fn failing_to_record(faults: impl IntoIterator<Item = Failure>) -> Arc<Self> {
        let state = State {
            record_faults: faults.into_iter().collect(),
            ..State::default()
        };
        Arc::new(Self(Mutex::new(state)))
    }

    pub(crate) fn shared(self: &Arc<Self>) -> Arc<dyn Journal> {
        Arc::<Self>::clone(self)
    }

    pub(crate) fn claims(&self) -> usize {
        self.0.lock().unwrap().claims
    }

    pub(crate) fn recorded(&self) -> Vec<Outcome> {
        self.0.lock().unwrap().recorded.clone()
    }
}

impl Journal for Memory {
    fn idempotency_key(&self) -> Uuid {
        KEY
    }

    fn recall(&self) -> BoxFuture<'_, Result<Recall, Failure>> {
        let recall = self.0.lock().unwrap().recall.clone();
        Box::pin(async move { Ok(recall.map_or(Recall::Unknown, Recall::Succeeded)) })
    }

    fn claim(&self) -> BoxFuture<'_, Result<Admission, Failure>> {
        let mut state = self.0.lock().unwrap();
        state.claims += 1;
        let answer = state
            .answers
            .pop_front()
            .unwrap_or(Answer::Send { repeat: false });
        Box::pin(async move {
            let now = tokio::time::Instant::now().into_std();
            match answer {
                Answer::Fail(failure) => Err(failure),
                Answer::Say(admission) => Ok(admission),
                Answer::Stale => Ok(send(now, false)),
                Answer::Send { repeat } => Ok(send(now + Duration::from_secs(5), repeat)),
            }
        })
    }

    fn record(&self, outcome: Outcome) -> BoxFuture<'_, Result<(), Failure>> {
        let mut state = self.0.lock().unwrap();
        let fault = state.record_faults.pop_front();
        if fault.is_none() {
            state.recorded.push(outcome);
        }
        Box::pin(async move { fault.map_or(Ok(()), Err) })
    }
}

fn send(sendable_until: Instant, repeat: bool) -> Admission {
    let request = Request {
        body: Bytes::from_static(b"stored"),
        ..request("/orders")
    };
    Admission::Send {
        request: request.encode().unwrap(),
        sendable_until,
        repeat,
    }
}

pub(crate) fn succeeded(json: &str) -> Outcome {
    Outcome::Succeeded(Bytes::copy_from_slice(json.as_bytes()))
}

pub(crate) fn dependency() -> Dependency {
    Dependency("acme".into())
}

pub(crate) fn settings(vendor: &Vendor) -> DependencySettings {
    DependencySettings {
        // A busy machine is no slow vendor: tests of timeouts set a shorter one.
        call_timeout: Duration::from_secs(20),
        ..DependencySettings::new(dependency(), &vendor.url)
    }
}

pub(crate) fn stack_of(settings: DependencySettings) -> (Arc<Stack>, TaskTracker) {
    let tracker = TaskTracker::new();
    let stack = Stack::new(vec![settings], &Profile::Dev, &tracker).unwrap();
    (Arc::new(stack), tracker)
}

pub(crate) fn stack(vendor: &Vendor) -> Arc<Stack> {
    stack_of(settings(vendor)).0
}

pub(crate) fn request(path: &str) -> Request {
    Request {
        method: Method::Post,
        path: path.to_owned(),
        headers: Vec::new(),
        body: Bytes::from_static(b"own"),
    }
}

pub(crate) fn call(repeat: Repeat) -> Call<Placed> {
    Call {
        dependency: dependency(),
        operation: "place",
        repeat,
        cost: 1,
        request: request("/orders"),
        read: Read::new(|response| {
            classify_status(response)?;
            serde_json::from_slice(&response.body)
                .map_err(|_| unreadable(response, "the answer is no order"))
        }),
        lookup: None,
    }
}

/// The same call with a lookup: 200 with an order, or 200 with `null`.
pub(crate) fn call_with_lookup(repeat: Repeat) -> Call<Placed> {
    let lookup = Lookup {
        request: Request {
            method: Method::Get,
            body: Bytes::new(),
            ..request("/orders?ours=1")
        },
        read: Read::new(|response| {
            classify_status(response)?;
            serde_json::from_slice(&response.body)
                .map_err(|_| unreadable(response, "the answer is no order"))
        }),
    };
    Call {
        lookup: Some(lookup),
        ..call(repeat)
    }
}
