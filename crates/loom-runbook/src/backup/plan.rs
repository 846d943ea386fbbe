//! What a backup would do: which entries of which classes, of which node, and what there is to say about it.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use loom_node::{Class, ClassSet, Layout, NodeKey, Rpc, Status, examine};
use loom_service::{ServiceController, ServiceStatus};
use serde::Serialize;

use super::{BackupRequest, QuiesceMode, Secrets, blocking};
use crate::{RunError, Service};

/// What a backup would do; making one changes nothing.
#[derive(Debug, Clone)]
pub struct BackupPlan {
    /// The node as its home shows it.
    pub layout: Layout,
    /// The classes that will be taken.
    pub classes: ClassSet,
    /// The node's id.
    pub node_id: Option<String>,
    /// What the node's RPC said, when it answered.
    pub status: Option<Status>,
    /// The state of the service, when there is one.
    pub service: Option<ServiceStatus>,
    /// What whoever runs this should know.
    pub warnings: Vec<String>,
}

/// An entry as the plan shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedEntry {
    /// Its path relative to the home.
    pub path: String,
    /// Its class.
    pub class: Class,
    /// Whether the layout does not know it.
    pub unclassified: bool,
}

/// How long the node's RPC may take to say its height. It is only asked, never waited for.
const RPC_TIMEOUT: Duration = Duration::from_secs(3);

/// Looks at the node and decides what to take.
///
/// # Errors
/// What would make the run fail: a home that is none, a store that is named and absent, keys that would leave the machine
/// unencrypted, a service that this user may not stop or that would not start again.
pub async fn plan(request: &BackupRequest) -> Result<BackupPlan, RunError> {
    let home = request.home.clone();
    std::fs::read_dir(&home).map_err(|source| RunError::Home { path: home.clone(), source })?;
    let options = request.layout.clone();
    let layout = blocking(move || Ok(examine(&home, &options)?)).await?;
    let classes = classes(request, &layout)?;
    let service = service(request).await?;
    let status = ask(&layout).await;
    let mut plan = BackupPlan {
        node_id: node_id(request, &layout),
        layout,
        classes,
        status,
        service,
        warnings: Vec::new(),
    };
    if plan.entries().is_empty() {
        let classes = plan.classes.to_string();
        return Err(RunError::NothingToBackUp { home: request.home.clone(), classes });
    }
    plan.warnings = warnings(request, &plan);
    Ok(plan)
}

impl BackupPlan {
    /// The entries that will be taken.
    #[must_use]
    pub fn entries(&self) -> Vec<PlannedEntry> {
        let taken = self.layout.entries.iter().filter(|entry| self.classes.contains(entry.class));
        let show = |entry: &loom_node::Entry| PlannedEntry {
            path: entry.path.to_string_lossy().into_owned(),
            class: entry.class,
            unclassified: entry.unclassified,
        };
        taken.map(show).collect()
    }

    /// The chain: as the running node says, else as genesis.json says.
    #[must_use]
    pub fn chain_id(&self) -> Option<String> {
        let said = self.status.as_ref().map(|status| status.network.clone());
        said.filter(|id| !id.is_empty()).or_else(|| self.layout.chain_id.clone())
    }

    /// Whether a store was found that the layout does not know.
    #[must_use]
    pub fn has_unclassified(&self) -> bool {
        self.entries().iter().any(|entry| entry.unclassified)
    }

    pub(crate) fn in_short(&self) -> String {
        let height = self.status.as_ref().map_or_else(String::new, |s| format!(", height {}", s.height));
        let (entries, kind) = (self.entries().len(), self.layout.kind);
        format!("{entries} entries of a {kind} node ({}){height}", self.classes)
    }
}

/// The classes to take, after the rule about keys.
fn classes(request: &BackupRequest, layout: &Layout) -> Result<ClassSet, RunError> {
    let present: BTreeSet<Class> = layout.entries.iter().map(|entry| entry.class).collect();
    let wanted = request.classes.unwrap_or(ClassSet::ALL);
    let secret = |class: Class| matches!(class, Class::Identity | Class::Signing);
    let mut taken: Vec<Class> = present.into_iter().filter(|class| wanted.contains(*class)).collect();
    let url = request.storage.url();
    match request.secrets {
        Secrets::Exclude => taken.retain(|class| !secret(*class)),
        Secrets::Refuse if url.is_remote() && taken.iter().copied().any(secret) => {
            let keys: Vec<_> = taken.iter().filter(|c| secret(**c)).map(ToString::to_string).collect();
            let classes = format!("the node's keys (class {})", keys.join(" and "));
            return Err(RunError::SecretsToRemote { classes, url: url.to_string() });
        }
        Secrets::Refuse | Secrets::Plaintext => {}
    }
    Ok(taken.into_iter().collect())
}

/// The state of the service, and whether it can be stopped and started again.
async fn service(request: &BackupRequest) -> Result<Option<ServiceStatus>, RunError> {
    let Service::Systemd(systemd) = &request.service else { return Ok(None) };
    let (systemd, stop) = (systemd.clone(), request.quiesce == QuiesceMode::Stop);
    let look = move || {
        let status = systemd.status()?;
        if stop {
            systemd.plan_stop()?;
            systemd.can_control()?;
        }
        Ok(Some(status))
    };
    blocking(look).await
}

/// The node's own word on its height, from the first of its RPC addresses that answers.
async fn ask(layout: &Layout) -> Option<Status> {
    for url in &layout.rpc {
        let answer = async { Rpc::new(url.clone(), RPC_TIMEOUT)?.status().await };
        match answer.await {
            Ok(status) => return Some(status),
            Err(error) => tracing::debug!(%url, %error, "the node's RPC does not answer"),
        }
    }
    None
}

fn node_id(request: &BackupRequest, layout: &Layout) -> Option<String> {
    let path = request.home.join(&layout.keys.node_key);
    match NodeKey::read(&path) {
        Ok(key) => Some(key.node_id().to_string()),
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "no node id");
            None
        }
    }
}

fn warnings(request: &BackupRequest, plan: &BackupPlan) -> Vec<String> {
    let mut warnings = Vec::new();
    for entry in plan.entries().iter().filter(|entry| entry.unclassified) {
        let path = &entry.path;
        warnings.push(format!(
            "{path} is a store that the layout does not know: it is backed up as data; name it under `include` in the \
             configuration to say that this is right, or under `exclude`"
        ));
    }
    if request.quiesce == QuiesceMode::None {
        warnings.push(
            "the node is copied while it runs (--quiesce none): this backup is probably not restorable and will never be \
             the latest"
                .to_owned(),
        );
    }
    if let (Service::Systemd(systemd), Some(status)) = (&request.service, &plan.service)
        && !status.active_state.is_up()
    {
        let unit = systemd.unit().map(ToString::to_string).unwrap_or_default();
        let state = &status.active_state;
        warnings.push(format!(
            "{unit} is {state} and not by our doing: it is backed up as it lies and not started"
        ));
    }
    if let (Some(status), Some(id)) = (&plan.status, &plan.node_id)
        && let Some(other) = status.id.as_ref().map(ToString::to_string)
        && other != *id
    {
        warnings.push(format!(
            "the node that answers RPC has id {other}, the key in this home has id {id}: is this the right home?"
        ));
    }
    warnings
}

/// The paths of the LOCK files of all databases that will be captured.
pub(super) fn lock_files(request: &BackupRequest, plan: &BackupPlan) -> Result<Vec<PathBuf>, RunError> {
    Ok(plan.layout.lock_files(&request.home)?)
}
