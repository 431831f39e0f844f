//! The stack: the dependencies of a process, and the layers through which every call to them passes.
//!
//! Invariant: the order of layers is written here and nowhere else, outermost first.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use argosy_kernel::{Death, Waiting};
use reqwest::Client;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    Call, CallOutcome, CallReport, Dependency, DependencySettings, Failure, Journal, Profile,
    Recorded, Repeat, StackError,
    account::Account,
    client::client,
    clock,
    jitter::Jitter,
    layers::{
        Layer,
        breaker::breaker,
        claim::{Look, claim},
        classify::{InDoubt, classify},
        detach::detach,
        http::http,
        learn::learn,
        limiter::limiter,
        observe::observe,
        recall::recall,
        record::record,
        retry::retry,
        timeout::timeout,
        unclaimed::unclaimed,
    },
    settings::{CALL_TIMEOUT_MAX, CONNECT_TIMEOUT},
    target::Target,
};

/// Puts each layer around the next: a list, outermost first, in place of nested parentheses.
macro_rules! layers {
    ($innermost:expr $(,)?) => { $innermost };
    ($layer:ident($($given:expr),*), $($rest:tt)+) => { $layer($($given,)* layers!($($rest)+)) };
}

/// Sends calls. Built once per process; see the crate page for what it does with them.
pub struct Stack {
    accounts: HashMap<Dependency, Arc<Account>>,
    client: Client,
    tracker: TaskTracker,
    jitter: Arc<Jitter>,
}

impl Stack {
    /// A stack for these dependencies. Calls that were sent run as tasks of `tracker`: who ends the process waits for
    /// it, so that their outcomes are recorded.
    ///
    /// # Errors
    ///
    /// Names everything that is wrong with the settings at once.
    pub fn new(
        dependencies: Vec<DependencySettings>,
        profile: &Profile,
        tracker: &TaskTracker,
    ) -> Result<Self, StackError> {
        let mut accounts = HashMap::new();
        let mut faults = Vec::new();
        for settings in dependencies {
            let name = settings.dependency.clone();
            match account(&settings, profile) {
                Err(fault) => faults.push(format!("dependency `{name}`: {fault}")),
                Ok(account) => {
                    if accounts.insert(name.clone(), Arc::new(account)).is_some() {
                        faults.push(format!("dependency `{name}` is configured twice"));
                    }
                }
            }
        }
        if !faults.is_empty() {
            return Err(StackError::Settings(faults));
        }
        let (seed, _) = Uuid::new_v4().as_u64_pair();
        let (client, tracker) = (client(profile)?, tracker.clone());
        Ok(Self {
            accounts,
            client,
            tracker,
            jitter: Arc::new(Jitter::new(seed)),
        })
    }

    /// A call that changes something at a vendor: made at most once per journal, whatever happens to the run.
    ///
    /// Cancellation: dropped before the request is handed to a socket, nothing is sent; dropped later, the call runs
    /// on and its outcome is recorded.
    pub async fn effect<T: Recorded>(
        &self,
        call: Call<T>,
        journal: Arc<dyn Journal>,
    ) -> (Result<T, Failure>, CallReport) {
        let Call {
            dependency,
            operation,
            repeat,
            cost,
            read,
            lookup,
            request: _,
        } = call;
        let Some(account) = self.accounts.get(&dependency) else {
            return unknown(dependency, operation);
        };
        let repeatable = matches!(repeat, Repeat::Natural | Repeat::Remembered(_));
        let limit = account.call_timeout;
        let look = lookup.map(|lookup| Look {
            request: lookup.request,
            layers: layers![
                learn(account),
                classify(&dependency, InDoubt::Dependency, lookup.read),
                timeout(limit),
                http(&self.client, &account.target),
            ],
        });
        let layers = layers![
            observe(account, operation),
            recall(account, operation, &journal),
            retry(account, operation, repeatable, &self.jitter),
            limiter(account, cost),
            breaker(account),
            claim(account, operation, &journal, look),
            // From here on in a task of its own, which outlives the run.
            detach(&self.tracker),
            record(&journal),
            learn(account),
            classify(&dependency, InDoubt::Claim, read),
            timeout(limit),
            http(&self.client, &account.target),
        ];
        layers.pass(()).await
    }

    /// A call that changes nothing: repeated freely, ended when dropped.
    pub async fn read<T: Recorded>(&self, call: Call<T>) -> (Result<T, Failure>, CallReport) {
        let Call {
            dependency,
            operation,
            cost,
            request,
            read,
            ..
        } = call;
        let Some(account) = self.accounts.get(&dependency) else {
            return unknown(dependency, operation);
        };
        let layers = layers![
            observe(account, operation),
            retry(account, operation, true, &self.jitter),
            limiter(account, cost),
            breaker(account),
            unclaimed(request),
            learn(account),
            classify(&dependency, InDoubt::Dependency, read),
            timeout(account.call_timeout),
            http(&self.client, &account.target),
        ];
        layers.pass(()).await
    }

    /// Whether a run that needs this dependency should start now, or what it would wait for and how long. No token is
    /// taken; while the breaker is half open, a trial is kept for the run for a moment. A dependency that is not
    /// configured admits everything: the call itself fails and says so.
    ///
    /// # Errors
    ///
    /// The cause and a wait.
    pub fn admits(&self, dependency: &Dependency) -> Result<(), (Waiting, Duration)> {
        self.accounts
            .get(dependency)
            .map_or(Ok(()), |account| account.admits(clock::now()))
    }

    /// How long one try may take; `None` if the dependency is not configured. A claim's deadline is made of it.
    pub fn call_timeout(&self, dependency: &Dependency) -> Option<Duration> {
        self.accounts
            .get(dependency)
            .map(|account| account.call_timeout)
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("dependencies", &self.accounts.keys())
            .finish_non_exhaustive()
    }
}

fn account(settings: &DependencySettings, profile: &Profile) -> Result<Account, String> {
    if !(CONNECT_TIMEOUT..=CALL_TIMEOUT_MAX).contains(&settings.call_timeout) {
        return Err(format!(
            "the call timeout must be from {CONNECT_TIMEOUT:?} to {CALL_TIMEOUT_MAX:?}"
        ));
    }
    if settings.breaker.open_min.is_zero() || settings.breaker.open_max < settings.breaker.open_min
    {
        return Err(
            "the breaker's shortest open time must be above zero and at most its longest"
                .to_owned(),
        );
    }
    let target = Target::new(&settings.base_url, &settings.credential, profile)?;
    Ok(Account::new(settings, target, clock::now()))
}

fn unknown<T>(dependency: Dependency, operation: &'static str) -> (Result<T, Failure>, CallReport) {
    let message =
        format!("no dependency `{dependency}` is configured; add it, or correct the name");
    let report = CallReport {
        dependency,
        operation,
        outcome: CallOutcome::Failed,
        class: "none",
        tries: 0,
        status: None,
        repeat: false,
        duration: Duration::ZERO,
        detail: Some(message.clone()),
    };
    (Err(Failure::dead(Death::Misconfigured, message)), report)
}
