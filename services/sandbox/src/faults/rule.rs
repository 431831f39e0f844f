//! One rule of a fault script: as it is written, and as it strikes.

use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{chance::Chance, glob, script::Target};
use crate::Operation;

/// Latency and slow bodies of one rule.
const WAIT_MS_MAX: u64 = 600_000;
const CODE_BYTES_MAX: usize = 64;

/// A rule as it is written.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSource {
    #[serde(default, rename = "match")]
    matching: Matching,
    effect: EffectSource,
    /// It strikes so many times; without it, for as long as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    /// It strikes this share of the calls that match; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
    /// For `probability` and ranges of latency.
    #[serde(default)]
    seed: u64,
}

/// Which calls; what is left out matches all.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Matching {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    supplier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<Operation>,
    /// The aggregate key; `*` stands for any run of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// An effect as it is written: exactly one of `latency_ms`, `status`, `cut` and `slow_body_ms`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct EffectSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency_ms: Option<Latency>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// With `status`: the problem's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// With `status`: the `Retry-After` header, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cut: Option<Cut>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slow_body_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
enum Latency {
    Fixed(u64),
    Between([u64; 2]),
}

/// Where the connection is closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Cut {
    /// Nothing was accepted.
    Before,
    /// The call was accepted and its receipt is written.
    After,
}

/// An effect as it strikes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// The call waits before anything else happens to it.
    Latency { least_ms: u64, most_ms: u64 },
    /// Refused, nothing accepted.
    Status {
        status: StatusCode,
        code: String,
        retry_after: Option<Duration>,
    },
    /// Closed without an answer, nothing accepted.
    CutBefore,
    /// Accepted, then closed without an answer.
    CutAfter,
    /// Accepted; the answer's body takes this long.
    SlowBody(Duration),
}

/// A rule at work.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) source: RuleSource,
    pub(crate) effect: Effect,
    /// How often it struck.
    pub(crate) struck: u64,
    chance: Chance,
}

impl Rule {
    /// Checks what serde cannot.
    pub(crate) fn new(source: RuleSource) -> Result<Self, String> {
        let effect = source.effect.read()?;
        if source
            .probability
            .is_some_and(|p| !(0.0..=1.0).contains(&p))
        {
            return Err("`probability` lies between 0 and 1".into());
        }
        let chance = Chance::new(source.seed);
        Ok(Self {
            source,
            effect,
            struck: 0,
            chance,
        })
    }

    /// Whether the rule asks for the aggregate key.
    pub(crate) fn needs_key(&self) -> bool {
        self.source.matching.key.is_some()
    }

    /// Whether it strikes this call; if so, it is counted.
    pub(crate) fn strikes(&mut self, target: &Target<'_>) -> bool {
        let matching = &self.source.matching;
        let supplier = matching.supplier.as_deref();
        let key = matching.key.as_deref();
        let is_meant = supplier.is_none_or(|supplier| supplier == target.supplier)
            && matching
                .operation
                .is_none_or(|operation| operation == target.operation)
            && key.is_none_or(|key| target.key.is_some_and(|found| glob::matches(key, found)));
        if !is_meant || self.source.times.is_some_and(|times| self.struck >= times) {
            return false;
        }
        let strikes = self
            .source
            .probability
            .is_none_or(|p| self.chance.fraction() < p);
        self.struck += u64::from(strikes);
        strikes
    }

    /// A latency of this rule's range.
    pub(crate) fn latency(&mut self, least_ms: u64, most_ms: u64) -> Duration {
        Duration::from_millis(self.chance.between(least_ms, most_ms))
    }
}

impl EffectSource {
    fn read(&self) -> Result<Effect, String> {
        let given = [
            self.latency_ms.is_some(),
            self.status.is_some(),
            self.cut.is_some(),
            self.slow_body_ms.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Err("`effect` has exactly one of latency_ms, status, cut, slow_body_ms".into());
        }
        if self.status.is_none() && (self.code.is_some() || self.retry_after_s.is_some()) {
            return Err("`code` and `retry_after_s` go with `status` only".into());
        }
        if let Some(latency) = self.latency_ms {
            return latency.read();
        }
        if let Some(status) = self.status {
            return self.refusal(status);
        }
        if let Some(slow_ms) = self.slow_body_ms {
            let wait = bounded("slow_body_ms", slow_ms)?;
            return Ok(Effect::SlowBody(Duration::from_millis(wait)));
        }
        Ok(match self.cut {
            Some(Cut::After) => Effect::CutAfter,
            Some(Cut::Before) | None => Effect::CutBefore,
        })
    }

    fn refusal(&self, status: u16) -> Result<Effect, String> {
        let proper = (400..=599).contains(&status);
        let status = StatusCode::from_u16(status).ok().filter(|_| proper);
        let status = status.ok_or("`status` lies between 400 and 599")?;
        let code = self.code.clone().unwrap_or_else(|| "scripted_fault".into());
        if code.is_empty() || code.len() > CODE_BYTES_MAX {
            return Err(format!("`code` has 1 to {CODE_BYTES_MAX} bytes"));
        }
        let seconds = self.retry_after_s.map(u64::from);
        Ok(Effect::Status {
            status,
            code,
            retry_after: seconds.map(Duration::from_secs),
        })
    }
}

impl Latency {
    fn read(self) -> Result<Effect, String> {
        let (least_ms, most_ms) = match self {
            Self::Fixed(ms) => (ms, ms),
            Self::Between([least_ms, most_ms]) => (least_ms, most_ms),
        };
        bounded("latency_ms", most_ms)?;
        if least_ms > most_ms {
            return Err("`latency_ms` goes from the lower to the higher".into());
        }
        Ok(Effect::Latency { least_ms, most_ms })
    }
}

fn bounded(name: &str, ms: u64) -> Result<u64, String> {
    if ms > WAIT_MS_MAX {
        return Err(format!("`{name}` is at most {WAIT_MS_MAX}"));
    }
    Ok(ms)
}
