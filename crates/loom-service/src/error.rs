//! Why a service could not be looked at, stopped or started.
//!
//! Texts name the unit and what to do about it; the reason systemd gives is in fields, for reports.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::{LockHolder, LockKind, UnitName};

/// The result of this crate's calls.
pub type ServiceResult<T> = Result<T, ServiceError>;

/// What went wrong with a service or with the locks of its stores.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The text is no name of a unit.
    #[error("unit name `{name}`: {reason}")]
    BadUnitName {
        /// The text as given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// There is no service here ([`NoService`](crate::NoService)), so it has no state.
    #[error("no service is configured for this node")]
    NoService,

    /// systemd knows no such unit.
    #[error(
        "{unit} does not exist; `systemctl list-units --type=service --all` lists the names systemd knows"
    )]
    NotFound {
        /// The unit asked for.
        unit: UnitName,
    },

    /// The unit is masked: it could be stopped, but not started again.
    #[error("{unit} is masked, it would not start again; `systemctl unmask {unit}` allows it")]
    Masked {
        /// The unit asked for.
        unit: UnitName,
    },

    /// systemd cannot load the unit's definition: it could be stopped, but not started again.
    #[error(
        "{unit} cannot be loaded ({load_state}), it would not start again; `systemctl status {unit}` says why"
    )]
    NotLoaded {
        /// The unit asked for.
        unit: UnitName,
        /// systemd's word: `error`, `bad-setting`, `not-found` for a running unit whose file is gone.
        load_state: String,
    },

    /// This user may not stop and start the unit.
    #[error("this user may not control {unit}: {reason}")]
    NotAllowed {
        /// The unit.
        unit: UnitName,
        /// What is missing and what to do.
        reason: String,
    },

    /// Stopping the unit would stop this program with it, and nobody would start the node again.
    #[error(
        "stopping {unit} would stop {own}, in which this program runs; remove its `Requires=`, `BindsTo=` or `PartOf=`"
    )]
    WouldStopUs {
        /// The unit to stop.
        unit: UnitName,
        /// The unit this process belongs to.
        own: UnitName,
    },

    /// A program could not be run, or did not end in time.
    #[error("run `{command}`")]
    Run {
        /// The command line.
        command: String,
        /// Why; [`io::ErrorKind::TimedOut`] when it did not end in time.
        source: io::Error,
    },

    /// A program ended with an error.
    #[error("`{command}` failed ({exit}){}", after_colon(.output))]
    Failed {
        /// The command line.
        command: String,
        /// Its exit status, in words.
        exit: String,
        /// What it wrote to its standard error, or what to do to see it.
        output: String,
    },

    /// A program answered something that is not understood.
    #[error("understand the answer of `{command}`: {what}")]
    Answer {
        /// The command line.
        command: String,
        /// What is wrong with it.
        what: String,
    },

    /// The processes of a unit could not be listed.
    #[error("list the processes in {}", path.display())]
    Processes {
        /// The directory or file of the control group.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// The unit has not stopped in time. It is still stopping: `start` with the record of
    /// [`plan_stop`](crate::ServiceController::plan_stop) brings it back.
    #[error(
        "{unit} did not stop within {timeout:?}: it is {state}{}; systemd goes on stopping it and kills it after its TimeoutStopSec ({stop_timeout})",
        list_pids(.pids)
    )]
    StopTimeout {
        /// The unit.
        unit: UnitName,
        /// How long was waited.
        timeout: Duration,
        /// `ActiveState (SubState)`.
        state: String,
        /// The processes left in its control group.
        pids: Vec<u32>,
        /// The unit's own `TimeoutStopSec`, as systemd prints it.
        stop_timeout: String,
    },

    /// systemd holds the unit for stopped, but processes of it live on (`KillMode=process` or `none`).
    #[error("{unit} is stopped, but it left{}; set `KillMode=control-group` or `mixed`", list_pids(.pids))]
    ProcessesLeft {
        /// The unit.
        unit: UnitName,
        /// The processes in its control group.
        pids: Vec<u32>,
    },

    /// The unit was started again and is not up.
    #[error("{unit} did not come back: it is {state}, result {result}, {exit}, {waited:?} after the start{}", quote(.journal))]
    NotBack {
        /// The unit, or one of its dependents.
        unit: UnitName,
        /// `ActiveState (SubState)`.
        state: String,
        /// systemd's `Result`.
        result: String,
        /// How its main process ended, in words.
        exit: String,
        /// The time since the start was asked for.
        waited: Duration,
        /// The last lines of its journal, if they could be read.
        journal: Box<[String]>,
    },

    /// Somebody else started or stopped the unit in between: it is left as it is.
    #[error("{unit} was {done} by somebody else in the meantime; it is left {state}")]
    TouchedByOthers {
        /// The unit.
        unit: UnitName,
        /// What the others did.
        done: &'static str,
        /// `ActiveState (SubState)` as found.
        state: String,
    },

    /// The record of a stop belongs to another unit.
    #[error("the record is of a stop of {recorded}, not of {unit}")]
    OtherUnit {
        /// The unit of this controller.
        unit: UnitName,
        /// The unit in the record, or `no service`.
        recorded: String,
    },

    /// A file of the unit's definition could not be read.
    #[error("read {} of the definition of {unit}", path.display())]
    Definition {
        /// The unit.
        unit: UnitName,
        /// The unit file or drop-in.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// The id of this boot could not be read.
    #[error("read the boot id from {}", path.display())]
    BootId {
        /// The file of the kernel.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A `LOCK` file could not be opened; it is never created.
    #[error("open the lock file {}", path.display())]
    LockOpen {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A lock could not be taken for a reason other than a holder (a file system without locks).
    #[error("take the {kind} lock on {}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Which of the two kinds.
        kind: LockKind,
        /// Why.
        source: io::Error,
    },

    /// Somebody has the store open.
    #[error("the {kind} lock on {} is held by {}", path.display(), holder_text(.holder.as_ref()))]
    LockHeld {
        /// The file.
        path: PathBuf,
        /// Which of the two kinds: it tells the engine.
        kind: LockKind,
        /// Who, if the kernel says.
        holder: Option<LockHolder>,
    },
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

fn list_pids(pids: &[u32]) -> String {
    let pids: Vec<_> = pids.iter().map(u32::to_string).collect();
    match pids.len() {
        0 => String::new(),
        1 => format!(" process {}", pids[0]),
        _ => format!(" processes {}", pids.join(", ")),
    }
}

fn quote(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + "\n  | " + line)
}

fn holder_text(holder: Option<&LockHolder>) -> String {
    holder.map_or_else(|| "a process that /proc/locks does not name".to_owned(), ToString::to_string)
}
