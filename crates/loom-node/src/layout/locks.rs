//! The lock files by which databases are held open. Finds them; takes none.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Layout;
use crate::NodeError;

pub(super) fn lock_files(layout: &Layout, home: &Path) -> Result<Vec<PathBuf>, NodeError> {
    let mut found = Vec::new();
    for entry in &layout.entries {
        let path = home.join(&entry.path);
        let kind = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(NodeError::Read { path, source }),
        };
        // A symlink that is not followed leads to another entry, which is looked at itself.
        if kind.is_dir() || entry.follow {
            search(&path, entry.store, &mut found)?;
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn search(dir: &Path, store: bool, found: &mut Vec<PathBuf>) -> Result<(), NodeError> {
    let failed = |source| NodeError::Read { path: dir.to_owned(), source };
    if store || loom_leveldb::is_database(dir) {
        let lock = dir.join("LOCK");
        // Not deeper: a database may hold a hundred thousand tables and no directories.
        if lock.try_exists().map_err(failed)? {
            found.push(lock);
        }
        return Ok(());
    }
    for child in fs::read_dir(dir).map_err(failed)? {
        let child = child.map_err(failed)?;
        if child.file_type().map_err(failed)?.is_dir() {
            search(&child.path(), false, found)?;
        }
    }
    Ok(())
}
