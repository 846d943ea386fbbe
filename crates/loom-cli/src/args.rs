//! The flags that both binaries know.
#![expect(clippy::doc_markdown, reason = "these comments are the text of --help")]

use std::path::PathBuf;

use clap::Args;
use loom_runbook::{
    ClassSet, LayoutKind,
    repository::{BackupId, NodeName},
    storage::StorageUrl,
};

use crate::config::ServiceName;

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Configuration file [default: /etc/loom-backup/config.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "LOOM_BACKUP_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where this tool keeps its lock, its journal and the last run's outcome
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Print one JSON document to standard output, progress as JSON lines to standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more: -v what is decided, -vv every request
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// A layout, or `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout(pub Option<LayoutKind>);

impl std::str::FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self(None)),
            other => other
                .parse()
                .map(|kind| Self(Some(kind)))
                .map_err(|_| "expected auto, loom or cometbft".to_owned()),
        }
    }
}

/// What to back up, and where to: the flags of `run` and `check`.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The directory the node runs in [default: the WorkingDirectory= of the service]
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// The node's name in the repository [default: this machine's host name]
    #[arg(long, value_name = "NAME")]
    pub node: Option<NodeName>,
    /// What is where in the home: auto, loom or cometbft
    #[arg(long, value_name = "LAYOUT")]
    pub layout: Option<Layout>,
    /// The systemd unit that runs the node, or `none` when nothing runs it
    #[arg(long, value_name = "UNIT|none")]
    pub service: Option<ServiceName>,
    /// The repository, such as `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///directory`
    #[arg(long, value_name = "URL")]
    pub to: Option<StorageUrl>,
    /// The classes to take, of data,config,identity,signing [default: all]
    #[arg(long, value_name = "CLASSES")]
    pub only: Option<ClassSet>,
    /// How to hold the node still: `stop` its service, or `none` (copied running; never the latest backup)
    #[arg(long, value_name = "stop|none", value_parser = ["stop", "none"])]
    pub quiesce: Option<String>,
}

/// What to restore, from where and where to: the flags of `plan` and `run`.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line are bools")]
pub struct RestoreArgs {
    /// The repository, such as `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///directory`
    #[arg(long, value_name = "URL")]
    pub from: Option<StorageUrl>,
    /// Whose backup [default: the node of the repository, if it has only one]
    #[arg(long, value_name = "NAME")]
    pub node: Option<NodeName>,
    /// Which backup: an id from `list`, or `latest`
    #[arg(long, value_name = "ID|latest", default_value = "latest", value_parser = which)]
    pub backup: WhichBackup,
    /// The directory to restore into [default: the WorkingDirectory= of the service]
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// The systemd unit that runs the node, or `none` when nothing runs it
    #[arg(long, value_name = "UNIT|none")]
    pub service: Option<ServiceName>,
    /// The classes to restore, of data,config,identity,signing [default: data and config, and identity where there is none]
    #[arg(long, value_name = "CLASSES")]
    pub only: Option<ClassSet>,
    /// Move entries that are in the way aside (they are kept under .loom-restore/)
    #[arg(long)]
    pub replace: bool,
    /// A validator without sign state here: assume that nothing was signed after the backup. Only if the machine that signed
    /// with this key is off and stays off
    #[arg(long, conflicts_with = "min_sign_height")]
    pub sign_state_from_backup: bool,
    /// A validator without sign state here: never sign at or below this height
    #[arg(long, value_name = "H")]
    pub min_sign_height: Option<u64>,
    /// Leave the service stopped at the end
    #[arg(long)]
    pub no_start: bool,
    /// Go on without asking (`plan` asks nothing)
    #[arg(long)]
    pub yes: bool,
}

/// The backup asked for.
#[derive(Debug, Clone)]
pub struct WhichBackup(pub Option<BackupId>);

/// Reads `latest` or a backup's id.
///
/// # Errors
/// A text that is neither.
pub fn which(text: &str) -> Result<WhichBackup, String> {
    match text {
        "latest" => Ok(WhichBackup(None)),
        id => id
            .parse()
            .map(|id| WhichBackup(Some(id)))
            .map_err(|error: loom_runbook::repository::ParseNameError| error.to_string()),
    }
}
