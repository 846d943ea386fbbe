//! The state directory: the lock, the last run's outcome, the journal's place.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use loom_repository::NodeName;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::RunError;

/// Where this tool keeps what it needs to know from one run to the next, for one node.
#[derive(Debug, Clone)]
pub struct StateDir {
    dir: PathBuf,
    node: NodeName,
}

/// Held while a run goes on; given back when dropped, or when the process ends however it ends.
#[derive(Debug)]
pub struct Running {
    _lock: File,
}

/// The outcome of the last run, as `status` and monitors read it (`<node>.status.json`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastRun {
    /// When the last run ended.
    pub ended: Option<Timestamp>,
    /// Whether it published a backup.
    pub succeeded: bool,
    /// Its error and what to do, when not.
    pub error: Option<String>,
    /// When a run last succeeded.
    pub last_success: Option<Timestamp>,
    /// The backup it published.
    pub last_backup: Option<String>,
    /// That backup's height.
    pub height: Option<u64>,
    /// How long the node was without service for it, in seconds.
    pub pause_seconds: Option<f64>,
    /// Bytes of the node's files in it.
    pub bytes: u64,
    /// Bytes put into storage for it.
    pub stored_bytes: u64,
    /// How long that run took, in seconds.
    pub duration_seconds: f64,
}

impl StateDir {
    /// The state of one node in this directory, which is created (0700) if absent.
    ///
    /// # Errors
    /// [`RunError::State`].
    pub fn open(dir: &Path, node: &NodeName) -> Result<Self, RunError> {
        let created = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        created.map_err(|source| RunError::state("create", dir, source))?;
        Ok(Self { dir: dir.to_owned(), node: node.clone() })
    }

    fn file(&self, what: &str) -> PathBuf {
        self.dir.join(format!("{}.{what}", self.node))
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.file("journal.json")
    }

    /// Takes the lock of this node.
    ///
    /// # Errors
    /// [`RunError::Busy`] when another run has it.
    pub fn lock(&self) -> Result<Running, RunError> {
        let path = self.file("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|source| RunError::state("open", &path, source))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Running { _lock: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(RunError::Busy { lock: path }),
            Err(errno) => Err(RunError::state("lock", &path, errno.into())),
        }
    }

    /// The outcome of the last run; `None` before the first.
    ///
    /// # Errors
    /// [`RunError::State`] when it cannot be read or is no such file.
    pub fn last_run(&self) -> Result<Option<LastRun>, RunError> {
        read_json(&self.file("status.json"))
    }

    /// Keeps the outcome of a run.
    ///
    /// # Errors
    /// [`RunError::State`].
    pub fn keep_last_run(&self, last: &LastRun) -> Result<(), RunError> {
        write_json(&self.file("status.json"), last)
    }
}

/// Takes the lock of a home, which a backup's pause and a restore's swap exclude each other by, whatever the node is called.
///
/// # Errors
/// [`RunError::Busy`] when it is held; [`RunError::Home`].
pub(crate) fn lock_home(home: &Path) -> Result<Running, RunError> {
    let failed = |source| RunError::Home { path: home.to_owned(), source };
    let file = File::open(home).map_err(failed)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Running { _lock: file }),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(RunError::Busy { lock: home.to_owned() }),
        Err(errno) => Err(failed(errno.into())),
    }
}

/// Reads a file of JSON; `None` when it is not there.
pub(crate) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, RunError> {
    match fs::read(path) {
        Ok(bytes) => {
            let value = serde_json::from_slice(&bytes);
            value.map(Some).map_err(|e| RunError::state("understand", path, e.into()))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RunError::state("read", path, source)),
    }
}

/// Writes a file of JSON whole or not at all, on disk before this returns.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), RunError> {
    let write = || -> std::io::Result<()> {
        let dir = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".writing-").tempfile_in(dir)?;
        serde_json::to_writer_pretty(&mut file, value)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|source| RunError::state("write", path, source))
}

/// Removes a file that may be gone already; its absence is on disk before this returns.
pub(crate) fn remove(path: &Path) -> Result<(), RunError> {
    let remove = || match fs::remove_file(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
        Ok(()) => File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all(),
    };
    remove().map_err(|source| RunError::state("remove", path, source))
}
