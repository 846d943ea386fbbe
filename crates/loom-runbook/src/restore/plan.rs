//! What a restore would do: which backup, which entries, what is in the way, what it needs.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use loom_node::{Class, ClassSet, Layout, LayoutKind, LayoutOptions, examine};
use loom_repository::{Backup, FileEntry, Manifest, NodeName, Repository};
use loom_service::ServiceController;
use serde::Serialize;

use super::{RestoreRequest, SignStatePolicy, Which, sign};
use crate::{RunError, Service, backup::ReportedBackup};

/// What a restore would do; making one changes nothing. Its JSON is documented in `docs/json.md`.
#[derive(Debug, Clone, Serialize)]
pub struct RestorePlan {
    /// The version of this shape: 1.
    pub version: u32,
    /// The backup.
    pub backup: ReportedBackup,
    /// Where it comes from.
    pub repository: String,
    /// Where it goes.
    pub home: PathBuf,
    /// The classes that are restored.
    pub classes: ClassSet,
    /// What is done with each entry.
    pub entries: Vec<PlannedRestore>,
    /// Files to restore.
    pub files: u64,
    /// Bytes of them: to download, and to have room for.
    pub bytes: u64,
    /// Bytes free where the home is.
    pub available_bytes: u64,
    /// The service that is stopped before and started after the swap.
    pub service: Option<String>,
    /// What will happen to the sign state, where signing files are restored.
    pub sign_state: Option<String>,
    /// What whoever reads this should know.
    pub warnings: Vec<String>,
    /// Whose backup it is.
    #[serde(skip)]
    pub node: NodeName,
    #[serde(skip)]
    pub(super) manifest: Box<Manifest>,
    /// The signing files that are in the home now, whatever the backup has.
    #[serde(skip)]
    pub(super) signing_here: Vec<PathBuf>,
    /// The LOCK files of the databases that are in the home now.
    #[serde(skip)]
    locks_here: Vec<PathBuf>,
}

/// What is done with one entry of the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedRestore {
    /// Its path relative to the home, for people.
    pub path: String,
    /// Its class.
    pub class: Class,
    /// What is done.
    pub action: Action,
    #[serde(skip)]
    pub(super) name: PathBuf,
}

/// What is done with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing is there: the backup's entry is put there.
    Create,
    /// What is there is moved aside and the backup's entry put in its place.
    Replace,
    /// What is there is not in the backup and does not go with it: it is moved aside.
    Remove,
}

/// Room to leave on the home's file system beyond the restored bytes: 64 MiB.
const ROOM_LEFT: u64 = 64 << 20;

/// Finds the backup and decides what to do with each entry.
///
/// # Errors
/// No such backup, a damaged or incomplete one (presence and size of every pack are checked), classes that it does not have.
pub async fn plan(request: &RestoreRequest) -> Result<RestorePlan, RunError> {
    let repository = Repository::open(request.storage.clone()).await?;
    let asked: Vec<Class> = request.classes.into_iter().flat_map(ClassSet::iter).collect();
    let backup = find_backup(&repository, request.node.as_ref(), &request.which, &asked).await?;
    let node = backup.node.clone();
    let manifest = repository.manifest(&node, &backup.id).await?;
    repository.check_presence(&node, &manifest).await?;

    right_to_start(request).await?;
    let target = Target::look(&request.home, &manifest);
    let classes = classes(request, &manifest, &target)?;
    let entries = entries(&manifest, classes, &target, &request.home)?;
    let mut plan = RestorePlan {
        version: 1,
        backup: ReportedBackup::new(node.clone(), backup.id, manifest.facts.clone()),
        repository: request.storage.url().to_string(),
        home: request.home.clone(),
        classes,
        entries,
        files: 0,
        bytes: 0,
        available_bytes: available(&request.home)?,
        service: match &request.service {
            Service::Systemd(_) => request.service.controller().unit().map(ToString::to_string),
            Service::None => None,
        },
        sign_state: None,
        warnings: Vec::new(),
        node,
        manifest: Box::new(manifest),
        signing_here: target.paths(Class::Signing),
        locks_here: target.locks(&request.home)?,
    };
    let wanted = plan.wanted();
    plan.files =
        wanted.iter().filter(|file| matches!(file.kind, loom_repository::FileKind::File { .. })).count()
            as u64;
    plan.bytes = wanted.iter().map(FileEntry::size).sum();
    plan.sign_state = sign::foresee(request, &plan)?;
    plan.warnings = warnings(&plan);
    Ok(plan)
}

