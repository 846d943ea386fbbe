//! Where things are: the keys of a repository (docs/format.md, "Keys").

use loom_archive::PackId;
use loom_storage::Key;

use crate::{BackupId, NodeName};

pub(crate) const MARKER: &str = "loom-repository.json";
const MANIFEST: &str = ".manifest.zst";
const SUMMARY: &str = ".summary.zst";

fn key(text: &str) -> Key {
    text.parse().expect("names of nodes, backups and packs have no character that a key may not have")
}

pub(crate) fn marker() -> Key {
    key(MARKER)
}

pub(crate) fn backups(node: &NodeName) -> Key {
    key(&format!("{node}/backups"))
}

pub(crate) fn manifest(node: &NodeName, id: &BackupId) -> Key {
    key(&format!("{node}/backups/{id}{MANIFEST}"))
}

pub(crate) fn summary(node: &NodeName, id: &BackupId) -> Key {
    key(&format!("{node}/backups/{id}{SUMMARY}"))
}

pub(crate) fn packs(node: &NodeName) -> Key {
    key(&format!("{node}/packs"))
}

pub(crate) fn pack(node: &NodeName, id: &PackId) -> Key {
    let id = id.to_string();
    key(&format!("{node}/packs/{}/{id}.tar.zst", &id[..2]))
}

/// The object with which a store is probed.
pub(crate) fn probe(node: &NodeName, name: &str) -> Key {
    key(&format!("{node}/{name}"))
}

/// Marks of packs that are not to be relied on: found damaged, or on their way out.
pub(crate) fn marks(node: &NodeName) -> [Key; 2] {
    [key(&format!("{node}/damaged")), key(&format!("{node}/prune"))]
}

/// The backup whose manifest has this key.
pub(crate) fn backup_of(key: &Key) -> Option<BackupId> {
    last(key).strip_suffix(MANIFEST)?.parse().ok()
}

/// The pack that has this key.
pub(crate) fn pack_of(key: &Key) -> Option<PackId> {
    last(key).strip_suffix(".tar.zst")?.parse().ok()
}

/// The pack that a mark with this key is about.
pub(crate) fn marked_pack(key: &Key) -> Option<PackId> {
    last(key).parse().ok()
}

fn last(key: &Key) -> &str {
    key.as_str().rsplit('/').next().unwrap_or_default()
}
