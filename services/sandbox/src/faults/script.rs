//! The rules in force: replaced as a whole, asked once per call.
//!
//! The lock guards a walk over the rules and is never held while anything is awaited.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use super::rule::{Effect, Rule};
use crate::Operation;

/// Rules of one script.
const RULES_MAX: usize = 1_000;

/// A call, as rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) supplier: &'a str,
    pub(crate) operation: Operation,
    /// The aggregate key, where it is known.
    pub(crate) key: Option<&'a str>,
}

/// What is wrong with a script, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScriptError {
    /// JSON pointer to the rule.
    pub(crate) pointer: String,
    pub(crate) detail: String,
}

/// What a call meets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) latency: Duration,
    pub(crate) effect: Option<Effect>,
}

/// See the module page.
#[derive(Debug, Default)]
pub(crate) struct Script {
    rules: Mutex<Vec<Rule>>,
    needs_key: AtomicBool,
}

impl Script {
    /// Replaces the rules; a wrong script changes nothing.
    pub(crate) fn replace(&self, script: Value) -> Result<(), ScriptError> {
        let rules = read(script)?;
        let needs_key = rules.iter().any(Rule::needs_key);
        let mut current = self.lock();
        *current = rules;
        self.needs_key.store(needs_key, Ordering::Release);
        Ok(())
    }

    /// Takes all rules away.
    pub(crate) fn clear(&self) {
        let mut current = self.lock();
        current.clear();
        self.needs_key.store(false, Ordering::Release);
    }

    /// The rules as written, each with how often it struck.
    pub(crate) fn show(&self) -> Value {
        let rules = self.lock();
        let shown = rules.iter().map(|rule| {
            let mut shown = json!(rule.source);
            shown["struck"] = json!(rule.struck);
            shown
        });
        Value::Array(shown.collect())
    }

    /// Whether any rule asks for the aggregate key, which some calls have to look up.
    pub(crate) fn needs_key(&self) -> bool {
        self.needs_key.load(Ordering::Acquire)
    }

