//! The new tree, beside the old one on the home's own file system.

use std::{
    fs::{self, DirBuilder, File},
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
};

use loom_repository::{Destination, FileEntry, FileKind};
use rustix::fs::FlockOperation;

use super::{place, plan::path_of, swap};
use crate::{RunError, owners::Numbers};

/// The directory in a home in which restores are staged and old entries kept.
pub(super) const RESTORES: &str = ".loom-restore";

/// A directory of one restore: `staged/` holds the new entries, `previous/` the old ones.
///
/// Dropped before the swap, it removes what was staged.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) dir: PathBuf,
    _lock: File,
    swapped: bool,
}

impl Stage {
    /// Makes the directory of a new restore, and the home if it is absent.
    ///
    /// Only one restore at a time may work in a home; what killed ones left is undone and removed first.
    pub(super) fn create(home: &Path, home_attributes: Option<&FileEntry>) -> Result<Self, RunError> {
        if !home.exists() {
            fs::create_dir_all(home).map_err(|e| RunError::place("create", home, e))?;
            if let Some(attributes) = home_attributes {
                place::attributes(home, attributes, &mut Numbers::default())?;
            }
        }
        let root = home.join(RESTORES);
        private_dir(&root)?;
        let lock = lock(&root)?;
        remove_leftovers(&root)?;
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ-").to_string();
        let dir = tempfile::Builder::new().prefix(&now).rand_bytes(4).tempdir_in(&root);
        let dir = dir.map_err(|e| RunError::place("create a directory in", &root, e))?.keep();
        let stage = Self { dir, _lock: lock, swapped: false };
        private_dir(&stage.staged())?;
        private_dir(&stage.previous())?;
        Ok(stage)
    }

    pub(super) fn staged(&self) -> PathBuf {
        self.dir.join("staged")
    }

    pub(super) fn previous(&self) -> PathBuf {
        self.dir.join("previous")
    }

    /// Creates directories and symbolic links, and says where the files go.
    pub(super) fn lay_out(&self, files: &[FileEntry]) -> Result<Vec<Destination>, RunError> {
        let mut destinations = Vec::new();
        for file in files {
            let path = self.staged().join(path_of(file));
            if let Some(parent) = path.parent() {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
                made.map_err(|e| RunError::place("create", parent, e))?;
            }
            match &file.kind {
                FileKind::File { segments, .. } => {
                    let (name, segments) = (file.path_lossy().into_owned(), segments.clone());
                    destinations.push(Destination { name, segments, path });
                }
                FileKind::Directory => private_dir(&path)?,
                FileKind::Symlink { target } => {
                    let target = Path::new(std::ffi::OsStr::from_bytes(target));
                    std::os::unix::fs::symlink(target, &path)
                        .map_err(|e| RunError::place("create the symlink", &path, e))?;
                }
            }
        }
        Ok(destinations)
    }

    /// Sets the attributes of everything and has it all on disk. Returns what whoever reads the report should know.
    pub(super) fn finish(&self, files: &[FileEntry]) -> Result<Vec<String>, RunError> {
        let (mut numbers, mut not_owned) = (Numbers::default(), 0_u64);
        // Children before parents: filling a directory changes its time.
        for file in files.iter().rev() {
            let path = self.staged().join(path_of(file));
            not_owned += u64::from(!place::attributes(&path, file, &mut numbers)?);
        }
        sync(&self.dir)?;
        let warning = || {
            format!(
                "{not_owned} files belong to this user and not to whom they belonged: only root can give files away"
            )
        };
        Ok(if not_owned > 0 { vec![warning()] } else { Vec::new() })
    }

    /// Says that the staged entries are in place: only what is left of the stage itself is to be removed.
    pub(super) fn swapped(mut self) -> Option<PathBuf> {
        self.swapped = true;
        if let Err(error) = fs::remove_dir_all(self.staged()) {
            tracing::warn!(dir = %self.dir.display(), %error, "what is left of the stage could not be removed");
        }
        if fs::read_dir(self.previous()).is_ok_and(|mut names| names.next().is_none()) {
            self.remove();
            return None;
        }
        Some(self.previous())
    }

    fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "the stage could not be removed");
        }
        // Only when it is empty: it may hold the previous entries of earlier restores.
        if let Some(root) = self.dir.parent() {
            let _ = fs::remove_dir(root);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let undone = !swap::journal(&self.dir).exists();
        if !self.swapped && undone {
            self.remove();
        }
    }
}

/// Takes the lock of all restores in a home.
fn lock(root: &Path) -> Result<File, RunError> {
    let lock = File::open(root).map_err(|e| RunError::place("open", root, e))?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(RunError::Busy { lock: root.to_owned() }),
        Err(errno) => Err(RunError::place("lock", root, errno.into())),
    }
}

/// Undoes what killed restores left half done in this home, and removes what they had staged.
pub(super) fn undo_unfinished(home: &Path) -> Result<(), RunError> {
    let root = home.join(RESTORES);
    if !root.exists() {
        return Ok(());
    }
    let _lock = lock(&root)?;
    remove_leftovers(&root)
}

/// Undoes swaps that were cut short and removes stages of restores that died before their swap. The lock is held.
fn remove_leftovers(root: &Path) -> Result<(), RunError> {
    let dirs = fs::read_dir(root).map_err(|e| RunError::place("read", root, e))?;
    for dir in dirs {
        let dir = dir.map_err(|e| RunError::place("read", root, e))?.path();
        let undone = swap::undo_unfinished(&dir)?;
        let staged = dir.join("staged");
        if undone {
            keep_sign_files(&staged, &dir.join("undone"))?;
        }
        if staged.exists() {
            fs::remove_dir_all(&staged).map_err(|e| RunError::place("remove", &staged, e))?;
        }
        if undone {
            // Every entry is back in its place: what is left are the directories they stood in.
            remove_empty(&dir.join("previous"));
        }
        // These go only when they are empty: there may be previous entries in them.
        let _ = fs::remove_dir(dir.join("previous"));
        let _ = fs::remove_dir(&dir);
    }
    Ok(())
}

/// Keeps the signing files of a swap that was undone: a node may have run, and signed, on what was half in place, and no later
/// restore may go below that.
fn keep_sign_files(staged: &Path, kept: &Path) -> Result<(), RunError> {
    for child in fs::read_dir(staged).map_err(|e| RunError::place("read", staged, e))? {
        let child = child.map_err(|e| RunError::place("read", staged, e))?;
        let (path, to) = (child.path(), kept.join(child.file_name()));
        if child.file_type().is_ok_and(|kind| kind.is_dir()) {
            keep_sign_files(&path, &to)?;
        } else if child.file_name().as_bytes().starts_with(b"priv_validator") {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(kept);
            made.map_err(|e| RunError::place("create", kept, e))?;
            fs::rename(&path, &to).map_err(|e| RunError::place("rename to", &to, e))?;
        }
    }
    Ok(())
}

/// Removes directories in which there are only directories.
fn remove_empty(dir: &Path) {
    for child in fs::read_dir(dir).into_iter().flatten().flatten() {
        if child.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty(&child.path());
        }
    }
    // Fails where something is left in it.
    let _ = fs::remove_dir(dir);
}

fn private_dir(path: &Path) -> Result<(), RunError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other.map_err(|e| RunError::place("create", path, e)),
    }
}

/// Has everything that was written to the file system of `dir` on disk: one call instead of one for each of a million files.
pub(super) fn sync(dir: &Path) -> Result<(), RunError> {
    let open = File::open(dir).map_err(|e| RunError::place("open", dir, e))?;
    rustix::fs::syncfs(&open).map_err(|errno| RunError::place("sync the file system of", dir, errno.into()))
}
