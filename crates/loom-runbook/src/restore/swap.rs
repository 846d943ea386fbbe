//! Old entries out, new entries in: renames only, written down before the first of them and undone if one fails.

use std::{
    ffi::OsString,
    fs,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::PermissionsExt,
    },
    path::{Path, PathBuf},
};

use loom_service::StoreLocks;
use serde::{Deserialize, Serialize};

use super::{
    place,
    plan::{Action, RestorePlan},
    stage::{RESTORES, Stage, sync},
};
use crate::{RunError, owners::Numbers, state};

/// The renames of one swap in their order.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Renames(Vec<(Bytes, Bytes)>);

/// A path as bytes: names need not be text.
type Bytes = Vec<u8>;

fn bytes(path: &Path) -> Bytes {
    path.as_os_str().as_bytes().to_vec()
}

fn path(bytes: &Bytes) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.clone()))
}

/// Where the renames of the restore in this directory are written down while they are being done.
pub(super) fn journal(dir: &Path) -> PathBuf {
    dir.join("swap.json")
}

/// Puts the staged entries in place. Returns where the old ones are, if there were any.
///
/// # Errors
/// [`RunError::Place`]; every rename that was done has then been undone. [`RunError::HalfSwapped`] where that failed.
pub(super) fn swap(home: &Path, plan: &RestorePlan, stage: Stage) -> Result<Option<PathBuf>, RunError> {
    let created = containers(home, plan)?;
    let renames = renames(home, plan, &stage)?;
    let written_down = journal(&stage.dir);
    state::write_json(&written_down, &renames)?;
    let done = renames.0.iter().try_for_each(|(from, to)| rename(&path(from), &path(to)));
    if let Err(error) = done.and_then(|()| sync(home)) {
        let undone = undo(&renames).and_then(|()| sync(home)).and_then(|()| state::remove(&written_down));
        return Err(match undone {
            Ok(()) => error,
            Err(undo) => RunError::HalfSwapped { home: home.to_owned(), source: Box::new(undo) },
        });
    }
    // The new tree is in place: nothing that fails from here on makes the restore a failure.
    if let Err(error) = state::remove(&written_down) {
        tracing::warn!(%error, "the journal of the swap stays; the next restore finds it complete");
    }
    // Entering entries changed their times.
    for container in created.iter().rev() {
        if let Err(error) = place::time(&home.join(super::plan::path_of(container)), container) {
            tracing::warn!(%error, "the directory keeps the time of the restore");
        }
    }
    Ok(stage.swapped())
}

/// Creates the directories that entries stand in where they are absent. Returns those it created.
fn containers(home: &Path, plan: &RestorePlan) -> Result<Vec<loom_repository::FileEntry>, RunError> {
    let mut created = Vec::new();
    for container in &plan.manifest.containers {
        let name = super::plan::path_of(container);
        let needed = plan.restored().any(|entry| entry.name.starts_with(&name));
        let path = home.join(&name);
        if needed && !path.exists() {
            fs::create_dir(&path).map_err(|e| RunError::place("create", &path, e))?;
            place::attributes(&path, container, &mut Numbers::default())?;
            created.push(container.clone());
        }
    }
    Ok(created)
}

fn renames(home: &Path, plan: &RestorePlan, stage: &Stage) -> Result<Renames, RunError> {
    let mut renames = Renames::default();
    for entry in &plan.entries {
        let place = home.join(&entry.name);
        if entry.action != Action::Create {
            let aside = stage.previous().join(&entry.name);
            if let Some(parent) = aside.parent() {
                fs::create_dir_all(parent).map_err(|e| RunError::place("create", parent, e))?;
            }
            renames.0.push((bytes(&place), bytes(&aside)));
        }
        if entry.action != Action::Remove {
            renames.0.push((bytes(&stage.staged().join(&entry.name)), bytes(&place)));
        }
    }
    Ok(renames)
}

/// A rename that never replaces anything.
fn rename(from: &Path, to: &Path) -> Result<(), RunError> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // File systems without that flag: look first. Nobody else moves entries of a stopped node.
        Err(rustix::io::Errno::INVAL) if to.symlink_metadata().is_err() => {
            fs::rename(from, to).map_err(|e| RunError::place("rename to", to, e))
        }
        Err(rustix::io::Errno::ACCESS) if is_sealed(from) => rename_sealed(from, to),
        Err(errno) => Err(RunError::place("rename to", to, errno.into())),
    }
}

/// The right of a directory's owner to write in it.
const OWNER_WRITES: u32 = 0o200;

/// Whether this is a directory that its own owner may not write in.
fn is_sealed(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|m| m.is_dir() && m.permissions().mode() & OWNER_WRITES == 0)
}

/// Moving a directory writes its `..`: whoever is not root needs the right to write in it as long as that takes.
fn rename_sealed(from: &Path, to: &Path) -> Result<(), RunError> {
    let set_mode = |path: &Path, mode: u32| {
        let set = fs::set_permissions(path, fs::Permissions::from_mode(mode));
        set.map_err(|e| RunError::place("set the mode of", path, e))
    };
    let metadata = from.symlink_metadata().map_err(|e| RunError::place("look at", from, e))?;
    let mode = metadata.permissions().mode();
    set_mode(from, mode | OWNER_WRITES)?;
    let renamed = rename(from, to);
    set_mode(if renamed.is_ok() { to } else { from }, mode)?;
    renamed
}

/// Undoes the renames that were done, the last one first.
fn undo(renames: &Renames) -> Result<(), RunError> {
    for (from, to) in renames.0.iter().rev() {
        let (from, to) = (path(from), path(to));
        match (is_there(&from), is_there(&to)) {
            (false, true) => rename(&to, &from)?,
            // An old entry was moved aside, and somebody has made a new one in its place: which of the two is right is not for us
            // to say. (A staged entry beside an old one is a rename that was not done yet.)
            (true, true) if to.components().any(|part| part.as_os_str() == RESTORES) => {
                let both = std::io::Error::other(format!("{} is there as well", from.display()));
                return Err(RunError::place("put back", &to, both));
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Whether a restore was cut short in its swap in this home.
pub(crate) fn is_half_swapped(home: &Path) -> bool {
    let restores = fs::read_dir(home.join(RESTORES)).into_iter().flatten().flatten();
    restores.map(|dir| journal(&dir.path())).any(|journal| journal.exists())
}

/// Undoes a swap that was cut short, by the journal in its directory. Returns whether there was one.
pub(super) fn undo_unfinished(dir: &Path) -> Result<bool, RunError> {
    let written_down = journal(dir);
    let Some(renames) = state::read_json::<Renames>(&written_down)? else { return Ok(false) };
    if renames.0.iter().all(|(from, to)| !is_there(&path(from)) && is_there(&path(to))) {
        // Every rename was done and only the journal is left: the node may have run on the new tree for long.
        state::remove(&written_down)?;
        return Ok(false);
    }
    tracing::warn!(dir = %dir.display(), "an earlier restore was cut short in its swap: it is undone");
    // Whoever has opened one of the databases since is not to have it moved away under it.
    let lock = |(_, to): &(Bytes, Bytes)| path(to).join("LOCK");
    let locks: Vec<PathBuf> = renames.0.iter().map(lock).filter(|lock| lock.is_file()).collect();
    let locks = StoreLocks::take(&locks)?;
    undo(&renames)?;
    sync(dir)?;
    drop(locks);
    state::remove(&written_down)?;
    Ok(true)
}
