//! The private directories that hold images, and what a killed run leaves of them. It does not know what is
//! in them.
//!
//! One is `.loom-snapshot/<random>` in the home, or `.loom-snapshot-<random>` on another file system. Both
//! hold a file `lock`, locked as long as the run lives: the lock goes with the process, however it dies.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::SnapshotError;
use crate::source::Source;

const NAME: &str = ".loom-snapshot";
const BESIDE: &str = ".loom-snapshot-";
const LOCK: &str = "lock";
const RANDOM: usize = 16;

/// Another run's `remove_leftovers` may remove a directory between its creation and its lock: then a new one
/// is made.
const ATTEMPTS: usize = 16;

/// Whether a file of this name belongs to a snapshot, and so never into one.
pub(crate) fn is_ours(name: &OsStr) -> bool {
    name == NAME || is_private(name, BESIDE)
}

/// `prefix` and a random part.
fn is_private(name: &OsStr, prefix: &str) -> bool {
    let random = name.to_str().and_then(|name| name.strip_prefix(prefix));
    random.is_some_and(|random| {
        random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// A private directory of this process, removed when dropped.
#[derive(Debug)]
pub(crate) struct Private {
    path: PathBuf,
    /// The directory `.loom-snapshot`, to be removed with the last one in it.
    parent: Option<PathBuf>,
    /// Locked until dropped.
    _lock: File,
    removed: bool,
}

impl Private {
    /// Creates one in the home.
    pub(crate) fn in_home(home: &Path) -> Result<Self, SnapshotError> {
        let parent = home.join(NAME);
        let create = || {
            match fs::DirBuilder::new().mode(0o700).create(&parent) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            // Through a symlink the images would land, and later be removed, elsewhere.
            if !fs::symlink_metadata(&parent)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            new_locked(&parent, "")
        };
        let (path, lock) =
            attempt(create).map_err(|source| SnapshotError::CreateDir { dir: parent.clone(), source })?;
        Ok(Self { path, parent: Some(parent), _lock: lock, removed: false })
    }

    /// Creates one in another directory.
    pub(crate) fn beside(dir: &Path) -> Result<Self, SnapshotError> {
        let created = attempt(|| new_locked(dir, BESIDE));
        let (path, lock) =
            created.map_err(|source| SnapshotError::CreateDir { dir: dir.to_owned(), source })?;
        Ok(Self { path, parent: None, _lock: lock, removed: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it and all images in it.
    pub(crate) fn remove(&mut self) -> Result<(), SnapshotError> {
        if self.removed {
            return Ok(());
        }
        self.removed = true;
        let removed = remove_tree(&self.path);
        if let Some(parent) = &self.parent {
            // Fails while another run has its own in it.
            let _ = fs::remove_dir(parent);
        }
        removed.map_err(|source| SnapshotError::Remove { dir: self.path.clone(), source })
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(error = &error as &dyn std::error::Error, "a snapshot stays behind");
        }
    }
}

fn attempt(mut create: impl FnMut() -> io::Result<Option<(PathBuf, File)>>) -> io::Result<(PathBuf, File)> {
    for _ in 0..ATTEMPTS {
        match create() {
            Ok(Some(created)) => return Ok(created),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("it was removed again and again before it could be locked"))
}

/// Makes a directory and locks it; `None` if somebody took it for a leftover in between.
fn new_locked(parent: &Path, prefix: &str) -> io::Result<Option<(PathBuf, File)>> {
    let dir = tempfile::Builder::new()
        .prefix(prefix)
        .rand_bytes(RANDOM)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)?;
    let path = dir.path().join(LOCK);
    let lock = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let same = fs::symlink_metadata(&path)?.ino() == lock.metadata()?.ino();
    Ok(same.then(|| (dir.keep(), lock)))
}

/// Removes a private directory, the lock last: without it the rest would look like a dead run's.
fn remove_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name() == LOCK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    match fs::remove_file(dir.join(LOCK)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::remove_dir(dir),
    }
}

/// Removes what earlier, killed runs left in this home and beside its sources, and tells what that was. The
/// snapshot of a run that is alive stays.
///
/// # Errors
/// [`SnapshotError::Remove`] for what could not be removed; [`SnapshotError::Read`] for a place that could
/// not be listed.
pub fn remove_leftovers(home: &Path, sources: &[Source]) -> Result<Vec<PathBuf>, SnapshotError> {
    let parent = home.join(NAME);
    let mut removed = Vec::new();
    if fs::symlink_metadata(&parent).is_ok_and(|metadata| metadata.is_dir()) {
        removed.extend(remove_dead(&parent, "")?);
        let _ = fs::remove_dir(&parent);
    }
    let mut places = BTreeSet::new();
    for source in sources {
        // A source that is not there has nothing beside it.
        let Ok(real) = fs::canonicalize(home.join(&source.path)) else { continue };
        places.extend(real.parent().map(Path::to_owned));
        if real.is_dir() {
            places.insert(real);
        }
    }
    for place in &places {
        removed.extend(remove_dead(place, BESIDE)?);
    }
    Ok(removed)
}

/// Removes the private directories in `parent` that nobody holds.
fn remove_dead(parent: &Path, prefix: &str) -> Result<Vec<PathBuf>, SnapshotError> {
    let read_error = |source| SnapshotError::Read { path: parent.to_owned(), source };
    let mut removed = Vec::new();
    for entry in fs::read_dir(parent).map_err(read_error)? {
        let entry = entry.map_err(read_error)?;
        let dir = entry.path();
        if !is_private(&entry.file_name(), prefix) || !entry.file_type().map_err(read_error)?.is_dir() {
            continue;
        }
        match remove_if_dead(&dir) {
            Ok(true) => removed.push(dir),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(SnapshotError::Remove { dir, source }),
        }
    }
    removed.sort();
    Ok(removed)
}

fn remove_if_dead(dir: &Path) -> io::Result<bool> {
    let lock = match OpenOptions::new().read(true).write(true).open(dir.join(LOCK)) {
        Ok(lock) => lock,
        // Killed before it made its lock, or only about to make it: then it begins again with a new
        // directory.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return fs::remove_dir(dir).map(|()| true),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => remove_tree(dir).map(|()| true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
