//! Reports, plans and lists for people.

use std::fmt::Write as _;

use loom_runbook::{
    Action, BackupPlan, CheckReport, LastRun, RestorePlan, RestoreReport,
    repository::{Backup, Manifest, NodeName, Proof, Summary},
};

use crate::size::human;

/// What a backup would do.
#[must_use]
pub fn show_plan(plan: &BackupPlan) -> String {
    let mut text =
        format!("layout {}, engine {}, classes {}\n", plan.layout.kind, plan.layout.engine, plan.classes);
    if let Some(chain) = plan.chain_id() {
        let _ = writeln!(text, "chain {chain}, node id {}", plan.node_id.as_deref().unwrap_or("unknown"));
    }
    for entry in plan.entries() {
        let mark = if entry.unclassified { "   (unknown to the layout)" } else { "" };
        let _ = writeln!(text, "  take  {:<10} {}{mark}", entry.class.to_string(), entry.path);
    }
    for out in &plan.layout.left_out {
        let _ = writeln!(text, "  leave            {} ({})", out.path.display(), out.reason);
    }
    for warning in &plan.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}

/// What a restore would do.
#[must_use]
pub fn show_restore_plan(plan: &RestorePlan) -> String {
    let facts = &plan.backup.facts;
    let mut text = format!("backup    {} of {}\n", plan.backup.id, plan.node);
    let chain = facts.chain_id.as_deref().unwrap_or("unknown");
    let _ = writeln!(text, "chain     {chain}, proof {}", proof(facts.proof));
    let _ = writeln!(text, "into      {}", plan.home.display());
    let (needed, there) = (human(plan.bytes), human(plan.available_bytes));
    let _ = writeln!(text, "download  {} files, {needed}; {there} free there", plan.files);
    for entry in &plan.entries {
        let what = match entry.action {
            Action::Create => "create ",
            Action::Replace => "replace",
            Action::Remove => "remove ",
        };
        let _ = writeln!(text, "  {what} {:<10} {}", entry.class.to_string(), entry.path);
    }
    if let Some(service) = &plan.service {
        let _ = writeln!(text, "service   {service} is stopped for the swap and started after it");
    }
    if let Some(state) = &plan.sign_state {
        let _ = writeln!(text, "signing   {state}");
    }
    for warning in &plan.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}

/// What a restore came to.
#[must_use]
pub fn show_restore_report(report: &RestoreReport) -> String {
    let mut text = format!(
        "restored {} files, {} of backup {} into {}\n",
        report.files,
        human(report.bytes),
        report.backup.id,
        report.home.display()
    );
    if let Some(state) = &report.sign_state {
        let _ = writeln!(text, "signing: {state}");
    }
    if let Some(previous) = &report.previous {
        let _ = writeln!(text, "what was there before is kept in {}", previous.display());
    }
    if report.service_started {
        text.push_str("the service is started\n");
    }
    text
}

/// Backups, oldest first.
#[must_use]
pub fn show_list(backups: &[(Backup, Option<Summary>)]) -> String {
    if backups.is_empty() {
        return "no backups\n".to_owned();
    }
    let mut text = String::new();
    for (backup, summary) in backups {
        let _ = write!(text, "{}  {}", backup.node, backup.id);
        match summary {
            Some(Summary { facts, .. }) => {
                let size = human(facts.totals.bytes);
                let _ = writeln!(text, "  {size}  {}  {}", proof(facts.proof), facts.classes.join(","));
            }
            None => text.push_str("  its summary cannot be read\n"),
        }
    }
    text
}

/// A proof level as text.
fn proof(proof: Proof) -> &'static str {
    match proof {
        Proof::Hot => "hot",
        Proof::Opaque => "opaque",
        Proof::Heights => "heights",
        Proof::Full => "full",
    }
}

/// Everything about one backup except its files one by one.
#[must_use]
pub fn show_manifest(manifest: &Manifest) -> String {
    let facts = &manifest.facts;
    let mut text = format!("node      {}\ncreated   {}\n", manifest.node, manifest.created);
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "{name:<9} {value}");
        }
    };
    line("chain", facts.chain_id.clone());
    line("node id", facts.node_id.clone());
    line("height", facts.heights.best().map(|height| height.to_string()));
    line("layout", Some(format!("{}, {}", facts.layout, facts.engine)));
    line("classes", Some(facts.classes.join(",")));
    line("proof", Some(proof(facts.proof).to_owned()));
    line("pause", facts.pause.map(|pause| format!("{:.3} s", pause.total_us as f64 / 1e6)));
    let totals = &facts.totals;
    let (size, packs) = (human(totals.bytes), manifest.packs.len());
    line("content", Some(format!("{} files, {size}; packs: {packs}", totals.files)));
    line("written", Some(format!("by {} {}", facts.tool.name, facts.tool.version)));
    if let Some(service) = &manifest.service {
        line("service", Some(service.unit.clone()));
        for (flag, peers) in &service.peers {
            line("peers", Some(format!("{flag} {}", peers.join(","))));
        }
    }
    for entry in &manifest.entries {
        let path = entry.path().unwrap_or_default();
        line(&format!("  {}", entry.class), Some(String::from_utf8_lossy(&path).into_owned()));
    }
    for warning in &facts.warnings {
        line("warning", Some(warning.clone()));
    }
    text
}

/// The findings of `check`.
#[must_use]
pub fn show_check(report: &CheckReport) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let name = serde_json::to_value(finding.check).ok().and_then(|name| name.as_str().map(str::to_owned));
        let mark = if finding.ok { "ok  " } else { "FAIL" };
        let _ = writeln!(text, "{mark} {:<9} {}", name.unwrap_or_default(), finding.what);
        if let Some(hint) = &finding.hint {
            let _ = writeln!(text, "     hint: {hint}");
        }
    }
    text.push_str(if report.ok { "a run would work\n" } else { "a run would fail\n" });
    text
}

/// Running, last, next.
#[must_use]
pub fn show_status(node: &NodeName, running: bool, last: Option<&LastRun>, next: Option<&str>) -> String {
    let mut text = format!("node     {node}\nrunning  {}\n", if running { "yes" } else { "no" });
    match last {
        None => text.push_str("last     never\n"),
        Some(last) => {
            let ended = last.ended.map_or_else(|| "at an unknown time".to_owned(), |at| at.to_string());
            match &last.error {
                None => {
                    let _ = writeln!(text, "last     succeeded {ended}");
                }
                Some(error) => {
                    let _ = writeln!(text, "last     FAILED {ended}: {error}");
                }
            }
            if let (Some(backup), Some(at)) = (&last.last_backup, last.last_success) {
                let _ = writeln!(text, "backup   {backup}, {} ({at})", human(last.bytes));
            }
        }
    }
    let _ = writeln!(text, "next     {}", next.unwrap_or("no timer of loom-backup.timer is known"));
    text
}
