//! Why a run did not do what it was asked, sorted by who has to do something about it.

use std::{io, path::PathBuf};

use loom_node::NodeError;
use loom_repository::RepositoryError;
use loom_repository::storage::StorageError;
use loom_service::{ServiceError, UnitName};
use loom_snapshot::SnapshotError;

/// Who has to act on an error, and how soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Refused before anything was touched: the request, or the state of the world, is not as it must be.
    Refused,
    /// Another run is going on.
    Busy,
    /// The repository, or the backup asked for, is damaged or incomplete.
    Damaged,
    /// The storage cannot be used: credentials, network, a full disk behind it.
    Storage,
    /// Told to stop.
    Interrupted,
    /// Something else failed; the node is as it was.
    Failed,
    /// The node is not back in service.
    NodeNotBack,
}

/// Why a run did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Another run holds the lock.
    #[error("another run of this node is going on (it holds {})", lock.display())]
    Busy {
        /// The lock file.
        lock: PathBuf,
    },
    /// A file of the state directory could not be used.
    #[error("{what} {}", path.display())]
    State {
        /// What was being done: `read`, `write`, `create`, `lock`.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The home is not a directory that can be read.
    #[error("open the node's home {}", path.display())]
    Home {
        /// The home.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Keys would leave this machine unencrypted.
    #[error("{classes} would be stored unencrypted at {url}")]
    SecretsToRemote {
        /// The classes that hold keys.
        classes: String,
        /// The repository.
        url: String,
    },
    /// The node has nothing of the classes asked for.
    #[error("{} has nothing of the classes {classes}", home.display())]
    NothingToBackUp {
        /// The home.
        home: PathBuf,
        /// The classes asked for.
        classes: String,
    },
    /// Only some nodes of a repository can be meant.
    #[error("the repository at {url} holds {}: name one with --node", describe(nodes))]
    WhichNode {
        /// The repository.
        url: String,
        /// The nodes in it.
        nodes: Vec<String>,
    },
    /// The backup lacks a class that was asked for.
    #[error("backup {backup} has no files of class {class}")]
    ClassNotInBackup {
        /// The backup.
        backup: String,
        /// The class.
        class: String,
    },
    /// The restore would replace entries and was not told to.
    #[error("{} already has {}", home.display(), describe(entries))]
    EntriesExist {
        /// The home.
        home: PathBuf,
        /// The entries in the way.
        entries: Vec<String>,
    },
    /// There is not enough room to stage.
    #[error("{} has {available} bytes free and the restore needs {needed}", path.display())]
    NoRoom {
        /// The directory.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes there.
        available: u64,
    },
    /// A validator's key would come without knowledge of what it has signed.
    #[error("{}: this node has no sign state for the key in the backup", file.display())]
    SignStateUnknown {
        /// The file that holds, or would hold, the sign state.
        file: PathBuf,
    },
    /// The backup's own words about a file make no sense.
    #[error("backup {backup} cannot be restored: {what}")]
    Unusable {
        /// The backup.
        backup: String,
        /// What is wrong.
        what: String,
    },
    /// A file or directory could not be made, moved or given its attributes.
    #[error("{what} {}", path.display())]
    Place {
        /// What was being done: `create`, `rename to`, `set the owner of`.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The node's layout, keys or configuration.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node's service.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Capturing the node's files.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The repository.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The node's service did not come back.
    #[error("THE NODE IS DOWN: {unit} was stopped for this run and did not come back")]
    NotBack {
        /// The unit.
        unit: UnitName,
        /// Why.
        source: Box<RunError>,
    },
    /// The node's service came back and was found down later in the run.
    #[error("THE NODE IS DOWN: {unit} came back after the pause and is {state} now")]
    FellOver {
        /// The unit.
        unit: UnitName,
        /// What it is.
        state: String,
    },
    /// A restore was cut short in its swap, and what it did could not be undone.
    #[error("{} is half swapped by a restore: the node must not be started on it", home.display())]
    HalfSwapped {
        /// The home.
        home: PathBuf,
        /// Why it could not be undone.
        source: Box<RunError>,
    },
    /// A restore was cut short in its swap, and this run must not touch what it left.
    #[error("a restore was cut short in {}: old and new entries may be mixed there", home.display())]
    RestoreCutShort {
        /// The home.
        home: PathBuf,
    },
    /// Told to stop before the run was complete.
    #[error("interrupted; the node is as it was and nothing was published")]
    Interrupted,
    /// A worker thread died; a defect of this program.
    #[error("a worker thread died")]
    Worker {
        /// The cause.
        source: tokio::task::JoinError,
    },
}

fn describe(names: &[String]) -> String {
    const SHOWN: usize = 5;
    match names {
        [] => "nothing".to_owned(),
        few if few.len() <= SHOWN => few.join(", "),
        many => format!("{} and {} more", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}

impl RunError {
    pub(crate) fn state(what: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        Self::State { what, path: path.to_owned(), source }
    }

    pub(crate) fn place(what: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        Self::Place { what, path: path.to_owned(), source }
    }

    /// Who has to act, and how soon.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Busy { .. } => Kind::Busy,
            Self::NotBack { .. } | Self::FellOver { .. } | Self::HalfSwapped { .. } => Kind::NodeNotBack,
            Self::Interrupted | Self::Repository(RepositoryError::Interrupted) => Kind::Interrupted,
            Self::Repository(error) if error.is_damage() => Kind::Damaged,
            Self::Unusable { .. } => Kind::Damaged,
            Self::Repository(RepositoryError::Storage(_)) | Self::Storage(_) => Kind::Storage,
            Self::Repository(
                RepositoryError::NoRepository { .. }
                | RepositoryError::ForeignObjects { .. }
                | RepositoryError::NoBackup { .. },
            )
            | Self::SecretsToRemote { .. }
            | Self::RestoreCutShort { .. }
            | Self::NothingToBackUp { .. }
            | Self::WhichNode { .. }
            | Self::ClassNotInBackup { .. }
            | Self::EntriesExist { .. }
            | Self::NoRoom { .. }
            | Self::SignStateUnknown { .. }
            | Self::Home { .. }
            | Self::Node(_)
            | Self::Service(
                ServiceError::LockHeld { .. }
                | ServiceError::NotFound { .. }
                | ServiceError::Masked { .. }
                | ServiceError::NotLoaded { .. }
                | ServiceError::NotAllowed { .. }
                | ServiceError::WouldStopUs { .. }
                | ServiceError::TouchedByOthers { .. },
            ) => Kind::Refused,
            _ => Kind::Failed,
        }
    }

    /// What to do about it, in one sentence, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Busy { .. } => "wait for it, or see what it does with `loom-backup status`",
            Self::SecretsToRemote { .. } => {
                "set `secrets = \"exclude\"` in [backup] to leave keys out, or `secrets = \"plaintext\"` to store them readable \
                 by whoever can read the bucket"
            }
            Self::HalfSwapped { .. } | Self::RestoreCutShort { .. } => {
                "`loom-restore run` undoes it first; the old entries are under .loom-restore/*/previous"
            }
            Self::EntriesExist { .. } => {
                "--replace puts the backup's entries in their place and keeps the old ones under .loom-restore/"
            }
            Self::SignStateUnknown { .. } => {
                "if the machine that signed with this key is off and stays off: --sign-state-from-backup; else \
                 --min-sign-height H with a height above anything it can have signed"
            }
            Self::NothingToBackUp { .. } => "see what is there with `loom-backup run --dry-run`",
            Self::NoRoom { .. } => "free some space there, or restore into another file system with --home",
            Self::NotBack { .. } | Self::FellOver { .. } => {
                "start it by hand with `systemctl start`, and read its journal with `journalctl -u`"
            }
            Self::Service(ServiceError::LockHeld { .. }) => {
                "stop the node first, or name its service with --service, or copy it running with --quiesce none (such a copy \
                 may not be restorable)"
            }
            Self::Repository(RepositoryError::NoRepository { .. }) => {
                "look at the URL; the first `loom-backup run` creates a repository"
            }
            Self::Repository(RepositoryError::ForeignObjects { .. }) => {
                "choose an empty prefix; if this was a repository, its loom-repository.json is lost: restore that object"
            }
            Self::Repository(RepositoryError::Format { .. }) => {
                "use the version of this program that wrote it, or a later one"
            }
            Self::Repository(error) if error.is_damage() => {
                "another backup may be whole: `loom-restore list`, then --backup ID; packs that are damaged are stored again by \
                 the next backup once they are removed"
            }
            Self::Storage(error) | Self::Repository(RepositoryError::Storage(error)) => return error.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
