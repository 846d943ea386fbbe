//! Whether a run would work, without running it.

use std::path::Path;

use loom_repository::{Repository, storage::StorageError};
use serde::Serialize;

use crate::{BackupRequest, RunError, StateDir, backup};

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Check {
    /// The home, its layout and entries.
    Node,
    /// The service, and the right to stop and start it.
    Service,
    /// The node's RPC.
    Rpc,
    /// Room and rights for a snapshot on the home's file system.
    Snapshot,
    /// The state directory.
    State,
    /// Writing, reading, listing and deleting in the storage.
    Storage,
    /// The age of the last success.
    Age,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// Whether a run would work as far as this goes.
    pub ok: bool,
    /// What was found.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The version of this shape: 1.
    pub version: u32,
    /// Whether a run would work.
    pub ok: bool,
    /// The findings.
    pub findings: Vec<Finding>,
}

/// Checks everything that can be checked without stopping the node. The only thing written is a probe in the storage, the state
/// directory and the home, removed at once.
pub async fn check(request: &BackupRequest) -> CheckReport {
    let mut findings = Vec::new();
    match backup::plan(request).await {
        Ok(plan) => {
            findings.push(good(Check::Node, plan.in_short()));
            findings.extend(plan.warnings.iter().map(|text| good(Check::Node, format!("warning: {text}"))));
            if let Some(service) = &plan.service {
                findings.push(good(
                    Check::Service,
                    format!("{} is {}, and may be stopped and started", service.unit, service.active_state),
                ));
            }
            findings.push(match &plan.status {
                Some(status) => {
                    good(Check::Rpc, format!("height {}, version {}", status.height, status.version))
                }
                None => good(Check::Rpc, "no answer: the backup will be named without a height".to_owned()),
            });
        }
        Err(error) => findings.push(bad(Check::Node, &error)),
    }
    findings.push(finding(Check::Snapshot, snapshot(&request.home)));
    findings.push(finding(Check::State, state(request)));
    findings.push(finding(Check::Storage, storage(request).await));
    CheckReport { version: 1, ok: findings.iter().all(|finding| finding.ok), findings }
}

fn good(check: Check, what: String) -> Finding {
    Finding { check, ok: true, what, hint: None }
}

fn bad(check: Check, error: &RunError) -> Finding {
    let mut what = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        what = format!("{what}: {cause}");
        source = cause.source();
    }
    Finding { check, ok: false, what, hint: error.hint() }
}

fn finding(check: Check, outcome: Result<String, RunError>) -> Finding {
    outcome.map_or_else(|error| bad(check, &error), |what| good(check, what))
}

/// A private directory can be made in the home, and there is room.
fn snapshot(home: &Path) -> Result<String, RunError> {
    let probe = tempfile::Builder::new().prefix(".loom-snapshot-probe-").tempdir_in(home);
    probe.map_err(|source| RunError::place("create a directory in", home, source))?;
    let stat = rustix::fs::statvfs(home).map_err(|e| RunError::place("look at", home, e.into()))?;
    Ok(format!(
        "snapshots go into {}/.loom-snapshot, {} bytes free",
        home.display(),
        stat.f_bavail * stat.f_frsize
    ))
}

fn state(request: &BackupRequest) -> Result<String, RunError> {
    let state = StateDir::open(&request.state_dir, &request.node)?;
    state.lock()?;
    Ok(format!("{} can be written", request.state_dir.display()))
}

/// Writes, reads, lists and deletes a probe of its own.
async fn storage(request: &BackupRequest) -> Result<String, RunError> {
    let storage = &request.storage;
    let key = Repository::probe_key(&request.node);
    storage.put(&key, b"a probe of loom-backup check"[..].into()).await?;
    let read = async {
        storage.get(&key).await?;
        storage.list(Some(&key)).await
    };
    let read = read.await;
    let deleted = storage.delete(&key).await;
    read?;
    // A node need not be able to delete: it only writes.
    let delete = match deleted {
        Ok(()) => "deleted",
        Err(StorageError::Denied { .. }) => "not deleted (that is fine)",
        Err(error) => return Err(error.into()),
    };
    let what = match Repository::open(storage.clone()).await {
        Ok(repository) if repository.conditional_put() => "a repository",
        Ok(_) => "a repository, in a store that overwrites objects even when told not to",
        Err(loom_repository::RepositoryError::NoRepository { .. }) => {
            "no repository yet: the first run creates it"
        }
        Err(error) => return Err(error.into()),
    };
    Ok(format!("{} can be written and read, and {delete}; {what}", storage.url()))
}
