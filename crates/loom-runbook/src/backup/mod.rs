//! Taking a backup: plan, open, pause, store, publish, watch.

mod pause;
mod plan;
mod record;
mod report;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use loom_node::{ClassSet, LayoutOptions};
use loom_repository::storage::Storage;
use loom_repository::{Facts, Heights, NodeName, Proof, Quiesce, Repository, StoreOptions, Tool, Writing};

pub use plan::{BackupPlan, PlannedEntry, plan};
pub use report::{BackupReport, ReportedBackup};

use crate::{
    Event, LastRun, Observer, RunError, Service, StateDir, Step,
    events::{Running, telling},
    journal,
    owners::Owners,
};

/// What to back up, from where, to where and how.
#[derive(Debug, Clone)]
pub struct BackupRequest {
    /// The node's name in the repository.
    pub node: NodeName,
    /// The directory it runs in.
    pub home: PathBuf,
    /// How to look at the home.
    pub layout: LayoutOptions,
    /// The classes to take; all, when absent.
    pub classes: Option<ClassSet>,
    /// What to do with keys when the repository is remote.
    pub secrets: Secrets,
    /// The service that runs the node.
    pub service: Service,
    /// How to hold the node still.
    pub quiesce: QuiesceMode,
    /// How long the service may take to stop.
    pub stop_timeout: Duration,
    /// How long the service may take to start.
    pub start_timeout: Duration,
    /// Bytes that may be copied in the pause where files can be neither linked nor reflinked.
    pub copy_max: u64,
    /// Where to.
    pub storage: Storage,
    /// Threads that read, hash and compress.
    pub workers: usize,
    /// Packs put at the same time.
    pub uploads: usize,
    /// The zstd level.
    pub level: i32,
    /// Where this tool keeps its state.
    pub state_dir: PathBuf,
    /// Set from outside to end the run early; a service that was stopped is started again first.
    pub cancel: Arc<AtomicBool>,
}

/// How to hold a node still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QuiesceMode {
    /// Stop its service; without a service, take the locks of its databases.
    #[default]
    Stop,
    /// Not at all: the backup is marked hot and is never the latest.
    None,
}

/// What to do with files that hold keys when the repository is remote and nothing is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Secrets {
    /// Refuse the run.
    #[default]
    Refuse,
    /// Store them as they are.
    Plaintext,
    /// Leave them out, wherever the repository is.
    Exclude,
}

/// Takes a backup. On every way out, the service that was stopped for it has been started again or the error says it is down.
///
/// The outcome is kept in the state directory as well.
///
/// # Errors
/// [`RunError`]; by [`RunError::kind`] whether the node is down, and whether anything was touched.
pub async fn backup(request: &BackupRequest, observer: &dyn Observer) -> Result<BackupReport, RunError> {
    let state = StateDir::open(&request.state_dir, &request.node)?;
    let _lock = state.lock()?;
    let since = Instant::now();
    let outcome = run(request, &state, observer).await;
    keep_outcome(&state, &outcome, since.elapsed());
    outcome
}

async fn run(
    request: &BackupRequest,
    state: &StateDir,
    observer: &dyn Observer,
) -> Result<BackupReport, RunError> {
    let since = Instant::now();
    blocking({
        let (state, service) = (state.clone(), request.service.clone());
        move || journal::recover(&state, &service)
    })
    .await?;

    let step = Running::begin(observer, Step::Plan, None);
    let plan = plan(request).await?;
    plan.warnings.iter().for_each(|text| observer.event(Event::Warning { text: text.clone() }));
    step.done(plan.in_short());

    // Before the pause: a repository that cannot be written must not cost the node a second.
    let step = Running::begin(observer, Step::Open, None);
    let (repository, mut writing) = open(request).await?;
    let lax = if repository.conditional_put() {
        ""
    } else {
        ", in a store that overwrites objects even when told not to"
    };
    step.done(format!("repository {}{lax}", repository.storage().url()));

    let step = Running::begin(observer, Step::Pause, None);
    let paused = pause::capture(request, &plan, state).await?;
    step.done(paused.in_short());

    let mut warnings = plan.warnings.clone();
    warnings.extend(writing.warnings().iter().cloned());
    warnings.extend(paused.warnings());
    let files = record::files(&plan, &paused.snapshot, &Owners::default());
    let draft = record::draft(request, &plan, &paused, facts(request, &plan, &paused, warnings.clone()))?;
    let stored = store(request, &mut writing, files, observer).await;
    // The files of the image are in packs, or the run has failed: in both cases nothing needs them any more.
    let (unit, snapshot) = (paused.stopped_unit(), paused.snapshot);
    let removed = blocking(move || Ok(snapshot.remove()?)).await;
    let store_took = stored?;
    if let Err(error) = removed {
        warnings.push(format!("{error}: the next run removes it"));
    }

    let step = Running::begin(observer, Step::Publish, None);
    let published = writing.publish(draft).await?;
    step.done(format!("backup {}", published.id));
    for text in warnings.iter().skip(plan.warnings.len()) {
        observer.event(Event::Warning { text: text.clone() });
    }

    watch(request, unit, observer).await?;
    let conditional_put = repository.conditional_put();
    Ok(BackupReport::new(request, &plan, published, conditional_put, warnings, store_took, since.elapsed()))
}

