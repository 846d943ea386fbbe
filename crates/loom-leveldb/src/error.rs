//! What can be wrong with a `LevelDB` directory. It does not say what to do about it: that is the caller's.

use std::io;
use std::path::PathBuf;

/// Why the live files of a database could not be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LevelDbError {
    /// The directory could not be listed.
    #[error("list {}", dir.display())]
    List {
        /// The database.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the database could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No CURRENT file names a MANIFEST that exists. An engine would call this corrupted, or, in an empty
    /// directory, silently begin a new database.
    #[error("no CURRENT file in {} names a MANIFEST that is there", dir.display())]
    NoCurrent {
        /// The database.
        dir: PathBuf,
    },
    /// A CURRENT file does not hold the name of a MANIFEST and a line feed, and no other one does.
    #[error("{} does not name a MANIFEST: it begins with {content:?}", path.display())]
    BadCurrent {
        /// The CURRENT file.
        path: PathBuf,
        /// What it begins with.
        content: String,
    },
    /// Bytes that no engine wrote, elsewhere than in a torn last record.
    #[error("{} is damaged at byte {offset}: {problem}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in it, in bytes from its beginning.
        offset: u64,
        /// What is wrong there.
        problem: &'static str,
    },
    /// The MANIFEST lacks what an engine needs to open the database.
    #[error("{} holds no {field}", path.display())]
    Incomplete {
        /// The MANIFEST.
        path: PathBuf,
        /// What is missing in it.
        field: &'static str,
    },
    /// The MANIFEST lists one table number at two levels.
    #[error("{} lists table {number} at two levels", path.display())]
    ListedTwice {
        /// The MANIFEST.
        path: PathBuf,
        /// The table.
        number: u64,
    },
    /// A table that the MANIFEST lists is not there.
    #[error("table {} of {expected} bytes is missing", path.display())]
    MissingTable {
        /// The table.
        path: PathBuf,
        /// Its size as the MANIFEST has it, in bytes.
        expected: u64,
    },
    /// A table does not have the size that the MANIFEST lists.
    #[error("table {} is {found} bytes long instead of {expected}", path.display())]
    TableSize {
        /// The table.
        path: PathBuf,
        /// Its size as the MANIFEST has it, in bytes.
        expected: u64,
        /// Its size as found, in bytes.
        found: u64,
    },
    /// A table or a journal is a symlink, a directory or something else that is not a regular file.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The table or journal.
        path: PathBuf,
    },
}
