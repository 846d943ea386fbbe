//! The journal of a pause: written before the service is stopped, removed when it is back, read by whoever comes after a death.

use loom_service::Stopped;
use serde::{Deserialize, Serialize};

use crate::{RunError, Service, StateDir, state};

/// What a run was about to stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Journal {
    stopped: Stopped,
    start_timeout_ms: u64,
}

/// What [`recover`] found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// No run was interrupted.
    Nothing,
    /// A run was interrupted in its pause; the service is up.
    ServiceBack,
}

pub(crate) fn write(
    state: &StateDir,
    stopped: &Stopped,
    start_timeout: std::time::Duration,
) -> Result<(), RunError> {
    let start_timeout_ms = start_timeout.as_millis() as u64;
    state::write_json(&state.journal(), &Journal { stopped: stopped.clone(), start_timeout_ms })
}

pub(crate) fn clear(state: &StateDir) -> Result<(), RunError> {
    state::remove(&state.journal())
}

/// Undoes what an interrupted run left: starts the service that it had stopped, and only that.
///
/// A service that is up, or that somebody started or stopped since, is left as it is.
///
/// # Errors
/// [`RunError::NotBack`] when the service does not come back; the journal is then kept for the next try.
pub fn recover(state: &StateDir, service: &Service) -> Result<Recovered, RunError> {
    let Some(journal) = state::read_json::<Journal>(&state.journal())? else {
        return Ok(Recovered::Nothing);
    };
    let timeout = std::time::Duration::from_millis(journal.start_timeout_ms);
    let started = service.controller().start(&journal.stopped, timeout);
    match started {
        Ok(_) | Err(loom_service::ServiceError::TouchedByOthers { .. }) => {
            clear(state)?;
            Ok(Recovered::ServiceBack)
        }
        Err(error) => match journal.stopped.unit {
            Some(unit) => Err(RunError::NotBack { unit, source: Box::new(error.into()) }),
            None => Err(error.into()),
        },
    }
}
