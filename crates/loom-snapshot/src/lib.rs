//! A point-in-time image of a node's files: hard links, reflinks and copies, so that the pause is short.
//!
//! [`Snapshot::capture`] is to be called while whoever writes the files is held still; it takes tables of
//! databases and rotated pieces of `cs.wal` as hard links, and everything else as reflinks or copies, into a
//! private directory on the same file system. The image stays as it was when the node runs again.
//!
//! It knows nothing of nodes, their classes of files or their services, only of `LevelDB`; it hashes nothing,
//! and it never writes to, locks or renames a file that is not its own.

mod capture;
mod error;
mod image;
mod item;
mod private;
mod roles;
mod snapshot;
mod source;

pub use error::SnapshotError;
pub use item::{Inode, Item, ItemKind, Skipped, SkippedKind, Totals, container};
pub use private::remove_leftovers;
pub use snapshot::Snapshot;
pub use source::{CaptureOptions, Engine, Source};
