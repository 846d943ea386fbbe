//! What can go wrong with a snapshot. Paths are those of the node's files, never of their images: those mean
//! nothing to an operator.

use std::io;
use std::path::PathBuf;

use loom_leveldb::LevelDbError;

/// Why a snapshot could not be taken or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A source is not a relative path of plain names, or is given twice.
    #[error("{path:?} is not a path inside the home, given once")]
    Source {
        /// The source's path as given.
        path: PathBuf,
    },
    /// The private directory of the snapshot could not be made.
    #[error("create a private directory in {}", dir.display())]
    CreateDir {
        /// Where it was to be.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file, directory or symlink of the node could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file of the node.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be linked, for another reason than that links are not to be had here.
    #[error("link {}", path.display())]
    Link {
        /// The file of the node.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be copied.
    #[error("copy {}", path.display())]
    Copy {
        /// The file of the node.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file became shorter, or was replaced, while it was captured: the node is not held still.
    #[error("{} changed while it was captured: {found} bytes instead of {expected}", path.display())]
    Changed {
        /// The file of the node.
        path: PathBuf,
        /// Its size before, in bytes.
        expected: u64,
        /// How much of it there was, in bytes.
        found: u64,
    },
    /// More would have to be copied than [`CaptureOptions::copy_max`](crate::CaptureOptions::copy_max)
    /// allows.
    #[error(
        "{} would bring what is copied to {needed} bytes, and {copy_max} are allowed: {}",
        path.display(), why_copied(why.as_ref())
    )]
    CopyMax {
        /// The file of the node.
        path: PathBuf,
        /// Bytes copied so far and those of this file.
        needed: u64,
        /// Bytes that may be copied.
        copy_max: u64,
        /// Why a file that never changes could not be linked; `None` for one that is never linked.
        why: Option<io::Error>,
    },
    /// A database is not whole.
    #[error("database {} is not whole", path.display())]
    Database {
        /// The database's directory.
        path: PathBuf,
        /// What is wrong with it.
        source: LevelDbError,
    },
    /// The file system that holds the snapshot is full.
    #[error(
        "no space is left for {} in {}: free some there, or move what holds the node's files to a file system \
         with reflinks", path.display(), dir.display()
    )]
    Full {
        /// The file of the node that was being captured.
        path: PathBuf,
        /// The private directory.
        dir: PathBuf,
        /// What the system said: no space, or the quota is reached.
        source: io::Error,
    },
    /// A private directory could not be removed; it takes up space until
    /// [`remove_leftovers`](crate::remove_leftovers).
    #[error("remove the snapshot in {}", dir.display())]
    Remove {
        /// The private directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn why_copied(why: Option<&io::Error>) -> String {
    let why = why.map_or_else(
        || "it may be written again, so it is not linked".to_owned(),
        |error| format!("it could not be linked ({error})"),
    );
    format!("{why}, and could not be reflinked")
}
