//! Running a command: logging, signals, and how errors are shown.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use loom_runbook::{RunError, repository::RepositoryError, storage::StorageError};
use tracing_subscriber::EnvFilter;

use crate::{Common, ConfigError, Exit};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Nobody said yes.
    #[error("nothing was done: the plan above was not confirmed")]
    NotConfirmed,
    /// The result could not be printed.
    #[error("print the result")]
    Print(#[source] std::io::Error),
    /// A file could not be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl From<RepositoryError> for Failure {
    fn from(error: RepositoryError) -> Self {
        Self::Run(error.into())
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Run(error.into())
    }
}

impl Failure {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Usage,
            Self::Run(error) => error.kind().into(),
            Self::NotConfirmed => Exit::Refused,
            Self::Print(_) | Self::Write { .. } => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Run(error) => error.hint(),
            Self::NotConfirmed => Some("--yes goes on without asking".to_owned()),
            Self::Config(ConfigError::Parse { .. }) => {
                Some("`loom-backup config` prints every key".to_owned())
            }
            _ => None,
        }
    }
}

/// Runs a command to its exit code. The flag it is given is set by SIGINT, SIGTERM and SIGHUP.
pub fn main<F>(common: &Common, command: impl FnOnce(Arc<AtomicBool>) -> F) -> ExitCode
where
    F: Future<Output = Result<Exit, Failure>>,
{
    start_logging(common);
    // What this program creates holds a node's data: nobody else's business unless it is said otherwise for a file.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            show_error(&error, None);
            return Exit::Failed.code().into();
        }
    };
    let exit = runtime.block_on(async {
        let cancel = Arc::new(AtomicBool::new(false));
        tokio::spawn(listen(Arc::clone(&cancel)));
        match command(cancel).await {
            Ok(exit) => exit,
            Err(failure) => {
                show_error(&failure, failure.hint());
                failure.exit()
            }
        }
    });
    // Threads that wait for a store that does not answer are not waited for.
    runtime.shutdown_background();
    ExitCode::from(exit.code())
}

/// Says to whoever works that it should end, as often as a signal comes; it is theirs to leave the node running.
async fn listen(cancel: Arc<AtomicBool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return;
    };
    loop {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            // The terminal is gone: the run ends as it would for the others.
            _ = hangup.recv() => "SIGHUP",
        };
        cancel.store(true, Ordering::Relaxed);
        let _ = writeln!(
            std::io::stderr(),
            "{name}: ending the run; a service that was stopped is started first"
        );
    }
}

fn start_logging(common: &Common) {
    let level = ["warn", "info,loom=debug", "debug"][usize::from(common.verbose.min(2))];
    let filter = EnvFilter::try_from_env("LOOM_BACKUP_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .try_init();
}

/// `error:`, each cause, and what to do.
fn show_error(error: &dyn std::error::Error, hint: Option<String>) {
    use std::fmt::Write as _;
    let mut text = format!("error: {error}\n");
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let line = cause.to_string();
        // A transparent error says what its source says.
        if line != said {
            let _ = writeln!(text, "caused by: {line}");
        }
        said = line;
        source = cause.source();
    }
    if let Some(hint) = hint {
        let _ = writeln!(text, "hint: {hint}");
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}
