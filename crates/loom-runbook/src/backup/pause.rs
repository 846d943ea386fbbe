//! The part of a backup in which the node has no service. Whatever happens in it, the service is started again.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use loom_repository::{Pause, Quiesce};
use loom_service::{Stopped, StoreLocks, UnitName};
use loom_snapshot::{CaptureOptions, Engine, SkippedKind, Snapshot, Source};

use super::{BackupPlan, BackupRequest, QuiesceMode, blocking, plan::lock_files, record};
use crate::{RunError, StateDir, journal, state};

/// The image of the node's files, and how it was come by.
pub(super) struct Paused {
    pub(super) snapshot: Snapshot,
    pub(super) quiesce: Quiesce,
    pub(super) stopped: Stopped,
    pub(super) pause: Option<Pause>,
}

/// The names under which nodes' configurations know LevelDB.
const LEVELDB: [&str; 3] = ["goleveldb", "cleveldb", "leveldb"];

/// How often a running node is captured anew when files vanish under the capture.
const HOT_TRIES: u32 = 3;

/// Holds the node still, captures its files, and lets it go.
pub(super) async fn capture(
    request: &BackupRequest,
    plan: &BackupPlan,
    state: &StateDir,
) -> Result<Paused, RunError> {
    let (request, plan, state) = (request.clone(), plan.clone(), state.clone());
    // One blocking task from the stop to the start: nothing can end it half-way but the death of the process.
    blocking(move || {
        let sources = record::sources(&plan);
        loom_snapshot::remove_leftovers(&request.home, &sources)?;
        match request.quiesce {
            QuiesceMode::None => hot(&request, &plan, &sources),
            QuiesceMode::Stop => still(&request, &plan, &sources, &state),
        }
    })
    .await
}

fn hot(request: &BackupRequest, plan: &BackupPlan, sources: &[Source]) -> Result<Paused, RunError> {
    let mut tries = 1;
    let snapshot = loop {
        match take(request, plan, sources) {
            Err(error) if tries < HOT_TRIES => tracing::debug!(%error, tries, "captured anew"),
            other => break other?,
        }
        tries += 1;
    };
    let stopped = request.service.controller().plan_stop().unwrap_or_else(|_| no_stop());
    Ok(Paused {
        snapshot,
        quiesce: Quiesce::None,
        stopped: Stopped { was_active: false, ..stopped },
        pause: None,
    })
}

fn no_stop() -> Stopped {
    use loom_service::ServiceController;
    loom_service::NoService.plan_stop().expect("no service is always stopped")
}

fn still(
    request: &BackupRequest,
    plan: &BackupPlan,
    sources: &[Source],
    state_dir: &StateDir,
) -> Result<Paused, RunError> {
    let _home = state::lock_home(&request.home)?;
    if crate::restore::is_half_swapped(&request.home) {
        return Err(RunError::RestoreCutShort { home: request.home.clone() });
    }
    let service = request.service.controller();
    let planned = service.plan_stop()?;
    if interrupted(request) {
        return Err(RunError::Interrupted);
    }
    if planned.was_active {
        journal::write(state_dir, &planned, request.start_timeout)?;
    }
    let mut back = Back { request, state: state_dir, stopped: Some(planned) };
    let began = Instant::now();
    let stopped = match service.stop(request.stop_timeout) {
        Ok(stopped) => stopped,
        Err(error) => {
            // It may be stopping all the same: the plan of the stop brings it back.
            back.start()?;
            return Err(error.into());
        }
    };
    let stop_took = began.elapsed();
    let planned = back.stopped.replace(stopped.clone());
    if stopped.was_active && planned.is_none_or(|planned| planned.invocation_id != stopped.invocation_id) {
        // It restarted itself between the plan and the stop.
        journal::write(state_dir, &stopped, request.start_timeout)?;
    }

    let captured = locked(request, plan, sources);
    let capture_took = began.elapsed().saturating_sub(stop_took);
    // A node that is down outweighs a capture that failed.
    let start_took = back.start()?;
    let pause = stopped.was_active.then(|| Pause {
        total_us: micros(stop_took + capture_took + start_took),
        stop_us: micros(stop_took),
        capture_us: micros(capture_took),
        start_us: micros(start_took),
    });
    let quiesce = if stopped.was_active { Quiesce::Stop } else { Quiesce::Offline };
    Ok(Paused { snapshot: captured?, quiesce, stopped, pause })
}

/// What has no content to back up, in words.
fn kind(kind: SkippedKind) -> &'static str {
    match kind {
        SkippedKind::Socket => "a socket",
        SkippedKind::Fifo => "a named pipe",
        SkippedKind::Device => "a device",
    }
}

