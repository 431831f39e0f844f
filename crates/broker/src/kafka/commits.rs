//! Commits, one at a time, each partition with a result of its own. Pure: it is told, and answers with steps.
//!
//! Invariant: every commit that was started ends exactly once, naming each of its partitions. When an error may be of
//! one partition alone, librdkafka's answer does not tell of which, and the siblings may be committed: then the
//! partitions are committed again, one by one. That is harmless, because nobody else commits them.

use std::collections::VecDeque;

use argosy_kernel::{CommitNumber, CommitResult};
use rdkafka::types::RDKafkaErrorCode;

use super::errors;
use crate::port::{Position, TopicPartition};

/// Commits waiting behind the one that is out; the owner keeps one out at a time, so that none waits.
const WAITING_MAX: usize = 8;

type Results = Vec<(TopicPartition, CommitResult)>;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Step {
    /// Hand these to librdkafka; its answer comes to `ended`.
    Send(Vec<Position>),
    /// Tell the owner.
    Ended(CommitNumber, Results),
}

#[derive(Debug)]
struct Out {
    number: CommitNumber,
    /// What librdkafka has now.
    sent: Vec<Position>,
    /// What is to be committed alone, after it.
    alone: VecDeque<Position>,
    results: Results,
}

/// The commit that is out, and those that wait for it.
#[derive(Debug, Default)]
pub(super) struct Commits {
    out: Option<Out>,
    waiting: VecDeque<(CommitNumber, Vec<Position>)>,
}

impl Commits {
    /// The owner asks for a commit; `stale` are those of its partitions that this member does not hold.
    pub(super) fn start(
        &mut self,
        number: CommitNumber,
        positions: Vec<Position>,
        is_ours: impl Fn(&TopicPartition) -> bool,
    ) -> Option<Step> {
        let (ours, stale): (Vec<_>, Vec<_>) = positions
            .into_iter()
            .partition(|position| is_ours(&position.of));
        let results = all(stale, CommitResult::Stale);
        if ours.is_empty() {
            return Some(Step::Ended(number, results));
        }
        if self.out.is_some() {
            if self.waiting.len() >= WAITING_MAX {
                let mut failed = all(ours, CommitResult::Failed);
                failed.extend(results);
                return Some(Step::Ended(number, failed));
            }
            self.waiting.push_back((number, ours));
            return None;
        }
        self.out = Some(Out {
            number,
            sent: ours.clone(),
            alone: VecDeque::new(),
            results,
        });
        Some(Step::Send(ours))
    }

    /// Nobody will answer any more: all that is out or waits counts as stale.
    pub(super) fn give_up(&mut self) -> Vec<Step> {
        let stale = |positions| all(positions, CommitResult::Stale);
        let out = self.out.take().into_iter().map(|mut out| {
            out.results.extend(stale(out.sent));
            out.results.extend(stale(out.alone.into()));
            Step::Ended(out.number, out.results)
        });
        let waiting = self.waiting.drain(..);
        out.chain(waiting.map(|(number, positions)| Step::Ended(number, stale(positions))))
            .collect()
    }

    /// What was sent has ended.
    pub(super) fn ended(
        &mut self,
        error: Option<RDKafkaErrorCode>,
        is_ours: impl Fn(&TopicPartition) -> bool,
    ) -> Vec<Step> {
        let Some(out) = &mut self.out else {
            return Vec::new();
        };
        let sent = std::mem::take(&mut out.sent);
        match error {
            Some(code) if sent.len() > 1 && errors::is_of_one_partition(code) => {
                out.alone.extend(sent);
            }
            _ => {
                let result = error.map_or(CommitResult::Accepted, errors::of_commit);
                out.results.extend(all(sent, result));
            }
        }
        while let Some(next) = out.alone.pop_front() {
            if is_ours(&next.of) {
                out.sent.push(next.clone());
                return vec![Step::Send(vec![next])];
            }
            out.results.push((next.of, CommitResult::Stale));
        }
        let Out {
            number, results, ..
        } = self.out.take().expect("looked at above");
        let mut steps = vec![Step::Ended(number, results)];
        while self.out.is_none()
            && let Some((number, positions)) = self.waiting.pop_front()
        {
            steps.extend(self.start(number, positions, &is_ours));
        }
        steps
    }
}

