//! What a snapshot consists of. The items are as the node's files were; how they are stored is not told here.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::error::SnapshotError;

/// One file, directory or symlink as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Relative to the home; any bytes.
    pub path: PathBuf,
    /// Index of the source it belongs to; `None` for a [`container`].
    pub source: Option<usize>,
    /// What it is, and where its content is.
    pub kind: ItemKind,
    /// Permission bits, with set-id and sticky bits (`0o7777`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time: seconds since 1970, and nanoseconds of that second.
    pub modified: (i64, u32),
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemKind {
    /// A regular file.
    File {
        /// Bytes in it, and in its image.
        size: u64,
        /// Where its content is to be read, as long as the snapshot is there. Never to be written: it may be
        /// a hard link.
        image: PathBuf,
        /// Level in its database, of a table.
        level: Option<u32>,
        /// The file of the node, for one that is never written again (a table, a rotated piece of `cs.wal`):
        /// the same inode with the same size and time in a later snapshot is the same content.
        inode: Option<Inode>,
    },
    /// A directory; what is in it follows as items of their own.
    Directory,
    /// A symlink, as text.
    Symlink {
        /// What it points to; any bytes.
        target: PathBuf,
    },
}

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Inode {
    /// Device of the file system.
    pub device: u64,
    /// Number in it.
    pub number: u64,
}

/// Something in a source that has no content to capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Relative to the home.
    pub path: PathBuf,
    /// What it is.
    pub kind: SkippedKind,
}

/// What was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkippedKind {
    /// A socket in the file system.
    Socket,
    /// A named pipe.
    Fifo,
    /// A character or block device.
    Device,
}

impl SkippedKind {
    pub(crate) fn of(kind: fs::FileType) -> Self {
        if kind.is_socket() {
            Self::Socket
        } else if kind.is_fifo() {
            Self::Fifo
        } else {
            Self::Device
        }
    }
}

/// Sums over a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Regular files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Bytes in files that are hard links to the node's.
    pub linked: u64,
    /// Bytes in files that share their blocks with the node's.
    pub reflinked: u64,
    /// Bytes in files that were copied.
    pub copied: u64,
    /// Files that grew while they were copied, and of which the image holds what there was at first: 0 when
    /// the node was held still.
    pub grown: u64,
}

impl Item {
    pub(crate) fn new(path: PathBuf, source: Option<usize>, kind: ItemKind, metadata: &Metadata) -> Self {
        Self {
            path,
            source,
            kind,
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            modified: (metadata.mtime(), u32::try_from(metadata.mtime_nsec()).unwrap_or(0)),
        }
    }
}

impl Inode {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), number: metadata.ino() }
    }
}

/// Tells the attributes of a directory that contains sources but is none: `path` is relative to the home. A
/// symlink to a directory is one here.
///
/// # Errors
/// [`SnapshotError::Read`] if it is not there or not a directory.
pub fn container(home: &Path, path: &Path) -> Result<Item, SnapshotError> {
    let full = home.join(path);
    let metadata = fs::metadata(&full).and_then(|metadata| {
        if metadata.is_dir() { Ok(metadata) } else { Err(io::ErrorKind::NotADirectory.into()) }
    });
    match metadata {
        Ok(metadata) => Ok(Item::new(path.to_owned(), None, ItemKind::Directory, &metadata)),
        Err(source) => Err(SnapshotError::Read { path: full, source }),
    }
}
