//! Waiting by asking again: often at first, so that the pause is not prolonged, then seldom.
//!
//! Does not know what is waited for.

use std::thread;
use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(250);

/// The time left of a wait, and when to look again.
pub(crate) struct Wait {
    began: Instant,
    timeout: Duration,
    next: Duration,
}

impl Wait {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { began: Instant::now(), timeout, next: FIRST }
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Sleeps until the next look: from 5 ms, a quarter more each time. `false`, at once, when time is up.
    pub(crate) fn again(&mut self) -> bool {
        let left = self.timeout.saturating_sub(self.elapsed());
        if left.is_zero() {
            return false;
        }
        thread::sleep(self.next.min(left));
        self.next = (self.next * 5 / 4).min(LONGEST);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_its_time_and_not_before_a_last_look() {
        let mut wait = Wait::new(Duration::from_millis(12));
        let mut looks = 0;
        while wait.again() {
            looks += 1;
        }
        assert!((2..=4).contains(&looks), "{looks}");
        assert!(wait.elapsed() >= Duration::from_millis(12));
        assert!(!Wait::new(Duration::ZERO).again());
    }
}
