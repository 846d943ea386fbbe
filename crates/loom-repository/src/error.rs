//! What can go wrong with a repository, by what the caller can do about it.

use std::{io, path::PathBuf};

use loom_archive::ArchiveError;
use loom_storage::StorageError;

use crate::{BackupId, NodeName};

/// Why a repository could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// There is no marker at this URL: no repository, or the wrong URL.
    #[error("there is no repository at {url}")]
    NoRepository {
        /// Where it was looked for.
        url: String,
    },
    /// There are other things at this URL but no repository's marker.
    #[error("{url} holds objects of something else and no repository")]
    ForeignObjects {
        /// Where a repository was to be created.
        url: String,
    },
    /// An object is damaged: cut, changed, or another object under its name.
    #[error("{object} is damaged{}", affected(files))]
    Damaged {
        /// The object's address.
        object: String,
        /// The files of the backup that need it; empty when all do.
        files: Vec<String>,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An object that a backup needs is not there.
    #[error("{object} is missing{}", affected(files))]
    Missing {
        /// The object's address.
        object: String,
        /// The files of the backup that need it; empty when all do.
        files: Vec<String>,
    },
    /// The object was written by a later version of this tool.
    #[error("{object} has format {found}; this program reads format 1")]
    Format {
        /// The object's address.
        object: String,
        /// The format it says it has.
        found: u64,
    },
    /// The node has no backup here, or none that fits.
    #[error("node {node} has no backup {wanted} at {url}")]
    NoBackup {
        /// The node.
        node: NodeName,
        /// What was looked for, in words.
        wanted: String,
        /// The repository.
        url: String,
    },
    /// A file of the snapshot could not be read while it was being stored.
    #[error("read {} for the backup", path.display())]
    ReadFile {
        /// The file as the node knows it.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file could not be written while it was being fetched.
    #[error("write {}", path.display())]
    WriteFile {
        /// The file being restored.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A pack could not be made.
    #[error("make a pack")]
    Pack {
        /// The cause.
        source: ArchiveError,
    },
    /// What a backup refers to went away or was marked for deletion while it was being made.
    #[error("{object}, which this backup refers to, {what}; nothing was published")]
    Overtaken {
        /// The object's address.
        object: String,
        /// What became of it.
        what: &'static str,
    },
    /// The run was told to stop.
    #[error("interrupted before the backup was complete; nothing was published")]
    Interrupted,
    /// The operating system gave no random bytes for a new repository's id.
    #[error("draw an id for the new repository")]
    Random {
        /// The cause.
        source: getrandom::Error,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A worker died; a defect of this program.
    #[error("a worker died")]
    Worker {
        /// The cause.
        source: tokio::task::JoinError,
    },
}

impl RepositoryError {
    /// Whether the stored backup is at fault rather than the way to it.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Missing { .. } | Self::Format { .. })
    }

    pub(crate) fn damaged(
        object: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Damaged { object: object.into(), files: Vec::new(), source: source.into() }
    }

    pub(crate) fn no_backup(node: &NodeName, id: &BackupId, url: &loom_storage::StorageUrl) -> Self {
        Self::NoBackup { node: node.clone(), wanted: id.to_string(), url: url.to_string() }
    }
}

/// " (needed by a, b, c and 12 more files)"
fn affected(files: &[String]) -> String {
    const SHOWN: usize = 3;
    match files {
        [] => String::new(),
        few if few.len() <= SHOWN => format!(" (needed by {})", few.join(", ")),
        many => format!(" (needed by {} and {} more files)", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}
