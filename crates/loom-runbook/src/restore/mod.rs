//! Restoring: plan, stage beside the old entries, stop, swap entry by entry, start.
//!
//! Nothing is ever laid over anything: what is in the way is moved aside whole, and stays there.

mod place;
mod plan;
mod report;
mod sign;
mod stage;
mod swap;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use loom_node::ClassSet;
use loom_repository::storage::Storage;
use loom_repository::{BackupId, FetchOptions, NodeName, Repository};
use loom_service::{Stopped, StoreLocks};

pub(crate) use swap::is_half_swapped;

pub use plan::{Action, PlannedRestore, RestorePlan, find_backup, plan};
pub use report::RestoreReport;

use crate::{
    Event, Observer, RunError, Service, StateDir, Step,
    backup::blocking,
    events::{Running, telling},
    journal,
    state::lock_home,
};
use stage::Stage;

/// What to restore, from where, to where and how.
#[derive(Debug, Clone)]
pub struct RestoreRequest {
    /// Where from.
    pub storage: Storage,
    /// Whose backup; may be absent where the repository has one node only.
    pub node: Option<NodeName>,
    /// Which backup.
    pub which: Which,
    /// The directory to restore into.
    pub home: PathBuf,
    /// The service that runs the node.
    pub service: Service,
    /// The classes to restore; data, config and, where the home has no node key, identity, when absent.
    pub classes: Option<ClassSet>,
    /// Whether entries that are there may be moved aside.
    pub replace: bool,
    /// What to assume of a validator that has no sign state here.
    pub sign_state: SignStatePolicy,
    /// Whether to start the service at the end, also when it was not running before.
    pub start: bool,
    /// How long the service may take to stop.
    pub stop_timeout: Duration,
    /// How long the service may take to start.
    pub start_timeout: Duration,
    /// Packs fetched and unpacked at the same time.
    pub workers: usize,
    /// Where this tool keeps its state.
    pub state_dir: PathBuf,
    /// Set from outside to end the run before anything is swapped.
    pub cancel: Arc<AtomicBool>,
}

/// Which backup to restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The newest that was captured while the node was held still and has the classes asked for.
    Latest,
    /// This one.
    Id(BackupId),
}

/// What to assume of a validator's key that comes to a machine which does not know what it has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignStatePolicy {
    /// Nothing: refuse.
    #[default]
    Refuse,
    /// That nothing was signed after the backup: the machine that signed is off and stays off.
    FromBackup,
    /// That nothing was signed above this height.
    MinHeight(u64),
}

/// Undoes what a killed restore left half done in the home. Called before the plan: that looks at what is there.
///
/// # Errors
/// [`RunError::Busy`] when another restore is going on in that home; [`RunError::Place`].
pub async fn undo_unfinished(request: &RestoreRequest) -> Result<(), RunError> {
    let home = request.home.clone();
    blocking(move || stage::undo_unfinished(&home)).await
}

/// Brings a home out of a swap that was cut short: undone, or found complete. Called before a service is started on it.
pub(crate) fn settle(home: &std::path::Path) -> Result<(), RunError> {
    stage::undo_unfinished(home)
        .map_err(|source| RunError::HalfSwapped { home: home.to_owned(), source: Box::new(source) })
}

/// Restores what `plan` says.
///
/// # Errors
/// [`RunError`]. Before the swap, nothing of the home has changed; a swap that fails is undone.
pub async fn restore(
    request: &RestoreRequest,
    plan: RestorePlan,
    observer: &dyn Observer,
) -> Result<RestoreReport, RunError> {
    let since = Instant::now();
    let runs = StateDir::open(&request.state_dir, &plan.node)?;
    let _lock = runs.lock()?;
    plan.refuse_what_must_not_be(request)?;

    let stage = stage(request, &plan, observer).await?;
    let swapped = swap_in(request, &plan, &runs, stage, observer).await?;
    Ok(RestoreReport {
        version: 1,
        backup: plan.backup,
        repository: plan.repository,
        home: request.home.clone(),
        entries: plan.entries,
        files: plan.files,
        bytes: plan.bytes,
        sign_state: swapped.sign_state,
        previous: swapped.previous,
        service_started: swapped.started,
        warnings: plan.warnings.into_iter().chain(swapped.warnings).collect(),
        downtime_seconds: swapped.downtime.as_secs_f64(),
        duration_seconds: since.elapsed().as_secs_f64(),
    })
}

