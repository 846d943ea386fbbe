//! What happens while a run goes on, for whoever shows it.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use loom_repository::RepositoryError;
use serde::Serialize;

use crate::RunError;

/// A step of a run, in the words of the reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Looking at the node, the repository and what is to be done.
    Plan,
    /// Opening or creating the repository and learning what it holds.
    Open,
    /// The node without service: stopped, captured, started.
    Pause,
    /// Storing what the repository does not have.
    Store,
    /// Writing summary and manifest.
    Publish,
    /// Seeing that the service is still up.
    Watch,
    /// Fetching into a new directory beside the old entries.
    Stage,
    /// Stopping the service.
    Stop,
    /// Putting the new entries in place of the old ones.
    Swap,
    /// Starting the service.
    Start,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A step begins; `bytes` is how much it will deal with, where that is known.
    Begun {
        /// The step.
        step: Step,
        /// Bytes to deal with.
        bytes: Option<u64>,
    },
    /// So many bytes more were dealt with.
    Progress {
        /// Bytes since the last such event.
        bytes: u64,
    },
    /// A step is done.
    Done {
        /// The step.
        step: Step,
        /// How long it took.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
        /// What came of it, in a few words.
        outcome: String,
    },
    /// Something that whoever reads the report should know.
    Warning {
        /// What, and what to do.
        text: String,
    },
}

fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((took.as_secs_f64() * 1e6).round() / 1e6)
}

/// Whoever wants to know what happens while it happens. Called from several threads.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event);
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn event(&self, _: Event) {}
}

/// Tells when a step begins and, once [`Running::done`] is called, how it ended.
pub(crate) struct Running<'a> {
    observer: &'a dyn Observer,
    step: Step,
    since: std::time::Instant,
}

impl<'a> Running<'a> {
    pub(crate) fn begin(observer: &'a dyn Observer, step: Step, bytes: Option<u64>) -> Self {
        observer.event(Event::Begun { step, bytes });
        Self { observer, step, since: std::time::Instant::now() }
    }

    pub(crate) fn done(self, outcome: impl Into<String>) -> Duration {
        let took = self.since.elapsed();
        self.observer.event(Event::Done { step: self.step, took, outcome: outcome.into() });
        took
    }
}

/// Awaits `work`, tells the observer meanwhile what `done` counts, and gives up soon after `cancel` is set: `work` may be
/// waiting for a store that does not answer.
pub(crate) async fn telling<T>(
    observer: &dyn Observer,
    done: &AtomicU64,
    cancel: &AtomicBool,
    work: impl Future<Output = Result<T, RepositoryError>>,
) -> Result<T, RunError> {
    /// Ticks that work has for ending by itself.
    const PATIENCE: u32 = 5;
    let mut told = 0;
    let mut tell = || {
        let now = done.load(Ordering::Relaxed);
        if now > told {
            observer.event(Event::Progress { bytes: now - told });
            told = now;
        }
    };
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut since_cancel = 0;
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => {
                tell();
                return Ok(result?);
            }
            _ = ticks.tick() => tell(),
        }
        since_cancel += u32::from(cancel.load(Ordering::Relaxed));
        if since_cancel > PATIENCE {
            return Err(RunError::Interrupted);
        }
    }
}
