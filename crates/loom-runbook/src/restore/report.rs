//! What a restore came to, for scripts (`--json`) and for people.

use std::path::PathBuf;

use serde::Serialize;

use super::PlannedRestore;
use crate::backup::ReportedBackup;

/// The report of a restore that is in place. Its JSON is documented in `docs/json.md`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RestoreReport {
    /// The version of this shape: 1.
    pub version: u32,
    /// The backup.
    pub backup: ReportedBackup,
    /// Where it came from.
    pub repository: String,
    /// Where it is now.
    pub home: PathBuf,
    /// What was done with each entry.
    pub entries: Vec<PlannedRestore>,
    /// Files restored.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// What became of the sign state, where signing files were restored.
    pub sign_state: Option<String>,
    /// Where the entries are that were moved aside.
    pub previous: Option<PathBuf>,
    /// Whether the service was started.
    pub service_started: bool,
    /// What whoever reads this should know.
    pub warnings: Vec<String>,
    /// How long the node was without service, in seconds.
    pub downtime_seconds: f64,
    /// How long the whole run took, in seconds.
    pub duration_seconds: f64,
}