/// Fetches what is to be restored into a new directory; the node runs on meanwhile.
async fn stage(
    request: &RestoreRequest,
    plan: &RestorePlan,
    observer: &dyn Observer,
) -> Result<Stage, RunError> {
    let step = Running::begin(observer, Step::Stage, Some(plan.bytes));
    let repository = Repository::open(request.storage.clone()).await?;
    let (home, files) = (request.home.clone(), plan.wanted());
    let home_attributes = plan.container(b"").cloned();
    let (stage, destinations) = blocking(move || {
        let stage = Stage::create(&home, home_attributes.as_ref())?;
        let destinations = stage.lay_out(&files)?;
        Ok((stage, destinations))
    })
    .await?;
    let options = FetchOptions { workers: request.workers, cancel: Arc::clone(&request.cancel) };
    let done = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = Arc::clone(&done);
    let fetch = repository.fetch(&plan.node, destinations, &options, move |bytes| {
        counter.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    });
    telling(observer, &done, &request.cancel, fetch).await?;
    let files = plan.wanted();
    let (stage, warnings) = blocking(move || {
        let warnings = stage.finish(&files)?;
        Ok((stage, warnings))
    })
    .await?;
    for text in warnings {
        observer.event(Event::Warning { text });
    }
    step.done(format!("{} files, {} bytes", plan.files, plan.bytes));
    Ok(stage)
}

/// What the swap came to.
struct Swapped {
    sign_state: Option<String>,
    previous: Option<PathBuf>,
    started: bool,
    warnings: Vec<String>,
    downtime: Duration,
}

/// Stops the service, puts the staged entries in place, starts the service.
async fn swap_in(
    request: &RestoreRequest,
    plan: &RestorePlan,
    runs: &StateDir,
    stage: Stage,
    observer: &dyn Observer,
) -> Result<Swapped, RunError> {
    if request.cancel.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(RunError::Interrupted);
    }
    // Until the service is back no backup may look at this home, whatever it calls the node.
    let _home = lock_home(&request.home)?;
    let down = Instant::now();
    let step = Running::begin(observer, Step::Stop, None);
    let stopped = stop(request, runs).await?;
    step.done(if stopped.was_active { "the service is stopped" } else { "nothing was running" });

    let step = Running::begin(observer, Step::Swap, None);
    let swapped = {
        let (request, plan) = (request.clone(), plan.clone());
        blocking(move || swap_stopped(&request, &plan, stage)).await
    };
    let swapped = match swapped {
        Ok(swapped) => swapped,
        // Not undone: nothing may run on it.
        Err(error @ RunError::HalfSwapped { .. }) => return Err(error),
        // Undone: what was running before runs again, on what it ran on before.
        Err(error) => {
            start(request, &stopped).await?;
            journal::clear(runs)?;
            return Err(error);
        }
    };
    step.done(format!("{} entries", plan.entries.len()));

    let start_it = request.start && matches!(request.service, Service::Systemd(_));
    if start_it {
        let step = Running::begin(observer, Step::Start, None);
        // Unlike a backup, a restore is told to bring the node up, whether or not it was running before.
        start(request, &Stopped { was_active: true, ..stopped.clone() }).await?;
        step.done("the service is active");
    }
    journal::clear(runs)?;
    let downtime = if stopped.was_active && start_it { down.elapsed() } else { Duration::ZERO };
    Ok(Swapped { started: start_it, downtime, ..swapped })
}

/// Stops the service. One that did not stop in time may be stopping all the same: it is brought back.
async fn stop(request: &RestoreRequest, runs: &StateDir) -> Result<Stopped, RunError> {
    let (planning, journal) = (request.clone(), runs.clone());
    let planned = blocking(move || {
        let planned = planning.service.controller().plan_stop()?;
        if planned.was_active && planning.start {
            journal::write_for(&journal, &planned, planning.start_timeout, Some(&planning.home))?;
        }
        Ok(planned)
    })
    .await?;
    let stopping = request.clone();
    let stopped = blocking(move || Ok(stopping.service.controller().stop(stopping.stop_timeout)?)).await;
    if stopped.is_err() {
        start(request, &planned).await?;
        journal::clear(runs)?;
    }
    stopped
}

async fn start(request: &RestoreRequest, stopped: &Stopped) -> Result<(), RunError> {
    let (request, stopped) = (request.clone(), stopped.clone());
    blocking(move || match request.service.controller().start(&stopped, request.start_timeout) {
        Ok(_) => Ok(()),
        Err(error) => Err(match &stopped.unit {
            Some(unit) => RunError::NotBack { unit: unit.clone(), source: Box::new(error.into()) },
            None => error.into(),
        }),
    })
    .await
}

/// With the node stopped: proves it by its locks, sees to the sign state, and swaps.
fn swap_stopped(request: &RestoreRequest, plan: &RestorePlan, stage: Stage) -> Result<Swapped, RunError> {
    // A stop may take minutes: the last moment at which nothing has happened yet.
    if request.cancel.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(RunError::Interrupted);
    }
    let locks = StoreLocks::take(&plan.locks(&request.home))?;
    // Read only now: a node that was running has signed until a moment ago.
    let sign_state = sign::settle(request, plan, &stage)?;
    let previous = swap::swap(&request.home, plan, stage)?;
    drop(locks);
    Ok(Swapped { sign_state, previous, started: false, warnings: Vec::new(), downtime: Duration::ZERO })
}
