//! From captured files to the words of a manifest.

use std::{os::unix::ffi::OsStrExt, path::Path, sync::Arc};

use loom_repository::{
    DefinitionFile, Draft, EntryRecord, Facts, FileEntry, FileKind, FileToStore, NodeBinary, ServiceRecord,
};
use loom_service::ServiceController;
use loom_snapshot::{Item, ItemKind, Snapshot, Source};

use super::{BackupPlan, BackupRequest, pause::Paused};
use crate::{RunError, Service, owners::Owners};

/// The entries that are taken, as the snapshot wants them; the manifest lists them in the same order.
pub(super) fn sources(plan: &BackupPlan) -> Vec<Source> {
    let source = |entry: &loom_node::Entry| Source { path: entry.path.clone(), follow: entry.follow };
    taken(plan).map(source).collect()
}

fn taken(plan: &BackupPlan) -> impl Iterator<Item = &loom_node::Entry> {
    plan.layout.entries.iter().filter(|entry| plan.classes.contains(entry.class))
}

/// The captured files, ready to be stored.
pub(super) fn files(plan: &BackupPlan, snapshot: &Snapshot, owners: &Owners) -> Vec<FileToStore> {
    let classes: Vec<Arc<str>> = taken(plan).map(|entry| entry.class.to_string().into()).collect();
    let record = |item: &Item| {
        let image = match &item.kind {
            ItemKind::File { image, .. } => Some(image.clone()),
            ItemKind::Directory | ItemKind::Symlink { .. } => None,
        };
        FileToStore {
            entry: file_entry(
                item,
                item.source.map_or_else(|| "container".into(), |source| Arc::clone(&classes[source])),
                owners,
            ),
            image,
        }
    };
    snapshot.items().iter().map(record).collect()
}

fn file_entry(item: &Item, class: Arc<str>, owners: &Owners) -> FileEntry {
    let (seconds, nanoseconds) = item.modified;
    FileEntry {
        path: item.path.as_os_str().as_bytes().into(),
        kind: match &item.kind {
            ItemKind::File { size, .. } => FileKind::File { size: *size, segments: Box::default() },
            ItemKind::Directory => FileKind::Directory,
            ItemKind::Symlink { target } => {
                FileKind::Symlink { target: target.as_os_str().as_bytes().into() }
            }
        },
        class,
        mode: item.mode,
        owner: owners.named(item.uid, item.gid),
        modified_ns: i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds),
    }
}

/// What the manifest says besides the files.
pub(super) fn draft(
    request: &BackupRequest,
    plan: &BackupPlan,
    paused: &Paused,
    facts: Facts,
) -> Result<Draft, RunError> {
    let owners = Owners::default();
    let container = |path: &Path| -> Result<FileEntry, RunError> {
        let item = loom_snapshot::container(&request.home, path)?;
        let mut entry = file_entry(&item, "container".into(), &owners);
        if path == Path::new(".") {
            // The home itself: a manifest spells it as the empty path.
            entry.path = Box::default();
        }
        Ok(entry)
    };
    let record = |entry: &loom_node::Entry| {
        let mut record = EntryRecord::new(entry.path.as_os_str().as_bytes(), &entry.class.to_string());
        record.followed =
            entry.follow.then(|| std::fs::read_link(request.home.join(&entry.path)).ok()).flatten();
        record.unclassified = entry.unclassified;
        record
    };
    let entries = taken(plan).map(record);
    // An entry of which everything was left out (a socket, say) is none.
    let captured = |entry: &EntryRecord| {
        let path = entry.path().unwrap_or_default();
        paused.snapshot.items().iter().any(|item| item.path.as_os_str().as_bytes() == path)
    };
    Ok(Draft {
        facts,
        service: service(request, plan)?,
        containers: plan.layout.containers.iter().map(|path| container(path)).collect::<Result<_, _>>()?,
        entries: entries.filter(captured).collect(),
    })
}

/// The service's definition, its peers and the program it runs.
fn service(request: &BackupRequest, plan: &BackupPlan) -> Result<Option<ServiceRecord>, RunError> {
    let Service::Systemd(systemd) = &request.service else { return Ok(None) };
    let files = systemd.definition()?;
    let definition = files.iter().map(|file| DefinitionFile::new(file.path.clone(), &file.bytes)).collect();
    let executable = plan.service.as_ref().and_then(|status| status.main_executable.clone());
    let binary = executable.and_then(|path| match loom_node::binary::identify(&path) {
        Ok(binary) => Some(NodeBinary { path: binary.path, size: binary.size, blake3: binary.blake3 }),
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "the node's program is not recorded");
            None
        }
    });
    let unit = systemd.unit().map(ToString::to_string).unwrap_or_default();
    let peers = peers(&files);
    Ok(Some(ServiceRecord { unit, definition, peers, binary }))
}

/// The peers in a definition by the flag that names them; none where it cannot be read as one.
fn peers(files: &[loom_service::DefinitionFile]) -> Vec<(String, Vec<String>)> {
    let texts: Vec<(&Path, String)> = files
        .iter()
        .map(|file| (file.path.as_path(), String::from_utf8_lossy(&file.bytes).into_owned()))
        .collect();
    let mut texts = texts.iter().map(|(path, text)| (*path, text.as_str()));
    let Some((path, unit)) = texts.next() else { return Vec::new() };
    let flags =
        loom_unit::Definition::new(path, unit, texts).node().map(|node| node.flags).unwrap_or_default();
    flags.into_iter().map(|f| (f.flag, f.peers.iter().map(ToString::to_string).collect())).collect()
}
