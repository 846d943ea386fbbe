//! The outcome of the last run for monitors: a textfile for `node_exporter`, a document for `status --json`.

use std::{fmt::Write as _, io::Write as _, path::Path};

use loom_runbook::{LastRun, repository::NodeName};
use serde_json::{Value, json};

use crate::{Config, run::Failure};

/// Writes the textfile for `node_exporter`, whole or not at all: the exporter may read at any moment.
///
/// # Errors
/// [`Failure::Write`].
pub fn publish_metrics(path: &Path, node: &NodeName, last: &LastRun) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".loom-backup-").tempfile_in(dir)?;
        file.write_all(render(node, last).as_bytes())?;
        // The exporter runs as another user.
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(readable)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| Failure::Write { path: path.to_owned(), source })
}

fn render(node: &NodeName, last: &LastRun) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            let name = format!("loom_backup_{name}");
            let _ = writeln!(
                text,
                "# HELP {name} {help}\n# TYPE {name} gauge\n{name}{{node=\"{node}\"}} {value}"
            );
        }
    };
    let seconds = |at: Option<jiff::Timestamp>| at.map(|at| at.as_second() as f64);
    gauge("last_run_timestamp_seconds", "When the last run ended.", seconds(last.ended));
    gauge(
        "last_run_success",
        "Whether the last run published a backup.",
        Some(f64::from(u8::from(last.succeeded))),
    );
    gauge(
        "last_success_timestamp_seconds",
        "When a run last published a backup.",
        seconds(last.last_success),
    );
    gauge("last_height", "The node's height in the last backup.", last.height.map(|height| height as f64));
    gauge(
        "last_pause_seconds",
        "How long the node was without service for the last backup.",
        last.pause_seconds,
    );
    gauge("last_bytes", "Bytes of the node's files in the last backup.", Some(last.bytes as f64));
    gauge("last_stored_bytes", "Bytes put into storage for the last backup.", Some(last.stored_bytes as f64));
    gauge("last_duration_seconds", "How long the last successful run took.", Some(last.duration_seconds));
    text
}

/// When the timer starts the next run, in systemd's words; `None` when there is no such timer.
#[must_use]
pub fn next_run(config: &Config) -> Option<String> {
    let show = ["show", "loom-backup.timer", "-p", "NextElapseUSecRealtime", "--value"];
    let asked = std::process::Command::new(&config.systemd.systemctl).args(show).output().ok()?;
    let next = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    (asked.status.success() && !next.is_empty()).then_some(next)
}

/// The document of `status --json`.
#[must_use]
pub fn status_json(node: &NodeName, running: bool, last: Option<&LastRun>, next: Option<&str>) -> Value {
    json!({ "version": 1, "node": node, "running": running, "last": last, "next": next })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_textfile_is_what_node_exporter_reads() {
        let last = LastRun {
            ended: Some(jiff::Timestamp::from_second(1_800_000_000).unwrap()),
            succeeded: true,
            height: Some(1979),
            pause_seconds: Some(0.25),
            bytes: 5,
            ..LastRun::default()
        };
        let text = render(&"n1".parse().unwrap(), &last);
        let values: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        insta::assert_snapshot!(values.join("\n"), @r#"
        loom_backup_last_run_timestamp_seconds{node="n1"} 1800000000
        loom_backup_last_run_success{node="n1"} 1
        loom_backup_last_height{node="n1"} 1979
        loom_backup_last_pause_seconds{node="n1"} 0.25
        loom_backup_last_bytes{node="n1"} 5
        loom_backup_last_stored_bytes{node="n1"} 0
        loom_backup_last_duration_seconds{node="n1"} 0
        "#);
    }
}
