//! Starting again what was stopped: the unit, then the units that were stopped along with it.

use std::thread;
use std::time::Duration;

use crate::systemd::{Systemd, Verb};
use crate::wait::Wait;
use crate::{
    ActiveState, ServiceController, ServiceError, ServiceResult, ServiceStatus, Started, Stopped, UnitName,
};

/// How long a unit must stay up to count as back. `Type=simple` is "active" from the fork on, before it is
/// known whether the program can be executed at all. The node runs meanwhile, so this prolongs no pause.
const SETTLE: Duration = Duration::from_millis(200);

impl Systemd {
    pub(crate) fn start_again(&self, stopped: &Stopped, timeout: Duration) -> ServiceResult<Started> {
        if stopped.unit.as_ref() != Some(&self.unit) {
            let recorded = stopped.unit.as_ref().map_or("no service".to_owned(), UnitName::to_string);
            return Err(ServiceError::OtherUnit { unit: self.unit.clone(), recorded });
        }
        if !stopped.was_active {
            return Ok(Started { took: Duration::ZERO });
        }
        let mut wait = Wait::new(timeout);
        let now = self.status()?;
        self.refuse_if_touched(&now, stopped)?;
        let mut up = vec![self.bring_up(&self.unit, &now, &mut wait)?];
        let dependents = self.start_dependents(&stopped.dependents, &mut wait, &mut up);
        let took = wait.elapsed();
        self.settle(&up, &wait)?;
        dependents.map(|()| Started { took })
    }

    /// A unit that is down after a run which is not the one we stopped was started and stopped by others.
    /// No id at all is no sign of them: systemd forgets it when it unloads the unit, and at a boot.
    fn refuse_if_touched(&self, now: &ServiceStatus, stopped: &Stopped) -> ServiceResult<()> {
        let down = now.active_state.is_down() || now.active_state == ActiveState::Deactivating;
        if down && now.invocation_id.is_some() && now.invocation_id != stopped.invocation_id {
            let (unit, state) = (self.unit.clone(), now.state());
            return Err(ServiceError::TouchedByOthers { unit, done: "started and stopped", state });
        }
        Ok(())
    }

    /// Starts the dependents that are down, and adds those that are up to `up`. All are tried; the first
    /// failure is the answer.
    fn start_dependents(
        &self,
        dependents: &[UnitName],
        wait: &mut Wait,
        up: &mut Vec<ServiceStatus>,
    ) -> ServiceResult<()> {
        let mut first = Ok(());
        for dependent in dependents {
            match self.look(dependent).and_then(|now| self.bring_up(dependent, &now, wait)) {
                Ok(status) => up.push(status),
                Err(error) => {
                    tracing::warn!(%dependent, %error, "a dependent unit did not come back");
                    first = first.and(Err(error));
                }
            }
        }
        first
    }

    /// Starts a unit, unless it is up or somebody is starting it, and waits until it is up.
    fn bring_up(
        &self,
        unit: &UnitName,
        now: &ServiceStatus,
        wait: &mut Wait,
    ) -> ServiceResult<ServiceStatus> {
        // Also a unit that is still stopping, after a stop that took too long: systemd starts it when it is
        // down. And one that waits to restart itself: it starts at once.
        let is_coming = now.active_state == ActiveState::Activating && !now.is_restarting_itself();
        if !now.active_state.is_up() && !is_coming || self.is_being_stopped(now)? {
            tracing::debug!(%unit, state = now.state(), "start");
            self.ask(Verb::Start, unit)?;
        }
        self.wait_until_up(unit, now.restarts(), wait)
    }

    /// An active unit with a stop waiting in the queue: our own, from a stop that was cut short.
    fn is_being_stopped(&self, now: &ServiceStatus) -> ServiceResult<bool> {
        Ok(now.job.is_some() && self.job_type(&now.unit)?.as_deref() == Some("stop"))
    }

    fn wait_until_up(&self, unit: &UnitName, restarts: u32, wait: &mut Wait) -> ServiceResult<ServiceStatus> {
        loop {
            let now = self.look(unit)?;
            if now.job.is_none() && (now.active_state.is_up() || now.has_done_its_work()) {
                return Ok(now);
            }
            let is_down = now.active_state.is_down() && now.job.is_none();
            // A start resets the counter of restarts, so more than before means that it crashed since.
            let crashed = now.is_restarting_itself() || now.restarts() > restarts;
            if is_down || crashed || !wait.again() {
                return Err(self.not_back(&now, wait));
            }
        }
    }

    /// Refuses a unit that was up a moment ago and is not any more, or runs again as another process.
    fn settle(&self, up: &[ServiceStatus], wait: &Wait) -> ServiceResult<()> {
        thread::sleep(SETTLE);
        for before in up {
            let now = self.look(&before.unit)?;
            let is_same_run = now.active_state.is_up() && now.invocation_id == before.invocation_id;
            if !is_same_run && !now.has_done_its_work() {
                return Err(self.not_back(&now, wait));
            }
        }
        Ok(())
    }

    fn not_back(&self, now: &ServiceStatus, wait: &Wait) -> ServiceError {
        ServiceError::NotBack {
            unit: now.unit.clone(),
            state: now.state(),
            result: now.outcome(),
            exit: now.exit(),
            waited: Duration::from_millis(wait.elapsed().as_millis() as u64),
            journal: self.journal(&now.unit).into(),
        }
    }
}
