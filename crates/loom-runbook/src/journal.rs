//! The journal of a pause: written before the service is stopped, removed when it is back, read by whoever comes after a death.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use loom_service::{Stopped, Systemd, SystemdOptions};
use serde::{Deserialize, Serialize};

use crate::{RunError, Service, StateDir, state};

/// What a run was about to stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Journal {
    stopped: Stopped,
    start_timeout_ms: u64,
    /// The home in which a restore was about to swap entries; absent for a backup.
    #[serde(default)]
    restoring: Option<PathBuf>,
}

/// What [`recover`] found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// No run was interrupted.
    Nothing,
    /// A run was interrupted in its pause; the service is up.
    ServiceBack,
    /// A run was interrupted in its pause; somebody has started or stopped the service since, and it is left to them.
    LeftToOthers,
}

pub(crate) fn write(
    state: &StateDir,
    stopped: &Stopped,
    start_timeout: std::time::Duration,
) -> Result<(), RunError> {
    write_for(state, stopped, start_timeout, None)
}

/// As [`write`], for a restore into this home.
pub(crate) fn write_for(
    state: &StateDir,
    stopped: &Stopped,
    start_timeout: std::time::Duration,
    restoring: Option<&Path>,
) -> Result<(), RunError> {
    let start_timeout_ms = start_timeout.as_millis() as u64;
    let restoring = restoring.map(Path::to_owned);
    state::write_json(&state.journal(), &Journal { stopped: stopped.clone(), start_timeout_ms, restoring })
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
    // What is to be started is what was stopped, whatever this run is about.
    let stopped_one = match &journal.stopped.unit {
        Some(unit) if service.controller().unit() != Some(unit) => {
            Service::Systemd(Arc::new(Systemd::new(unit.clone(), SystemdOptions::default())))
        }
        _ => service.clone(),
    };
    if let Some(home) = &journal.restoring {
        // A node is never started on a tree that is half old and half new.
        crate::restore::settle(home)?;
    }
    let timeout = std::time::Duration::from_millis(journal.start_timeout_ms);
    match stopped_one.controller().start(&journal.stopped, timeout) {
        Ok(_) => {
            clear(state)?;
            Ok(Recovered::ServiceBack)
        }
        Err(loom_service::ServiceError::TouchedByOthers { .. }) => {
            clear(state)?;
            Ok(Recovered::LeftToOthers)
        }
        Err(error) => match journal.stopped.unit {
            Some(unit) => Err(RunError::NotBack { unit, source: Box::new(error.into()) }),
            None => Err(error.into()),
        },
    }
}
