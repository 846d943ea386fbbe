//! Which failures may pass, and how long to wait for it.
//!
//! This is on top of `object_store`'s own quick attempts, for three things these cannot do: they count from the start of a
//! request (a put that breaks after a minute is not made again), they do not tell an endpoint that never
//! answered from one that is away for a moment, and they hide that an answer was lost.

use std::time::Duration;

use object_store::client::HttpErrorKind;
use tokio::time::Instant;

use crate::Answer;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// For an endpoint that has not answered once: a wrong name stays wrong.
const PATIENCE_WITH_STRANGERS: Duration = Duration::from_secs(5);

/// How often and how long a request is made again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) retries: usize,
    pub(crate) timeout: Duration,
}

/// The failures of one request so far.
#[derive(Debug)]
pub(crate) struct Tries {
    policy: Policy,
    begun: Instant,
    first_failure: Option<Instant>,
    failures: usize,
}

impl Policy {
    pub(crate) fn begin(self) -> Tries {
        Tries { policy: self, begun: Instant::now(), first_failure: None, failures: 0 }
    }
}

impl Tries {
    /// How long to wait before the request is made once more after `answer`; nothing if it is not worth it.
    /// `known` says that the endpoint has answered before.
    pub(crate) fn wait_after(&mut self, answer: &Answer, known: bool) -> Option<Duration> {
        let first_failure = *self.first_failure.get_or_insert_with(Instant::now);
        self.failures += 1;
        let wait = FIRST_WAIT.saturating_mul(1 << (self.failures - 1).min(16)).min(LONGEST_WAIT);
        let stranger = answer.transport == Some(HttpErrorKind::Connect) && !known;
        let in_time = if stranger {
            self.begun.elapsed() < PATIENCE_WITH_STRANGERS
        } else {
            first_failure.elapsed() < self.policy.timeout
        };
        (may_pass(answer) && self.failures <= self.policy.retries && in_time).then_some(wait)
    }
}

/// Whether the same request may succeed later.
fn may_pass(answer: &Answer) -> bool {
    // S3 answers 409 with these while another conditional write to the key is under way.
    answer.has_code(&[
        "SlowDown",
        "InternalError",
        "ServerBusy",
        "ConditionalRequestConflict",
        "OperationAborted",
    ]) || match (answer.status, answer.transport) {
        (Some(status), _) => matches!(status, 408 | 429 | 500 | 502..=504),
        (None, Some(kind)) => kind != HttpErrorKind::Unknown,
        (None, None) => false,
    }
}

/// Whether the request may have been carried out although it failed.
pub(crate) fn may_be_done(answer: &Answer) -> bool {
    match (answer.status, answer.transport) {
        (Some(status), _) => matches!(status, 408 | 500..=599),
        (None, Some(kind)) => kind != HttpErrorKind::Connect,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use object_store::client::HttpError;

    use super::*;

    fn failed(kind: HttpErrorKind) -> Answer {
        let source = Box::new(HttpError::new(kind, io::Error::other("injected")));
        Answer::of(&object_store::Error::Generic { store: "test", source })
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_endpoint_is_waited_for_and_a_stranger_is_given_up() {
        let policy = Policy { retries: 20, timeout: Duration::from_mins(1) };
        for (known, given_up_after) in [(true, 60..80), (false, 5..10)] {
            let start = Instant::now();
            let mut tries = policy.begin();
            while let Some(wait) = tries.wait_after(&failed(HttpErrorKind::Connect), known) {
                tokio::time::sleep(wait).await;
            }
            assert!(given_up_after.contains(&start.elapsed().as_secs()), "{known}: {:?}", start.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_breaks_after_minutes_is_made_again() {
        let mut tries = Policy { retries: 3, timeout: Duration::from_mins(1) }.begin();
        tokio::time::sleep(Duration::from_mins(5)).await;
        assert_eq!(tries.wait_after(&failed(HttpErrorKind::Interrupted), true), Some(FIRST_WAIT));
    }

    #[test]
    fn what_cannot_pass_is_not_tried_again() {
        let mut tries = Policy { retries: 3, timeout: Duration::from_mins(1) }.begin();
        assert_eq!(tries.wait_after(&Answer::saying("no"), true), None);
        assert_eq!(tries.wait_after(&failed(HttpErrorKind::Unknown), true), None);
    }
}
