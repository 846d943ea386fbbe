//! The commands: from arguments to a request, from a report to output and exit code.

use std::{
    io::Write,
    sync::{Arc, atomic::AtomicBool},
};

use loom_cli::{
    Common, Config, Exit, Failure, Output, RestoreArgs, WhichBackup, WhichNode, confirm, list_backups,
    progress, restore_request, show_manifest, show_restore_plan, show_restore_report, storage,
};
use loom_runbook::{Which, find_backup, repository::Repository};

type Outcome = Result<Exit, Failure>;

fn load(common: &Common) -> Result<Config, Failure> {
    Ok(Config::load(common.config.as_deref(), std::env::vars())?)
}

pub(crate) async fn list(common: &Common, which: &WhichNode) -> Outcome {
    list_backups(common, which, &load(common)?, "--from URL").await
}

pub(crate) async fn show(common: &Common, which: &WhichNode, backup: WhichBackup) -> Outcome {
    let config = load(common)?;
    let repository = Repository::open(storage(which.url(), &config, "--from URL")?).await?;
    let wanted = backup.0.map_or(Which::Latest, Which::Id);
    let node = which.node.as_ref().or(config.node.as_ref());
    let backup = find_backup(&repository, node, &wanted, &[]).await?;
    let manifest = repository.manifest(&backup.node, &backup.id).await?;
    let text = || format!("backup    {}\n{}", backup.id, show_manifest(&manifest));
    Output { json: common.json }.print(&manifest, text).map_err(Failure::Print)?;
    Ok(Exit::Done)
}

pub(crate) async fn plan(common: &Common, args: &RestoreArgs, cancel: Arc<AtomicBool>) -> Outcome {
    let request = restore_request(common, args, &load(common)?, &cancel)?;
    let plan = loom_runbook::plan_restore(&request).await?;
    Output { json: common.json }.print(&plan, || show_restore_plan(&plan)).map_err(Failure::Print)?;
    plan.refuse_what_must_not_be(&request)?;
    Ok(if plan.warnings.is_empty() { Exit::Done } else { Exit::Warnings })
}

pub(crate) async fn run(common: &Common, args: &RestoreArgs, cancel: Arc<AtomicBool>) -> Outcome {
    let request = restore_request(common, args, &load(common)?, &cancel)?;
    loom_runbook::undo_unfinished_restore(&request).await?;
    let plan = loom_runbook::plan_restore(&request).await?;
    if !common.json {
        let shown = std::io::stderr().write_all(show_restore_plan(&plan).as_bytes());
        shown.map_err(Failure::Print)?;
    }
    plan.refuse_what_must_not_be(&request)?;
    if !args.yes && !confirm("Restore this?").map_err(Failure::Print)? {
        return Err(Failure::NotConfirmed);
    }
    let report = loom_runbook::restore(&request, plan, &*progress(common.json)).await?;
    Output { json: common.json }.print(&report, || show_restore_report(&report)).map_err(Failure::Print)?;
    Ok(if report.warnings.is_empty() { Exit::Done } else { Exit::Warnings })
}