    /// What this call meets.
    pub(crate) fn plan(&self, target: Target<'_>) -> Plan {
        let mut plan = Plan::default();
        for rule in self.lock().iter_mut() {
            if !rule.strikes(&target) {
                continue;
            }
            match rule.effect {
                Effect::Latency { least_ms, most_ms } => {
                    plan.latency += rule.latency(least_ms, most_ms);
                }
                _ => {
                    plan.effect = Some(rule.effect.clone());
                    return plan;
                }
            }
        }
        plan
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule>> {
        // Rules are whole after every step, so a poisoned lock guards nothing broken.
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(script: Value) -> Result<Vec<Rule>, ScriptError> {
    let wrong = |pointer: String, detail: String| ScriptError { pointer, detail };
    let Value::Array(rules) = script else {
        let detail = "a script is a list of rules";
        return Err(wrong(String::new(), detail.into()));
    };
    if rules.len() > RULES_MAX {
        let detail = format!("a script has at most {RULES_MAX} rules");
        return Err(wrong(String::new(), detail));
    }
    let read = rules.into_iter().enumerate().map(|(n, mut rule)| {
        // What was shown can be sent back.
        if let Some(shown) = rule.as_object_mut() {
            shown.remove("struck");
        }
        let source = serde_json::from_value(rule)
            .map_err(|error| wrong(format!("/{n}"), error.to_string()))?;
        Rule::new(source).map_err(|detail| wrong(format!("/{n}"), detail))
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(rules: Value) -> Script {
        let script = Script::default();
        script.replace(rules).unwrap();
        script
    }

    fn draft(key: &str) -> Target<'_> {
        Target {
            supplier: "acme",
            operation: Operation::Draft,
            key: Some(key),
        }
    }

    #[test]
    fn latencies_add_up_and_the_first_other_effect_wins() {
        let script = script(json!([
            {"effect": {"latency_ms": 20}},
            {"match": {"supplier": "other"}, "effect": {"cut": "before"}},
            {"match": {"operation": "draft"}, "effect": {"latency_ms": [5, 5]}},
            {"match": {"key": "10*"}, "effect": {"cut": "after"}},
            {"effect": {"status": 503}},
        ]));
        let plan = script.plan(draft("1001"));
        assert_eq!(plan.latency, Duration::from_millis(25));
        assert_eq!(plan.effect, Some(Effect::CutAfter));
        let plan = script.plan(draft("2001"));
        assert!(matches!(plan.effect, Some(Effect::Status { status, .. }) if status == 503));
        let keyless = Target {
            key: None,
            ..draft("")
        };
        assert!(matches!(
            script.plan(keyless).effect,
            Some(Effect::Status { .. })
        ));
    }

    #[test]
    fn times_run_out() {
        let script = script(json!([{"effect": {"status": 500}, "times": 2}]));
        let struck: Vec<bool> = (0..4)
            .map(|_| script.plan(draft("1")).effect.is_some())
            .collect();
        assert_eq!(struck, [true, true, false, false]);
        assert_eq!(script.show()[0]["struck"], 2);
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed_and_near_its_share() {
        let rule = json!([{"effect": {"cut": "before"}, "probability": 0.3, "seed": 7}]);
        let run = || -> Vec<bool> {
            let script = script(rule.clone());
            (0..10_000)
                .map(|_| script.plan(draft("1")).effect.is_some())
                .collect()
        };
        let first = run();
        assert_eq!(first, run());
        let struck = first.iter().filter(|struck| **struck).count();
        assert!((2_800..3_200).contains(&struck), "{struck}");
    }

    #[test]
    fn a_range_of_latency_is_kept() {
        let script = script(json!([{"effect": {"latency_ms": [10, 12]}, "seed": 1}]));
        for _ in 0..100 {
            let latency = script.plan(draft("1")).latency.as_millis();
            assert!((10..=12).contains(&latency), "{latency}");
        }
    }

    #[test]
    fn a_wrong_script_is_refused_by_rule_and_changes_nothing() {
        let script = script(json!([{"effect": {"status": 500}}]));
        for (wrong, pointer) in [
            (json!({}), ""),
            (json!(null), ""),
            (json!([{"effect": {"status": 500}}, {}]), "/1"),
            (json!([{"effect": {}}]), "/0"),
            (json!([{"effect": {"status": 200}}]), "/0"),
            (json!([{"effect": {"status": 70_000}}]), "/0"),
            (json!([{"effect": {"status": 500, "cut": "after"}}]), "/0"),
            (json!([{"effect": {"cut": "maybe"}}]), "/0"),
            (json!([{"effect": {"latency_ms": -1}}]), "/0"),
            (json!([{"effect": {"latency_ms": [2, 1]}}]), "/0"),
            (json!([{"effect": {"latency_ms": 600_001}}]), "/0"),
            (
                json!([{"effect": {"latency_ms": 1, "retry_after_s": 1}}]),
                "/0",
            ),
            (json!([{"effect": {"status": 500, "code": ""}}]), "/0"),
            (
                json!([{"effect": {"status": 500}, "probability": 1.1}]),
                "/0",
            ),
            (
                json!([{"effect": {"status": 500}, "probabilty": 0.1}]),
                "/0",
            ),
            (
                json!([{"effect": {"status": 500}, "match": {"operation": "cancel"}}]),
                "/0",
            ),
            (
                json!(vec![json!({"effect": {"status": 500}}); RULES_MAX + 1]),
                "",
            ),
        ] {
            assert_eq!(script.replace(wrong).unwrap_err().pointer, pointer);
        }
        assert_eq!(script.show().as_array().unwrap().len(), 1);
    }

    #[test]
    fn what_is_shown_can_be_sent_back() {
        let script = script(json!([
            {"match": {"supplier": "acme", "operation": "confirm", "key": "1*"}, "effect": {"latency_ms": [1, 2]},
             "times": 3, "probability": 0.5, "seed": 9},
            {"effect": {"status": 429, "retry_after_s": 2, "code": "slow_down"}},
        ]));
        let shown = script.show();
        script.replace(shown.clone()).unwrap();
        assert_eq!(script.show(), shown);
    }
}
