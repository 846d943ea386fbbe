//! Stopping a unit, and the proof that it is stopped.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::systemd::{Systemd, Verb};
use crate::wait::Wait;
use crate::{
    ActiveState, LoadState, ServiceController, ServiceError, ServiceResult, ServiceStatus, Stopped, cgroup,
    dependents, exit,
};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

impl Systemd {
    /// The unit as it is, and the record of what a stop would stop.
    pub(crate) fn survey(&self) -> ServiceResult<(ServiceStatus, Stopped)> {
        let status = self.status()?;
        self.refuse_if_it_would_not_start(&status)?;
        let was_active = self.is_wanted_up(&status)?;
        let dependents = if was_active { dependents::active(self, &self.unit)? } else { Vec::new() };
        if was_active {
            dependents::spare_us(&status.unit, &dependents)?;
        }
        let stopped = Stopped {
            unit: Some(self.unit.clone()),
            was_active,
            invocation_id: status.invocation_id.clone(),
            boot_id: boot_id()?,
            dependents,
            clean: false,
            result: String::new(),
            exit: String::new(),
            took: Duration::ZERO,
        };
        Ok((status, stopped))
    }

    fn refuse_if_it_would_not_start(&self, status: &ServiceStatus) -> ServiceResult<()> {
        let unit = self.unit.clone();
        match &status.load_state {
            LoadState::Loaded => Ok(()),
            LoadState::Masked => Err(ServiceError::Masked { unit }),
            other => Err(ServiceError::NotLoaded { unit, load_state: other.to_string() }),
        }
    }

    /// Whether the unit is up, or would be in a moment, and nobody is stopping it: only then is it ours to
    /// start again. Between two runs of a unit that restarts itself (`auto-restart`, or ending by itself with
    /// a `Restart=`) it counts as up; with a stop of somebody else's waiting, as down.
    fn is_wanted_up(&self, status: &ServiceStatus) -> ServiceResult<bool> {
        if status.job.is_some()
            && let Some(job) = self.job_type(&status.unit)?
        {
            return Ok(job != "stop");
        }
        Ok(match status.active_state {
            ActiveState::Inactive | ActiveState::Failed => false,
            ActiveState::Deactivating => !matches!(status.details.get("Restart"), "no" | ""),
            _ => true,
        })
    }

    pub(crate) fn stop_unit(&self, timeout: Duration) -> ServiceResult<Stopped> {
        let mut wait = Wait::new(timeout);
        let (before, stopped) = self.survey()?;
        tracing::debug!(unit = %self.unit, state = before.state(), up = stopped.was_active, "stop");
        if !before.is_at_rest() {
            self.ask(Verb::Stop, &self.unit)?;
        }
        let group = before.control_group.as_deref().unwrap_or_default();
        let after = self.wait_until_gone(group, &mut wait)?;
        Ok(Stopped {
            // If it restarted itself between the look and the stop, this is the run that was stopped. A unit
            // that ended well and that nobody refers to is unloaded, and its id forgotten.
            invocation_id: after.invocation_id.clone().or(stopped.invocation_id),
            clean: exit::is_clean(&after.details),
            result: after.outcome(),
            exit: after.exit(),
            took: wait.elapsed(),
            ..stopped
        })
    }

    /// Looks until nothing of the unit is left, in `group` either, in which its processes were.
    fn wait_until_gone(&self, group: &str, wait: &mut Wait) -> ServiceResult<ServiceStatus> {
        loop {
            let now = self.look(&self.unit)?;
            let pids = cgroup::processes(now.control_group.as_deref().unwrap_or(group))?;
            if now.is_at_rest() && pids.is_empty() {
                return Ok(now);
            }
            // The stop was accepted, so without a job it is over; whoever is up now was started after it.
            let started = now.active_state.is_up() || now.active_state == ActiveState::Activating;
            if now.job.is_none() && started {
                let (unit, state) = (self.unit.clone(), now.state());
                return Err(ServiceError::TouchedByOthers { unit, done: "started", state });
            }
            if !wait.again() {
                return Err(self.not_gone(&now, pids, wait.timeout()));
            }
        }
    }

    fn not_gone(&self, now: &ServiceStatus, pids: Vec<u32>, timeout: Duration) -> ServiceError {
        let unit = self.unit.clone();
        if now.is_at_rest() {
            return ServiceError::ProcessesLeft { unit, pids };
        }
        let stop_timeout = now.details.get("TimeoutStopUSec").to_owned();
        ServiceError::StopTimeout { unit, timeout, state: now.state(), pids, stop_timeout }
    }
}

fn boot_id() -> ServiceResult<String> {
    let id = fs::read_to_string(BOOT_ID)
        .map_err(|source| ServiceError::BootId { path: Path::new(BOOT_ID).to_owned(), source })?;
    Ok(id.trim().to_owned())
}