async fn open(request: &BackupRequest) -> Result<(Repository, Writing), RunError> {
    let repository = Repository::create_or_open(request.storage.clone()).await?;
    let options = StoreOptions {
        workers: request.workers,
        uploads: request.uploads,
        level: request.level,
        cancel: Arc::clone(&request.cancel),
    };
    let writing = repository.begin(&request.node, options).await?;
    Ok((repository, writing))
}

async fn store(
    request: &BackupRequest,
    writing: &mut Writing,
    files: Vec<loom_repository::FileToStore>,
    observer: &dyn Observer,
) -> Result<Duration, RunError> {
    let total = files.iter().map(|file| file.entry.size()).sum();
    let step = Running::begin(observer, Step::Store, Some(total));
    // Workers are threads of their own and cannot borrow the observer: they count, and this task tells.
    let done = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = Arc::clone(&done);
    let store = writing.store(files, move |bytes| {
        counter.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    });
    let stored = telling(observer, &done, &request.cancel, store).await?;
    Ok(step.done(format!("{} bytes read, {} new", stored.bytes, stored.new_bytes)))
}

/// What is said of the backup, in its summary and its manifest.
fn facts(request: &BackupRequest, plan: &BackupPlan, paused: &pause::Paused, warnings: Vec<String>) -> Facts {
    Facts {
        tool: Tool { name: "loom-backup".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        layout: plan.layout.kind.to_string(),
        engine: plan.layout.engine.clone(),
        chain_id: plan.chain_id(),
        node_id: plan.node_id.clone(),
        node_version: plan.status.as_ref().map(|status| status.version.clone()),
        classes: plan.classes.iter().map(|class| class.to_string()).collect(),
        heights: Heights { rpc: plan.status.as_ref().map(|status| status.height), ..Heights::default() },
        quiesce: paused.quiesce,
        clean_stop: (paused.quiesce == Quiesce::Stop).then_some(paused.stopped.clean),
        // Nothing reads the databases' content yet: what was held still is sound as far as the engine's own files say.
        proof: match request.quiesce {
            QuiesceMode::Stop => Proof::Opaque,
            QuiesceMode::None => Proof::Hot,
        },
        checks: checks(request, plan),
        pause: paused.pause,
        warnings,
        ..Facts::default()
    }
}

/// What the capture checked: that every live file of every database is there with its size, where that can be read and holds.
fn checks(request: &BackupRequest, plan: &BackupPlan) -> Vec<String> {
    let checked = pause::is_leveldb(plan) && request.quiesce == QuiesceMode::Stop;
    if checked { vec!["leveldb-live-files".to_owned()] } else { Vec::new() }
}

/// Sees that the service which came back after the pause is still there at the end of the run.
async fn watch(
    request: &BackupRequest,
    unit: Option<loom_service::UnitName>,
    observer: &dyn Observer,
) -> Result<(), RunError> {
    let Some(unit) = unit else { return Ok(()) };
    let step = Running::begin(observer, Step::Watch, None);
    let service = request.service.clone();
    let status = blocking(move || Ok(service.controller().status()?)).await?;
    if status.active_state.is_up() {
        step.done(format!("{unit} is {}", status.active_state));
        Ok(())
    } else {
        Err(RunError::FellOver { unit, state: status.active_state.to_string() })
    }
}

/// Runs what blocks (systemd, file systems) on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> Result<T, RunError> {
    tokio::task::spawn_blocking(work).await.map_err(|source| RunError::Worker { source })?
}

/// Writes the outcome where `status` and monitors look. A failure to do so must not hide the outcome.
fn keep_outcome(state: &StateDir, outcome: &Result<BackupReport, RunError>, took: Duration) {
    let mut last = state.last_run().ok().flatten().unwrap_or_default();
    last.ended = Some(Timestamp::now());
    last.succeeded = outcome.is_ok();
    match outcome {
        Ok(report) => {
            last.error = None;
            last = LastRun {
                last_success: last.ended,
                last_backup: Some(report.backup.id.to_string()),
                height: report.backup.height,
                pause_seconds: report.backup.facts.pause.map(|p| p.total_us as f64 / 1e6),
                bytes: report.backup.facts.totals.bytes,
                stored_bytes: report.backup.facts.totals.stored_bytes,
                duration_seconds: took.as_secs_f64(),
                ..last
            };
        }
        Err(error) => last.error = Some(error.to_string()),
    }
    if let Err(error) = state.keep_last_run(&last) {
        tracing::warn!(%error, "the outcome of this run could not be kept");
    }
}
