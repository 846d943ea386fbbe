//! What a backup came to, for scripts (`--json`) and for people.

use std::time::Duration;

use jiff::Timestamp;
use loom_repository::{BackupId, Facts, NodeName, Published};
use serde::Serialize;

use super::{BackupPlan, BackupRequest, PlannedEntry};

/// The report of a run that published a backup. Its JSON is documented in `docs/json.md`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackupReport {
    /// The version of this shape: 1.
    pub version: u32,
    /// The backup.
    pub backup: ReportedBackup,
    /// Where it is.
    pub repository: String,
    /// Whether the store refuses to overwrite objects when told to.
    pub conditional_put: bool,
    /// The entries in it.
    pub entries: Vec<PlannedEntry>,
    /// What whoever reads this should know.
    pub warnings: Vec<String>,
    /// How long the whole run took, in seconds.
    pub duration_seconds: f64,
    /// Of it: reading, hashing, compressing and storing, in seconds.
    pub store_seconds: f64,
}

/// A backup as reports and lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportedBackup {
    /// Its id.
    pub id: BackupId,
    /// Whose it is.
    pub node: NodeName,
    /// When it was published.
    pub created: Timestamp,
    /// The node's height.
    pub height: Option<u64>,
    /// What else is said of it.
    #[serde(flatten)]
    pub facts: Facts,
}

impl ReportedBackup {
    /// A backup with what is said of it.
    #[must_use]
    pub fn new(node: NodeName, id: BackupId, facts: Facts) -> Self {
        Self { node, created: id.created, height: id.height, id, facts }
    }
}

impl BackupReport {
    pub(super) fn new(
        request: &BackupRequest,
        plan: &BackupPlan,
        published: Published,
        conditional_put: bool,
        warnings: Vec<String>,
        store_took: Duration,
        took: Duration,
    ) -> Self {
        Self {
            version: 1,
            backup: ReportedBackup::new(request.node.clone(), published.id, published.facts),
            repository: request.storage.url().to_string(),
            conditional_put,
            entries: plan.entries(),
            warnings,
            duration_seconds: took.as_secs_f64(),
            store_seconds: store_took.as_secs_f64(),
        }
    }

    /// Whether a store was found that the layout does not know.
    #[must_use]
    pub fn has_unclassified(&self) -> bool {
        self.entries.iter().any(|entry| entry.unclassified)
    }
}