/// Captures under the locks of every database: proof that nobody has one open, and a bar to whoever starts the node meanwhile.
fn locked(request: &BackupRequest, plan: &BackupPlan, sources: &[Source]) -> Result<Snapshot, RunError> {
    if interrupted(request) {
        return Err(RunError::Interrupted);
    }
    let _locks = StoreLocks::take(&lock_files(request, plan)?)?;
    take(request, plan, sources)
}

/// Whether the databases are of an engine whose live files can be read here.
pub(super) fn is_leveldb(plan: &BackupPlan) -> bool {
    LEVELDB.contains(&plan.layout.engine.as_str())
}

fn take(request: &BackupRequest, plan: &BackupPlan, sources: &[Source]) -> Result<Snapshot, RunError> {
    let engine = if is_leveldb(plan) { Engine::LevelDb } else { Engine::Opaque };
    let options = CaptureOptions { copy_max: request.copy_max, engine };
    let excluded = |path: &std::path::Path| plan.layout.is_excluded(path);
    Ok(Snapshot::capture(&request.home, sources, &excluded, &options)?)
}

fn interrupted(request: &BackupRequest) -> bool {
    request.cancel.load(Ordering::Relaxed)
}

fn micros(took: Duration) -> u64 {
    took.as_micros() as u64
}

/// Sees to it that what was stopped is started, also when the code in between returns early or panics.
struct Back<'a> {
    request: &'a BackupRequest,
    state: &'a StateDir,
    stopped: Option<Stopped>,
}

impl Back<'_> {
    /// Starts what was stopped; says how long it took until the service was up.
    fn start(&mut self) -> Result<Duration, RunError> {
        let Some(stopped) = self.stopped.take() else { return Ok(Duration::ZERO) };
        if !stopped.was_active {
            return Ok(Duration::ZERO);
        }
        let unit = stopped.unit.clone();
        match start_with_patience(self.request, &stopped) {
            Ok(started) => journal::clear(self.state).map(|()| started.took),
            Err(error @ loom_service::ServiceError::TouchedByOthers { .. }) => {
                journal::clear(self.state)?;
                Err(error.into())
            }
            // The journal stays: `recover` tries again, at the end of our own unit, at boot and before the next run.
            Err(error) => Err(match unit {
                Some(unit) => RunError::NotBack { unit, source: Box::new(error.into()) },
                None => error.into(),
            }),
        }
    }
}

/// Starts what was stopped. A `systemctl` that could not be run or was killed (a second Ctrl-C reaches it too) is run again.
fn start_with_patience(
    request: &BackupRequest,
    stopped: &Stopped,
) -> Result<loom_service::Started, loom_service::ServiceError> {
    use loom_service::ServiceError::{Answer, Failed, Run};
    const TRIES: u32 = 5;
    let mut tries = 1;
    loop {
        match request.service.controller().start(stopped, request.start_timeout) {
            Err(error @ (Run { .. } | Failed { .. } | Answer { .. })) if tries < TRIES => {
                tracing::debug!(%error, "the service is started once more");
                std::thread::sleep(Duration::from_millis(500));
                tries += 1;
            }
            other => return other,
        }
    }
}

impl Drop for Back<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.start() {
            tracing::error!(%error, "the service could not be started again");
        }
    }
}

impl Paused {
    pub(super) fn stopped_unit(&self) -> Option<UnitName> {
        self.stopped.unit.clone().filter(|_| self.stopped.was_active)
    }

    pub(super) fn in_short(&self) -> String {
        let totals = self.snapshot.totals();
        let files = format!("{} files captured", totals.files);
        match (&self.pause, self.quiesce) {
            (Some(pause), _) => {
                let ms = |us: u64| us as f64 / 1e3;
                format!(
                    "{files}; the node was down for {:.0} ms (stop {:.0}, capture {:.0}, start {:.0})",
                    ms(pause.total_us),
                    ms(pause.stop_us),
                    ms(pause.capture_us),
                    ms(pause.start_us)
                )
            }
            (None, Quiesce::None) => format!("{files} from the running node"),
            (None, _) => format!("{files}; the node was not running"),
        }
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.quiesce == Quiesce::Stop && !self.stopped.clean {
            let (result, exit) = (&self.stopped.result, &self.stopped.exit);
            warnings.push(format!(
                "the node did not stop cleanly (result {result}, {exit}): raise TimeoutStopSec= in its unit; this backup \
                 needs a rehearsal"
            ));
        }
        for skipped in self.snapshot.skipped() {
            warnings.push(format!("{} is left out: {}", skipped.path.display(), kind(skipped.kind)));
        }
        warnings
    }
}
