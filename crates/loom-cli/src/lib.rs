//! What the two binaries share: configuration, logging, progress, output and exit codes.
//!
//! Of all the crates only this one and the binaries read arguments, environment and home directory, print, and ask. What is to
//! be done, and in which order, is `loom-runbook`'s.

mod args;
mod config;
mod confirm;
mod exit;
mod list;
mod metrics;
mod output;
mod progress;
mod request;
mod run;
mod show;
mod size;

pub use args::{BackupArgs, Common, Layout, RestoreArgs, WhichBackup, which};
pub use config::{Config, ConfigError, DEFAULT_CONFIG, DEFAULT_PATH, ServiceName};
pub use confirm::confirm;
pub use exit::Exit;
pub use list::{WhichNode, list_backups};
pub use metrics::{next_run, publish_metrics, status_json};
pub use output::Output;
pub use progress::progress;
pub use request::{backup_request, node_name, restore_request, service_of, state_dir, storage};
pub use run::{Failure, main};
pub use show::{
    show_check, show_list, show_manifest, show_plan, show_restore_plan, show_restore_report, show_status,
};
