//! Projects what is asked for at the same time together: one transaction for many batches of rows.
//!
//! There is no task behind it. Whoever gets a turn projects for everybody who waits; if a run is dropped in its turn,
//! those who waited for it ask again. Rows that were projected twice change nothing, so asking again is harmless.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use argosy_store::{StoreError, TimelineRow};
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};

/// Transactions at once: one is written while the next is collected.
const TURNS: usize = 2;

/// Rows of one transaction, unless a single batch has more.
const ROWS_MAX: usize = 4_096;

/// How rows reach the store.
pub(crate) type Project =
    Arc<dyn Fn(Vec<TimelineRow>) -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync>;

/// Shared, since several wait for one answer.
type Answer = Result<(), Arc<StoreError>>;

/// See the module page.
pub(crate) struct Together {
    project: Project,
    turns: Semaphore,
    waiting: Mutex<VecDeque<Waiting>>,
}

struct Waiting {
    rows: Arc<Vec<TimelineRow>>,
    answer: oneshot::Sender<Answer>,
}

impl fmt::Debug for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Together").finish_non_exhaustive()
    }
}

impl Together {
    pub(crate) fn new(project: Project) -> Self {
        Self {
            project,
            turns: Semaphore::new(TURNS),
            waiting: Mutex::default(),
        }
    }

    /// Resolves when these rows are durable, or could not be written.
    pub(crate) async fn project(&self, rows: Vec<TimelineRow>) -> Answer {
        let rows = Arc::new(rows);
        let mut answered = self.wait(&rows);
        loop {
            // An answer comes first: a turn is taken only while this is still waiting.
            let answer = tokio::select! {
                biased;
                answer = &mut answered => answer,
                turn = self.turns.acquire() => {
                    let turn = turn.expect("the semaphore is never closed");
                    if self.take_turn().await {
                        continue;
                    }
                    // Nobody waits for a turn, so another has taken these rows along: its answer comes next.
                    drop(turn);
                    (&mut answered).await
                }
            };
            match answer {
                Ok(answer) => return answer,
                // The run that had taken them along was dropped.
                Err(_) => answered = self.wait(&rows),
            }
        }
    }

    fn wait(&self, rows: &Arc<Vec<TimelineRow>>) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            rows: Arc::clone(rows),
            answer,
        };
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(waiting);
        answered
    }

    /// False if nobody waits.
    async fn take_turn(&self) -> bool {
        let group = self.group();
        if group.is_empty() {
            return false;
        }
        let rows = group
            .iter()
            .flat_map(|waiting| waiting.rows.iter().cloned())
            .collect();
        let answer = (self.project)(rows).await.map_err(Arc::new);
        let is_one_at_fault = matches!(
            answer.as_ref().map_err(|error| &**error),
            Err(StoreError::TooLarge { .. })
        );
        for waiting in group {
            let own = match is_one_at_fault {
                true => (self.project)(waiting.rows.to_vec())
                    .await
                    .map_err(Arc::new),
                false => answer.clone(),
            };
            // Who went away meanwhile needs no answer.
            drop(waiting.answer.send(own));
        }
        true
    }

    /// Who has waited longest, as far as one transaction reaches. Those who went away are left out.
    fn group(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut group, mut rows) = (Vec::new(), 0);
        while let Some(next) = waiting.pop_front() {
            if next.answer.is_closed() {
                continue;
            }
            if !group.is_empty() && rows + next.rows.len() > ROWS_MAX {
                waiting.push_front(next);
                break;
            }
            rows += next.rows.len();
            group.push(next);
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Wake, Waker},
    };

    use futures_util::{FutureExt, future::join_all};
    use serde_json::json;
    use tokio::sync::Notify;
    use uuid::Uuid;

    use super::*;

    fn row(number: i64) -> TimelineRow {
        TimelineRow {
            instance: Uuid::nil(),
            number,
            correlation: "flow".into(),
            source: "source".into(),
            event: "event".into(),
            event_type: "type".into(),
            worker: "worker".into(),
            at_ms: 0,
            steps: json!([]),
            state: "done".into(),
        }
    }

    /// A store that waits for `go` and keeps the numbers of each transaction; rows below zero are too large.
    fn store(go: &Arc<Notify>) -> (Together, Arc<Mutex<Vec<Vec<i64>>>>) {
        let written = Arc::new(Mutex::new(Vec::new()));
        let (go, kept) = (Arc::clone(go), Arc::clone(&written));
        let project: Project = Arc::new(move |rows| {
            let (go, kept) = (Arc::clone(&go), Arc::clone(&kept));
            Box::pin(async move {
                go.notified().await;
                let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
                if numbers.iter().any(|number| *number < 0) {
                    return Err(StoreError::TooLarge {
                        what: "steps",
                        bytes: 2,
                        bytes_max: 1,
                    });
                }
                kept.lock().unwrap().push(numbers);
                Ok(())
            })
        });
        (Together::new(project), written)
    }

    async fn go_on(go: &Notify) {
        loop {
            go.notify_one();
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn batches_that_wait_are_written_together_and_each_is_answered() {
        let go = Arc::new(Notify::new());
        let (together, written) = store(&go);
        let asked = join_all((0..100).map(|number| together.project(vec![row(number)])));
        let answers = tokio::select! {
            answers = asked => answers,
            () = go_on(&go) => unreachable!("it goes on for ever"),
        };
        assert!(answers.iter().all(Result::is_ok));
        let written = written.lock().unwrap().clone();
        let mut numbers: Vec<i64> = written.iter().flatten().copied().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
        assert!(written.len() <= 4, "{written:?}");
    }

    #[tokio::test]
    async fn rows_that_the_store_refuses_fail_alone() {
        let go = Arc::new(Notify::new());
        let (together, _) = store(&go);
        let asked = join_all([0, 1, -1, 2].map(|number| together.project(vec![row(number)])));
        let answers = tokio::select! {
            answers = asked => answers,
            () = go_on(&go) => unreachable!("it goes on for ever"),
        };
        let is_ok: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(is_ok, [true, true, false, true]);
    }

    /// Counts how often a future asks to be polled again.
    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn whose_rows_were_taken_along_sleeps_until_the_answer() {
        let go = Arc::new(Notify::new());
        let (together, _) = store(&go);
        let mut asked: Vec<_> = (0..3)
            .map(|number| Box::pin(together.project(vec![row(number)])))
            .collect();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        for _ in 0..2 {
            for one in &mut asked {
                assert!(
                    one.as_mut()
                        .poll(&mut Context::from_waker(&waker))
                        .is_pending()
                );
            }
        }
        assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn who_waits_for_a_run_that_was_dropped_asks_again() {
        let go = Arc::new(Notify::new());
        let (together, written) = store(&go);
        // Both turns are taken, the second for the two that wait.
        let mut first = Box::pin(together.project(vec![row(1)]));
        let mut second = Box::pin(together.project(vec![row(2)]));
        assert!(first.as_mut().now_or_never().is_none());
        let mut third = Box::pin(together.project(vec![row(3)]));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        drop(second);
        tokio::select! {
            answer = third => assert!(answer.is_ok()),
            () = go_on(&go) => unreachable!("it goes on for ever"),
        }
        assert!(
            written
                .lock()
                .unwrap()
                .iter()
                .flatten()
                .any(|number| *number == 3)
        );
    }
}
