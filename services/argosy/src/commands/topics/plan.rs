//! What separates the cluster's topics from the catalogue's, as a pure function of both.

use argosy_broker::ClusterTopic;
use argosy_events::catalogue::Topic;
use serde::Serialize;

/// What must happen to one topic, in the order in which it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TopicPlan {
    pub(crate) topic: &'static str,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(crate) enum Step {
    Create {
        partitions: i32,
        values: Vec<(String, String)>,
    },
    Configure {
        value: String,
        from: Option<String>,
        to: String,
    },
    Grow {
        from: i32,
        to: i32,
    },
    /// It would break a promise, and nobody has said that it may.
    Refuse {
        reason: String,
    },
    /// It differs, and that is left as it is.
    Keep {
        reason: String,
    },
}

/// Compares; `breaks_order` allows to grow a keyed topic, after which its keys live in other partitions.
pub(crate) fn plan(
    catalogue: &'static [Topic],
    cluster: &[ClusterTopic],
    breaks_order: bool,
) -> Vec<TopicPlan> {
    catalogue
        .iter()
        .map(|topic| {
            let found = cluster.iter().find(|found| found.name == topic.name);
            TopicPlan {
                topic: topic.name,
                steps: match found {
                    Some(found) => differences(topic, found, breaks_order),
                    None => vec![Step::Create {
                        partitions: topic.partitions,
                        values: topic.values(),
                    }],
                },
            }
        })
        .collect()
}

fn differences(topic: &Topic, found: &ClusterTopic, breaks_order: bool) -> Vec<Step> {
    let (from, to) = (found.partitions, topic.partitions);
    let partitions = match topic.key {
        _ if from == to => None,
        _ if from > to => Some(Step::Keep {
            reason: format!("has {from} partitions and cannot shrink to {to}"),
        }),
        Some(key) if !breaks_order => Some(Step::Refuse {
            reason: format!(
                "growing from {from} to {to} partitions breaks the order by {key}: drain the topic first, \
                 then say --breaks-order"
            ),
        }),
        _ => Some(Step::Grow { from, to }),
    };
    let values = topic.values().into_iter().filter_map(|(value, to)| {
        let from = found
            .values
            .iter()
            .find(|(name, _)| *name == value)
            .map(|(_, from)| from.clone());
        (from.as_ref() != Some(&to)).then_some(Step::Configure { value, from, to })
    });
    partitions.into_iter().chain(values).collect()
}

#[cfg(test)]
mod tests {
    use argosy_events::catalogue::{ORDER_EVENTS, TIMELINES, TOPICS};

    use super::*;

    fn cluster() -> Vec<ClusterTopic> {
        TOPICS
            .iter()
            .map(|topic| ClusterTopic {
                name: topic.name.to_owned(),
                partitions: topic.partitions,
                values: topic.values(),
            })
            .collect()
    }

    fn steps_of(plans: &[TopicPlan], topic: &str) -> Vec<Step> {
        let plan = plans.iter().find(|plan| plan.topic == topic);
        plan.unwrap().steps.clone()
    }

    #[test]
    fn a_cluster_like_the_catalogue_needs_nothing() {
        assert!(
            plan(TOPICS, &cluster(), false)
                .iter()
                .all(|plan| plan.steps.is_empty())
        );
    }

    #[test]
    fn a_missing_topic_is_created_with_its_values() {
        let steps = steps_of(&plan(TOPICS, &[], false), ORDER_EVENTS);
        let [Step::Create { partitions, values }] = &steps[..] else {
            panic!("{steps:?}");
        };
        assert_eq!(*partitions, 12);
        assert!(values.iter().any(|(name, _)| name == "retention.ms"));
    }

    #[test]
    fn a_keyed_topic_grows_only_if_order_may_break() {
        let mut cluster = cluster();
        cluster.iter_mut().for_each(|topic| topic.partitions = 3);
        let refused = plan(TOPICS, &cluster, false);
        assert!(matches!(
            &steps_of(&refused, ORDER_EVENTS)[..],
            [Step::Refuse { reason }] if reason.contains("--breaks-order")
        ));
        assert_eq!(
            steps_of(&refused, TIMELINES),
            [Step::Grow { from: 3, to: 12 }]
        );
        let allowed = plan(TOPICS, &cluster, true);
        assert_eq!(
            steps_of(&allowed, ORDER_EVENTS),
            [Step::Grow { from: 3, to: 12 }]
        );
    }

    #[test]
    fn a_topic_with_more_partitions_is_left_as_it_is() {
        let mut cluster = cluster();
        cluster[0].partitions = 24;
        let plans = plan(TOPICS, &cluster, true);
        assert!(matches!(
            &steps_of(&plans, TOPICS[0].name)[..],
            [Step::Keep { .. }]
        ));
    }

    #[test]
    fn a_value_that_differs_or_is_unknown_is_configured() {
        let mut cluster = cluster();
        cluster[0].values = vec![("retention.ms".to_owned(), "1".to_owned())];
        let steps = steps_of(&plan(TOPICS, &cluster, false), TOPICS[0].name);
        assert_eq!(steps.len(), 3, "{steps:?}");
        assert!(steps.iter().any(|step| matches!(
            step,
            Step::Configure { from: Some(from), .. } if from == "1"
        )));
    }
}