fn all(positions: Vec<Position>, result: CommitResult) -> Results {
    positions
        .into_iter()
        .map(|position| (position.of, result))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use argosy_kernel::Offset;

    use super::*;

    fn position(partition: i32) -> Position {
        Position {
            of: TopicPartition {
                topic: Arc::from("orders"),
                partition,
            },
            offset: Offset(5),
            metadata: Some("map".into()),
        }
    }

    fn ended(step: &Step) -> (u64, Vec<(i32, CommitResult)>) {
        let Step::Ended(number, results) = step else {
            panic!("{step:?}");
        };
        let results = results.iter().map(|(of, result)| (of.partition, *result));
        (number.0, results.collect())
    }

    fn sent(step: &Step) -> Vec<i32> {
        let Step::Send(positions) = step else {
            panic!("{step:?}");
        };
        positions.iter().map(|sent| sent.of.partition).collect()
    }

    #[test]
    fn an_accepted_commit_is_accepted_for_each_partition() {
        let mut commits = Commits::default();
        let step = commits.start(CommitNumber(1), vec![position(0), position(1)], |_| true);
        assert_eq!(sent(&step.unwrap()), [0, 1]);
        let steps = commits.ended(None, |_| true);
        let accepted = CommitResult::Accepted;
        assert_eq!(ended(&steps[0]), (1, vec![(0, accepted), (1, accepted)]));
        assert!(commits.ended(None, |_| true).is_empty());
    }

    #[test]
    fn what_is_not_ours_is_stale_without_asking() {
        let mut commits = Commits::default();
        let step = commits.start(CommitNumber(1), vec![position(0)], |_| false);
        assert_eq!(ended(&step.unwrap()), (1, vec![(0, CommitResult::Stale)]));
        let ours = |of: &TopicPartition| of.partition == 1;
        let step = commits.start(CommitNumber(2), vec![position(0), position(1)], ours);
        assert_eq!(sent(&step.unwrap()), [1]);
        let steps = commits.ended(None, ours);
        assert_eq!(
            ended(&steps[0]),
            (
                2,
                vec![(0, CommitResult::Stale), (1, CommitResult::Accepted)]
            )
        );
    }

    #[test]
    fn an_error_of_one_partition_is_found_by_asking_one_by_one() {
        let mut commits = Commits::default();
        let too_large = Some(RDKafkaErrorCode::OffsetMetadataTooLarge);
        commits.start(CommitNumber(1), vec![position(0), position(1)], |_| true);
        assert_eq!(sent(&commits.ended(too_large, |_| true)[0]), [0]);
        assert_eq!(sent(&commits.ended(too_large, |_| true)[0]), [1]);
        let steps = commits.ended(None, |_| true);
        assert_eq!(
            ended(&steps[0]),
            (
                1,
                vec![
                    (0, CommitResult::MetadataTooLarge),
                    (1, CommitResult::Accepted)
                ]
            )
        );
    }

    #[test]
    fn an_error_of_the_group_is_of_all() {
        let mut commits = Commits::default();
        commits.start(CommitNumber(1), vec![position(0), position(1)], |_| true);
        let steps = commits.ended(Some(RDKafkaErrorCode::IllegalGeneration), |_| true);
        let stale = CommitResult::Stale;
        assert_eq!(ended(&steps[0]), (1, vec![(0, stale), (1, stale)]));
    }

    #[test]
    fn a_commit_waits_for_the_one_that_is_out_and_the_queue_is_bounded() {
        let mut commits = Commits::default();
        assert!(
            commits
                .start(CommitNumber(0), vec![position(0)], |_| true)
                .is_some()
        );
        for number in 1..=WAITING_MAX {
            let number = CommitNumber(u64::try_from(number).unwrap());
            assert!(commits.start(number, vec![position(0)], |_| true).is_none());
        }
        let refused = commits.start(CommitNumber(99), vec![position(0)], |_| true);
        assert_eq!(
            ended(&refused.unwrap()),
            (99, vec![(0, CommitResult::Failed)])
        );
        let steps = commits.ended(None, |_| true);
        assert_eq!(ended(&steps[0]).0, 0);
        assert_eq!(sent(&steps[1]), [0]);
        // All that wait turn stale at once when the partition is lost.
        let steps = commits.ended(None, |_| false);
        assert_eq!(steps.len(), WAITING_MAX);
    }

    #[test]
    fn what_nobody_will_answer_ends_as_stale_once() {
        let mut commits = Commits::default();
        let too_large = Some(RDKafkaErrorCode::OffsetMetadataTooLarge);
        commits.start(CommitNumber(1), vec![position(0), position(1)], |_| true);
        commits.start(CommitNumber(2), vec![position(2)], |_| true);
        commits.ended(too_large, |_| true);
        let steps = commits.give_up();
        let stale = CommitResult::Stale;
        assert_eq!(ended(&steps[0]), (1, vec![(0, stale), (1, stale)]));
        assert_eq!(ended(&steps[1]), (2, vec![(2, stale)]));
        assert!(commits.give_up().is_empty());
        assert!(commits.ended(None, |_| true).is_empty());
        let step = commits.start(CommitNumber(3), vec![position(0)], |_| true);
        assert_eq!(sent(&step.unwrap()), [0]);
    }
}
