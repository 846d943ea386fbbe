//! The order of steps of a backup and of a restore, with the events and reports they give; nothing else.
//!
//! The other crates each know one thing: what belongs to a node, how its service stops, how its files are captured, how a
//! repository holds them. This one knows what comes after what, what is undone when a step fails, and what a person or a
//! script is told. It does not print, reads no configuration and no environment, and asks nobody anything: `loom-cli` does.

mod backup;
mod check;
mod error;
mod events;
mod journal;
mod owners;
mod restore;
mod state;

pub use backup::{
    BackupPlan, BackupReport, BackupRequest, PlannedEntry, QuiesceMode, ReportedBackup, Secrets, backup,
    plan as plan_backup,
};
pub use check::{Check, CheckReport, Finding, check};
pub use error::{Kind, RunError};
pub use events::{Event, NoObserver, Observer, Step};
pub use journal::{Recovered, recover};
pub use loom_node::{Class, ClassSet, LayoutKind, LayoutOptions};
pub use loom_repository as repository;
pub use loom_repository::storage;
pub use loom_service::{NoService, ServiceController, ServiceError, Systemd, SystemdOptions, UnitName};
pub use restore::{
    Action, PlannedRestore, RestorePlan, RestoreReport, RestoreRequest, SignStatePolicy, Which, find_backup,
    plan as plan_restore, restore, undo_unfinished as undo_unfinished_restore,
};
pub use state::{LastRun, Running, StateDir};

use std::sync::Arc;

/// The service that runs a node, or none.
#[derive(Debug, Clone)]
pub enum Service {
    /// A systemd unit.
    Systemd(Arc<Systemd>),
    /// The node has no service: whoever runs it has stopped it, and the locks of its databases prove it.
    None,
}

impl Service {
    /// What stops and starts it.
    #[must_use]
    pub fn controller(&self) -> &dyn ServiceController {
        match self {
            Self::Systemd(systemd) => systemd.as_ref(),
            Self::None => &NoService,
        }
    }
}
