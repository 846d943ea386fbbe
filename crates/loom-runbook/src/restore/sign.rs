//! What a validator has signed is never rolled back: the state that is put in place is the highest that is known.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use loom_node::{Class, SignFile, SignState};

use super::{
    RestoreRequest, SignStatePolicy,
    plan::RestorePlan,
    stage::{RESTORES, Stage},
};
use crate::RunError;

/// The files of class signing that come with the backup, by name.
fn restored(plan: &RestorePlan) -> impl Iterator<Item = &Path> {
    plan.restored().filter(|entry| entry.class == Class::Signing).map(|entry| entry.name.as_path())
}

/// What the home knows of what was signed here.
#[derive(Debug, Default)]
struct Known {
    /// The highest state of the home as it is, and where it stands.
    home: Option<(SignState, PathBuf)>,
    /// The addresses of the keys in the home as it is.
    addresses: Vec<String>,
    /// The highest state of the home and of what earlier restores moved aside. It can only raise what is put in place.
    highest: Option<(SignState, PathBuf)>,
}

impl Known {
    /// Looks at the signing files of the home, and at those that earlier restores moved aside.
    fn look(home: &Path, plan: &RestorePlan) -> Result<Self, RunError> {
        let mut known = Self::default();
        // Those that come, and those that are here under other names.
        let names: BTreeSet<&Path> =
            restored(plan).chain(plan.signing_here.iter().map(PathBuf::as_path)).collect();
        for name in &names {
            let path = home.join(name);
            let Some(file) = read(&path)? else { continue };
            known.addresses.extend(file.address());
            raise(&mut known.home, &file, &path);
            raise(&mut known.highest, &file, &path);
        }
        for dir in fs::read_dir(home.join(RESTORES)).into_iter().flatten().flatten() {
            for (kept, name) in
                ["previous", "undone"].iter().flat_map(|kept| names.iter().map(move |n| (kept, n)))
            {
                let path = dir.path().join(kept).join(name);
                if let Some(file) = read(&path)? {
                    raise(&mut known.highest, &file, &path);
                }
            }
        }
        Ok(known)
    }

    /// Whether the state here is that of the key in the backup, as far as the addresses tell.
    fn is_of(&self, address: Option<&String>) -> bool {
        self.home.is_some() && address.is_some_and(|address| self.addresses.contains(address))
    }
}

fn raise(highest: &mut Option<(SignState, PathBuf)>, file: &SignFile, path: &Path) {
    if let Some(state) = file.state()
        && highest.as_ref().is_none_or(|(known, _)| state > *known)
    {
        *highest = Some((state, path.to_owned()));
    }
}

fn read(path: &Path) -> Result<Option<SignFile>, RunError> {
    match fs::read(path) {
        Ok(bytes) => {
            let parsed = SignFile::parse(&bytes);
            let wrong =
                |source| loom_node::NodeError::KeyFile { path: path.to_owned(), source: Box::new(source) };
            Ok(Some(parsed.map_err(wrong)?))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RunError::place("read", path, source)),
    }
}

/// Refuses a key for which this home has no sign state, when nobody has said what to assume.
///
/// Before anything is fetched the backup's key cannot be compared: a home without any sign state is refused here, one with another
/// key's in [`settle`].
pub(super) fn refuse_unknown(request: &RestoreRequest, plan: &RestorePlan) -> Result<(), RunError> {
    let Some(file) = restored(plan).next() else { return Ok(()) };
    match Known::look(&request.home, plan)?.home {
        Some(_) => Ok(()),
        None => Err(RunError::SignStateUnknown { file: request.home.join(file) }),
    }
}

/// What will be done about the sign state, in words for the plan.
pub(super) fn foresee(request: &RestoreRequest, plan: &RestorePlan) -> Result<Option<String>, RunError> {
    if restored(plan).next().is_none() {
        return Ok(None);
    }
    let here = match Known::look(&request.home, plan)?.home {
        Some((state, _)) => format!("this home has signed up to height {}", state.height),
        None => "this home has no sign state".to_owned(),
    };
    let rule = match request.sign_state {
        SignStatePolicy::Refuse => "the higher of it and the backup's is kept",
        SignStatePolicy::FromBackup => {
            "the higher of it and the backup's is kept, and nothing else is assumed to be signed"
        }
        SignStatePolicy::MinHeight(height) => {
            return Ok(Some(format!("{here}; the highest of it, the backup's and {height} is kept")));
        }
    };
    Ok(Some(format!("{here}; {rule}")))
}

/// Raises the staged sign state to the highest that is known. The node is stopped. Says what it did.
pub(super) fn settle(
    request: &RestoreRequest,
    plan: &RestorePlan,
    stage: &Stage,
) -> Result<Option<String>, RunError> {
    let staged: Vec<PathBuf> = restored(plan).map(|name| stage.staged().join(name)).collect();
    let mut files = Vec::new();
    for path in &staged {
        if let Some(file) = read(path)? {
            files.push((path, file));
        }
    }
    if files.is_empty() {
        return Ok(None);
    }
    let known = Known::look(&request.home, plan)?;
    let address = files.iter().find_map(|(_, file)| file.address());
    if request.sign_state == SignStatePolicy::Refuse && !known.is_of(address.as_ref()) {
        let file = known.home.map_or_else(|| staged[0].clone(), |(_, path)| path);
        return Err(RunError::SignStateUnknown { file });
    }
    let Some((path, from_backup)) = files.into_iter().find(|(_, file)| file.state().is_some()) else {
        // A key and no state. Fine beside a state of this very key that stays where it is and is high enough; a made-up one might
        // let the node sign twice.
        let high_enough = |state: &SignState| match request.sign_state {
            SignStatePolicy::MinHeight(height) => state.height > height,
            SignStatePolicy::FromBackup | SignStatePolicy::Refuse => true,
        };
        let stays = |path: &Path| !restored(plan).any(|name| request.home.join(name) == path);
        return match &known.home {
            Some((here, path)) if stays(path) && known.is_of(address.as_ref()) && high_enough(here) => {
                Ok(Some(format!("the sign state of this home stays as it is (height {})", here.height)))
            }
            _ => Err(RunError::SignStateUnknown { file: staged[0].clone() }),
        };
    };
    let (mut raised, mut changed) = (from_backup, false);
    let mut what = "the backup's sign state is the highest known".to_owned();
    if let Some((state, place)) = &known.highest
        && Some(*state) > raised.state()
        && let Some(here) = read(place)?
    {
        raised = raised.with_state_of(&here)?;
        changed = true;
        what = format!("the sign state of {} is higher than the backup's and is kept", place.display());
    }
    if let SignStatePolicy::MinHeight(height) = request.sign_state {
        // A node may still sign at the height of its state: one above is the first that it may.
        let first = height.saturating_add(1);
        if raised.state().is_none_or(|state| state.height < first) {
            raised = raised.with_min_height(first)?;
            changed = true;
            what = format!("nothing at or below height {height} will be signed");
        }
    }
    // What is the backup's stays the backup's to the byte, its time included.
    if changed {
        rewrite(path, &raised.to_bytes())?;
    }
    let height = raised.state().map_or(0, |state| state.height);
    Ok(Some(format!("{what} (height {height})")))
}

/// Replaces a staged file's bytes; its attributes stay.
fn rewrite(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    let write = || -> std::io::Result<()> {
        let mut file = File::options().write(true).truncate(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| RunError::place("write", path, source))
}
