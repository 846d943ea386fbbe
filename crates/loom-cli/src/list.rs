//! `list`, which both binaries have.

use clap::Args;
use futures::{StreamExt, stream};
use loom_runbook::{
    ReportedBackup,
    repository::{Backup, NodeName, Repository, RepositoryError, Summary},
    storage::StorageUrl,
};
use serde_json::{Value, json};

use crate::{Common, Config, Exit, Failure, Output, show_list, storage};

/// Which nodes of which repository.
#[derive(Debug, Clone, Args)]
pub struct WhichNode {
    /// The repository, such as `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///directory`
    #[arg(long, value_name = "URL", visible_alias = "from")]
    to: Option<StorageUrl>,
    /// Only this node
    #[arg(long, value_name = "NAME")]
    pub node: Option<NodeName>,
}

impl WhichNode {
    /// The repository as given.
    #[must_use]
    pub fn url(&self) -> Option<&StorageUrl> {
        self.to.as_ref()
    }
}

/// Summaries read at the same time.
const READS: usize = 16;

/// Lists the backups of one node, or of all.
///
/// # Errors
/// No repository; the storage's. A summary that cannot be read is shown as such.
pub async fn list_backups(
    common: &Common,
    which: &WhichNode,
    config: &Config,
    how: &'static str,
) -> Result<Exit, Failure> {
    let repository = Repository::open(storage(which.url(), config, how)?).await?;
    let nodes = match &which.node {
        Some(node) => vec![node.clone()],
        None => repository.nodes().await?,
    };
    let mut backups = Vec::new();
    for node in &nodes {
        backups.extend(repository.backups(node).await?);
    }
    let summaries = stream::iter(backups).map(|backup| {
        let repository = &repository;
        async move {
            let summary = repository.summary(&backup.node, &backup.id).await;
            (backup, summary)
        }
    });
    let listed: Vec<(Backup, Result<Summary, RepositoryError>)> = summaries.buffered(READS).collect().await;
    let all_read = listed.iter().all(|(_, summary)| summary.is_ok());
    let document = json!({ "version": 1, "backups": listed.iter().map(document).collect::<Vec<_>>() });
    let listed: Vec<_> = listed.into_iter().map(|(backup, summary)| (backup, summary.ok())).collect();
    Output { json: common.json }.print(&document, || show_list(&listed)).map_err(Failure::Print)?;
    Ok(if all_read { Exit::Done } else { Exit::Warnings })
}

fn document((backup, summary): &(Backup, Result<Summary, RepositoryError>)) -> Value {
    match summary {
        Ok(summary) => {
            json!(ReportedBackup::new(backup.node.clone(), backup.id.clone(), summary.facts.clone()))
        }
        Err(error) => json!({
            "id": backup.id, "node": backup.node, "created": backup.id.created, "height": backup.id.height,
            "error": error.to_string(),
        }),
    }
}
