//! The commands: from arguments to a request, from a report to output and exit code.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use loom_cli::{
    BackupArgs, Common, Config, DEFAULT_CONFIG, Exit, Failure, Output, ServiceName, WhichNode,
    backup_request, list_backups, node_name, progress, publish_metrics, service_of, show_check, show_plan,
    show_status, state_dir, status_json,
};
use loom_runbook::{BackupReport, Recovered, RunError, StateDir, repository::NodeName};
use serde_json::json;

type Outcome = Result<Exit, Failure>;

fn load(common: &Common) -> Result<Config, Failure> {
    Ok(Config::load(common.config.as_deref(), std::env::vars())?)
}

pub(crate) async fn run(
    common: &Common,
    args: &BackupArgs,
    dry_run: bool,
    cancel: Arc<AtomicBool>,
) -> Outcome {
    let config = load(common)?;
    let request = backup_request(common, args, &config, &cancel)?;
    let out = Output { json: common.json };
    if dry_run {
        let plan = loom_runbook::plan_backup(&request).await?;
        let document = json!({
            "version": 1, "node": request.node, "home": request.home, "layout": plan.layout.kind,
            "classes": plan.classes, "entries": plan.entries(), "warnings": plan.warnings,
        });
        out.print(&document, || show_plan(&plan)).map_err(Failure::Print)?;
        return Ok(exit_of(plan.has_unclassified(), &plan.warnings));
    }
    let outcome = loom_runbook::backup(&request, &*progress(common.json)).await;
    let published = publish_outcome(&config, &request);
    let report = outcome?;
    out.print(&report, || in_short(&report)).map_err(Failure::Print)?;
    // Last: metrics that cannot be written must not hide what became of the node.
    published?;
    Ok(exit_of(report.has_unclassified(), &report.warnings))
}

fn publish_outcome(config: &Config, request: &loom_runbook::BackupRequest) -> Result<(), Failure> {
    let Some(textfile) = &config.metrics.textfile else { return Ok(()) };
    let last = StateDir::open(&request.state_dir, &request.node)?.last_run()?.unwrap_or_default();
    publish_metrics(textfile, &request.node, &last)
}

fn exit_of(unclassified: bool, warnings: &[String]) -> Exit {
    match (unclassified, warnings.is_empty()) {
        (true, _) => Exit::Unclassified,
        (false, false) => Exit::Warnings,
        (false, true) => Exit::Done,
    }
}

fn in_short(report: &BackupReport) -> String {
    format!("{}\n", report.backup.id)
}

pub(crate) async fn list(common: &Common, which: &WhichNode) -> Outcome {
    list_backups(common, which, &load(common)?, "--to URL").await
}

pub(crate) async fn check(common: &Common, args: &BackupArgs, cancel: Arc<AtomicBool>) -> Outcome {
    let request = backup_request(common, args, &load(common)?, &cancel)?;
    let report = loom_runbook::check(&request).await;
    Output { json: common.json }.print(&report, || show_check(&report)).map_err(Failure::Print)?;
    Ok(if report.ok { Exit::Done } else { Exit::Failed })
}

pub(crate) fn check_age(common: &Common, args: &BackupArgs, max_age: Duration) -> Outcome {
    let config = load(common)?;
    let node = node_name(args.node.as_ref(), &config)?;
    let last = StateDir::open(&state_dir(common, &config)?, &node)?.last_run()?;
    let success = last.and_then(|last| last.last_success);
    let age = success.map(|at| jiff::Timestamp::now().duration_since(at).unsigned_abs());
    let ok = age.is_some_and(|age| age <= max_age);
    let text = match age {
        None => format!("{node}: no successful backup is known here\n"),
        Some(age) => {
            let age = humantime::format_duration(Duration::from_secs(age.as_secs()));
            format!("{node}: the last successful backup is {age} old\n")
        }
    };
    let document =
        json!({ "version": 1, "node": node, "ok": ok, "age_seconds": age.map(|age| age.as_secs()) });
    Output { json: common.json }.print(&document, || text).map_err(Failure::Print)?;
    Ok(if ok { Exit::Done } else { Exit::TooOld })
}

pub(crate) fn status(common: &Common, node: Option<&NodeName>) -> Outcome {
    let config = load(common)?;
    let node = node_name(node, &config)?;
    let state = StateDir::open(&state_dir(common, &config)?, &node)?;
    let running = matches!(state.lock(), Err(RunError::Busy { .. }));
    let last = state.last_run()?;
    let next = loom_cli::next_run(&config);
    let document = status_json(&node, running, last.as_ref(), next.as_deref());
    let text = || show_status(&node, running, last.as_ref(), next.as_deref());
    Output { json: common.json }.print(&document, text).map_err(Failure::Print)?;
    Ok(Exit::Done)
}

pub(crate) fn recover(common: &Common, node: Option<&NodeName>, service: Option<&ServiceName>) -> Outcome {
    let config = load(common)?;
    let node = node_name(node, &config)?;
    let service = service_of(service, &config)?;
    let state = StateDir::open(&state_dir(common, &config)?, &node)?;
    // A run that is going on brings its service back itself.
    let _lock = state.lock()?;
    let recovered = loom_runbook::recover(&state, &service)?;
    let (word, text) = match recovered {
        Recovered::Nothing => ("nothing", "nothing to recover\n"),
        Recovered::ServiceBack => {
            ("service_back", "the service that an interrupted run had stopped is back\n")
        }
        Recovered::LeftToOthers => (
            "left_to_others",
            "somebody started or stopped the service since a run was cut short: it is left as it is\n",
        ),
    };
    Output { json: common.json }
        .print(&json!({ "version": 1, "recovered": word }), || text.to_owned())
        .map_err(Failure::Print)?;
    Ok(Exit::Done)
}

pub(crate) fn config(common: &Common) -> Outcome {
    Output { json: false }.print(&(), || DEFAULT_CONFIG.to_owned()).map_err(Failure::Print)?;
    let _ = common;
    Ok(Exit::Done)
}