/// Before hours of download: a service that could be stopped and not started again would leave the node down.
async fn right_to_start(request: &RestoreRequest) -> Result<(), RunError> {
    let Service::Systemd(systemd) = &request.service else { return Ok(()) };
    let systemd = std::sync::Arc::clone(systemd);
    crate::backup::blocking(move || {
        systemd.plan_stop()?;
        Ok(systemd.can_control()?)
    })
    .await
}

async fn which_node(repository: &Repository, asked: Option<&NodeName>) -> Result<NodeName, RunError> {
    if let Some(node) = asked {
        return Ok(node.clone());
    }
    let mut nodes = repository.nodes().await?;
    match nodes.len() {
        1 => Ok(nodes.remove(0)),
        _ => Err(RunError::WhichNode {
            url: repository.storage().url().to_string(),
            nodes: nodes.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// The backup that is meant: of the node named, or of the only one there; by its id, or the latest with these classes.
///
/// # Errors
/// [`RunError::WhichNode`]; no such backup; a damaged summary among those that might be the latest.
pub async fn find_backup(
    repository: &Repository,
    node: Option<&NodeName>,
    which: &Which,
    classes: &[Class],
) -> Result<Backup, RunError> {
    let node = which_node(repository, node).await?;
    match which {
        Which::Id(id) => Ok(Backup { node, id: id.clone() }),
        Which::Latest => {
            let classes: Vec<String> = classes.iter().map(ToString::to_string).collect();
            let classes: Vec<&str> = classes.iter().map(String::as_str).collect();
            Ok(repository.latest(&node, &classes).await?.0)
        }
    }
}

/// What is in the home now.
struct Target {
    layout: Option<Layout>,
}

impl Target {
    fn look(home: &Path, manifest: &Manifest) -> Self {
        // A home that is empty or absent has nothing to look at; a layout of a later version is told by its entries alone.
        let kind: Option<LayoutKind> = manifest.facts.layout.parse().ok();
        let there = home.read_dir().is_ok_and(|mut names| names.next().is_some());
        let options = LayoutOptions { kind, strict: false, ..LayoutOptions::default() };
        let layout = if there && kind.is_some() {
            // A home whose configuration is broken is what one restores; its entries are then told by the manifest alone.
            let examined = examine(home, &options);
            examined.inspect_err(|error| tracing::warn!(%error, "the home is not understood")).ok()
        } else {
            None
        };
        Self { layout }
    }

    /// The entries of a class, as paths relative to the home.
    fn paths(&self, class: Class) -> Vec<PathBuf> {
        let entries = self.layout.iter().flat_map(|layout| &layout.entries);
        entries.filter(|entry| entry.class == class).map(|entry| entry.path.clone()).collect()
    }

    fn locks(&self, home: &Path) -> Result<Vec<PathBuf>, RunError> {
        Ok(self.layout.as_ref().map(|layout| layout.lock_files(home)).transpose()?.unwrap_or_default())
    }

    fn has(&self, class: Class) -> bool {
        self.layout.iter().flat_map(|layout| &layout.entries).any(|entry| entry.class == class)
    }
}

fn classes(request: &RestoreRequest, manifest: &Manifest, target: &Target) -> Result<ClassSet, RunError> {
    let in_backup = |class: Class| manifest.entries.iter().any(|entry| entry.class == class.to_string());
    if let Some(asked) = &request.classes {
        if let Some(class) = asked.iter().find(|class| !in_backup(*class)) {
            let backup = manifest.facts.classes.join(", ");
            let class = format!("{class} (it has {backup})");
            return Err(RunError::ClassNotInBackup { backup: manifest.created.to_string(), class });
        }
        return Ok(*asked);
    }
    let mut classes = vec![Class::Data, Class::Config];
    // A node key that is there stays: another one would be another node to its peers.
    if !target.has(Class::Identity) {
        classes.push(Class::Identity);
    }
    Ok(classes.into_iter().filter(|class| in_backup(*class)).collect())
}

fn entries(
    manifest: &Manifest,
    classes: ClassSet,
    target: &Target,
    home: &Path,
) -> Result<Vec<PlannedRestore>, RunError> {
    let unusable = |what: String| RunError::Unusable { backup: manifest.created.to_string(), what };
    let mut entries = Vec::new();
    for entry in &manifest.entries {
        let name = PathBuf::from(OsString::from_vec(entry.path().map_err(|e| unusable(e.to_owned()))?));
        let class: Class = entry.class.parse().map_err(|e: loom_node::NodeError| unusable(e.to_string()))?;
        if classes.contains(class) {
            let there = home.join(&name).symlink_metadata().is_ok();
            let action = if there { Action::Replace } else { Action::Create };
            entries.push(PlannedRestore { path: name.to_string_lossy().into_owned(), class, action, name });
        }
    }
    // A store that is here and not in the backup is of another state of the chain: left in place it would be opened with the rest.
    let restored: BTreeSet<PathBuf> = entries.iter().map(|entry| entry.name.clone()).collect();
    if classes.contains(Class::Data) {
        let here = target.layout.iter().flat_map(|layout| &layout.entries);
        let chain_state = |entry: &loom_node::Entry| entry.store || entry.path.ends_with("cs.wal");
        let stale = |entry: &&loom_node::Entry| entry.class == Class::Data && chain_state(entry);
        for entry in here.filter(stale).filter(|entry| !restored.contains(&entry.path)) {
            let (path, name) = (entry.path.to_string_lossy().into_owned(), entry.path.clone());
            entries.push(PlannedRestore { path, class: Class::Data, action: Action::Remove, name });
        }
    }
    Ok(entries)
}

/// Bytes free where the home is, or will be.
fn available(home: &Path) -> Result<u64, RunError> {
    let existing = home.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(existing);
    let stat = stat.map_err(|errno| RunError::Home { path: existing.to_owned(), source: errno.into() })?;
    Ok(stat.f_bavail * stat.f_frsize)
}

fn warnings(plan: &RestorePlan) -> Vec<String> {
    let mut warnings = Vec::new();
    let facts = &plan.manifest.facts;
    if facts.proof == loom_repository::Proof::Hot {
        warnings.push("this backup was copied from a running node and is probably not restorable".to_owned());
    }
    if facts.clean_stop == Some(false) {
        warnings.push("the node did not stop cleanly for this backup".to_owned());
    }
    for entry in &plan.manifest.entries {
        if let (Some(target), Ok(path)) = (&entry.followed, entry.path()) {
            warnings.push(format!(
                "{} was a symlink to {}; it is restored as a directory in the home",
                String::from_utf8_lossy(&path),
                target.display()
            ));
        }
    }
    warnings
}

impl RestorePlan {
    /// Refuses what needs a word from the operator that was not given.
    ///
    /// # Errors
    /// [`RunError::EntriesExist`], [`RunError::SignStateUnknown`], [`RunError::NoRoom`].
    pub fn refuse_what_must_not_be(&self, request: &RestoreRequest) -> Result<(), RunError> {
        let in_the_way = self.entries.iter().filter(|entry| entry.action != Action::Create);
        let entries: Vec<String> = in_the_way.map(|entry| entry.path.clone()).collect();
        if !entries.is_empty() && !request.replace {
            return Err(RunError::EntriesExist { home: request.home.clone(), entries });
        }
        let needed = self.bytes + ROOM_LEFT;
        if needed > self.available_bytes {
            let (path, available) = (request.home.clone(), self.available_bytes);
            return Err(RunError::NoRoom { path, needed, available });
        }
        if request.sign_state == SignStatePolicy::Refuse {
            sign::refuse_unknown(request, self)?;
        }
        Ok(())
    }

    /// The files, directories and symbolic links to restore, parents first.
    pub(super) fn wanted(&self) -> Vec<FileEntry> {
        let names: BTreeSet<&Path> = self.restored().map(|entry| entry.name.as_path()).collect();
        let wanted = |file: &&FileEntry| {
            let path = path_of(file);
            path.ancestors().any(|ancestor| names.contains(ancestor))
        };
        self.manifest.files.iter().filter(wanted).cloned().collect()
    }

    /// The entries that come from the backup.
    pub(super) fn restored(&self) -> impl Iterator<Item = &PlannedRestore> {
        self.entries.iter().filter(|entry| entry.action != Action::Remove)
    }

    /// The recorded attributes of a directory that entries stand in.
    pub(super) fn container(&self, path: &[u8]) -> Option<&FileEntry> {
        self.manifest.containers.iter().find(|container| *container.path == *path)
    }

    /// The LOCK files of every database that is here: while they are held, no node runs on any part of this home.
    pub(super) fn locks(&self, home: &Path) -> Vec<PathBuf> {
        let in_the_way = self.entries.iter().filter(|entry| entry.action != Action::Create);
        let lock = |entry: &PlannedRestore| home.join(&entry.name).join("LOCK");
        let mut locks: Vec<PathBuf> = in_the_way.map(lock).filter(|path| path.is_file()).collect();
        locks.extend(self.locks_here.iter().filter(|path| path.is_file()).cloned());
        locks.sort_unstable();
        locks.dedup();
        locks
    }
}

/// The path of a file of a manifest.
pub(super) fn path_of(file: &FileEntry) -> PathBuf {
    PathBuf::from(OsString::from_vec(file.path.to_vec()))
}
