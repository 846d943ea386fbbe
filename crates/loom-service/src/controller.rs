//! What a backup or a restore needs of a service, whoever runs it; and the node that has no service.
//!
//! Does not know systemd: that is `systemd.rs`, `stop.rs` and `start.rs`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ServiceError, ServiceResult, ServiceStatus, UnitName};

/// Stops a node's service, and brings back what it stopped.
pub trait ServiceController: Send + Sync {
    /// The unit, if there is one.
    fn unit(&self) -> Option<&UnitName>;

    /// The state of the unit as it is now.
    ///
    /// # Errors
    /// [`ServiceError::NoService`], [`ServiceError::NotFound`], or the service manager did not answer.
    fn status(&self) -> ServiceResult<ServiceStatus>;

    /// What [`stop`](Self::stop) would stop, as things are now; changes nothing.
    ///
    /// This is the record to make durable *before* `stop`: should `stop` fail half-way, or this process die
    /// in it, `start` of this record brings the unit back.
    ///
    /// # Errors
    /// What could not be started again is refused here: [`ServiceError::Masked`], [`ServiceError::NotLoaded`],
    /// [`ServiceError::WouldStopUs`].
    fn plan_stop(&self) -> ServiceResult<Stopped>;

    /// Stops the unit if it is up, and waits until no process of it is left.
    /// Stopping a stopped unit succeeds, with `was_active = false`.
    ///
    /// # Errors
    /// As [`plan_stop`](Self::plan_stop); [`ServiceError::StopTimeout`] or [`ServiceError::ProcessesLeft`] when
    /// something of it is left after `timeout`; [`ServiceError::TouchedByOthers`] when somebody started it.
    fn stop(&self, timeout: Duration) -> ServiceResult<Stopped>;

    /// Starts again what `stop` stopped, then the units that systemd stopped along with it.
    /// Does nothing for a unit that was not up; one that is up already is left alone.
    ///
    /// # Errors
    /// [`ServiceError::NotBack`] when it is not up after `timeout`, or died at once;
    /// [`ServiceError::TouchedByOthers`] when it is down and somebody had started it since. That is known by
    /// the id of its last run, which systemd forgets of a unit that ended well and that no other refers to
    /// (one that is not enabled): such a unit is started.
    fn start(&self, stopped: &Stopped, timeout: Duration) -> ServiceResult<Started>;
}

/// What was stopped, and how it ended: the record by which it is started again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The unit; `None` for a node without a service.
    pub unit: Option<UnitName>,
    /// Whether it was up, or on its way up, and not being stopped by somebody else.
    pub was_active: bool,
    /// systemd's id of the run that was stopped; `None` if it never ran in this boot.
    pub invocation_id: Option<String>,
    /// The kernel's id of the boot in which it was stopped; empty without a service.
    pub boot_id: String,
    /// The active units that systemd stops along with it, in the order in which to start them.
    pub dependents: Vec<UnitName>,
    /// Whether it ended by itself when asked to: not killed, not dumped, not out of time.
    /// Always `false` in a plan and without a service.
    pub clean: bool,
    /// systemd's `Result` of the stopped unit; empty in a plan.
    pub result: String,
    /// How its main process ended, in words; empty in a plan.
    pub exit: String,
    /// From the request to the proof.
    pub took: Duration,
}

/// A service that is up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// From the request to the unit, and its dependents, being active, without the moment in which they are
    /// watched after that; zero if there was nothing to start.
    pub took: Duration,
}

/// A node without a service: nothing is stopped and nothing is started. The locks of its stores
/// ([`StoreLocks`](crate::StoreLocks)) are the only proof that it is down.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoService;

impl ServiceController for NoService {
    fn unit(&self) -> Option<&UnitName> {
        None
    }

    fn status(&self) -> ServiceResult<ServiceStatus> {
        Err(ServiceError::NoService)
    }

    fn plan_stop(&self) -> ServiceResult<Stopped> {
        Ok(Stopped {
            unit: None,
            was_active: false,
            invocation_id: None,
            boot_id: String::new(),
            dependents: Vec::new(),
            clean: false,
            result: String::new(),
            exit: String::new(),
            took: Duration::ZERO,
        })
    }

    fn stop(&self, _timeout: Duration) -> ServiceResult<Stopped> {
        self.plan_stop()
    }

    fn start(&self, _stopped: &Stopped, _timeout: Duration) -> ServiceResult<Started> {
        Ok(Started { took: Duration::ZERO })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_node_without_a_service_is_never_stopped_nor_started() {
        let stopped = NoService.stop(Duration::from_secs(1)).unwrap();
        assert!(!stopped.was_active);
        assert_eq!(NoService.start(&stopped, Duration::from_secs(1)).unwrap().took, Duration::ZERO);
        assert!(matches!(NoService.status(), Err(ServiceError::NoService)));
    }

    #[test]
    fn the_record_of_a_stop_survives_a_journal() {
        let stopped = Stopped {
            unit: Some("loom".parse().unwrap()),
            was_active: true,
            dependents: vec!["proxy".parse().unwrap()],
            invocation_id: Some("0123".to_owned()),
            took: Duration::from_millis(70),
            ..NoService.plan_stop().unwrap()
        };
        let journal = serde_json::to_string(&stopped).unwrap();
        insta::assert_snapshot!(journal, @r#"{"unit":"loom.service","was_active":true,"invocation_id":"0123","boot_id":"","dependents":["proxy.service"],"clean":false,"result":"","exit":"","took":{"secs":0,"nanos":70000000}}"#);
        assert_eq!(serde_json::from_str::<Stopped>(&journal).unwrap(), stopped);
    }
}
