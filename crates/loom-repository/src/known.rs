//! What the repository has already, and what this run is adding to it.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use loom_archive::{PackId, SegmentId};
use loom_storage::StorageError;

use crate::{FileEntry, Manifest, NodeName, Repository, RepositoryError, SegmentRef, keys};

/// The packs of a node that can be relied on, with their stored sizes: present and not marked as damaged or leaving.
pub(crate) async fn sound_packs(
    repository: &Repository,
    node: &NodeName,
) -> Result<HashMap<PackId, u64>, RepositoryError> {
    let storage = repository.storage();
    let mut marked = HashSet::new();
    for marks in keys::marks(node) {
        marked.extend(storage.list(Some(&marks)).await?.iter().filter_map(|o| keys::marked_pack(&o.key)));
    }
    let mut sound = packs(repository, node).await?;
    sound.retain(|pack, _| !marked.contains(pack));
    Ok(sound)
}

/// All packs of a node with their stored sizes, marked ones too: a mark binds who writes and not who reads.
pub(crate) async fn packs(
    repository: &Repository,
    node: &NodeName,
) -> Result<HashMap<PackId, u64>, RepositoryError> {
    let packs = repository.storage().list(Some(&keys::packs(node))).await?;
    Ok(packs.iter().filter_map(|object| Some((keys::pack_of(&object.key)?, object.size))).collect())
}

/// The newest manifest of a node that can be read. What is wrong with newer ones is said in `warnings`.
pub(crate) async fn newest_manifest(
    repository: &Repository,
    node: &NodeName,
    warnings: &mut Vec<String>,
) -> Result<Option<Manifest>, RepositoryError> {
    for backup in repository.backups(node).await?.into_iter().rev() {
        match repository.manifest(node, &backup.id).await {
            Ok(manifest) => return Ok(Some(manifest)),
            Err(error) if error.is_damage() => {
                let cause = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
                warnings.push(format!("an earlier backup cannot be used: {error}{cause}"));
            }
            // Rights to write and list without rights to read: every segment is stored anew.
            Err(RepositoryError::Storage(StorageError::Denied { .. })) => {
                warnings.push("earlier backups may not be read here: everything is stored anew".to_owned());
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Which segments there are and in which pack each is, shared by the workers of one run.
///
/// A segment of this run is in a pack whose name is known only when the pack is finished; until then it goes by the pack's
/// number.
#[derive(Debug, Default)]
pub(crate) struct Known {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    segments: HashMap<SegmentId, u32>,
    packs: Vec<Option<PackId>>,
}

/// Whether a segment needs to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is there, or another worker is adding it.
    There,
    /// The caller has to add it to its pack.
    Add,
}

impl Known {
    /// Counts the segments of an earlier backup as there, as far as their packs can be relied on.
    pub(crate) fn learn<'a>(
        &self,
        segments: impl Iterator<Item = &'a SegmentRef>,
        sound: &HashMap<PackId, u64>,
    ) {
        let mut state = self.lock();
        let mut numbers = HashMap::new();
        for segment in segments.filter(|segment| sound.contains_key(&segment.pack)) {
            let number = *numbers.entry(segment.pack).or_insert_with(|| {
                state.packs.push(Some(segment.pack));
                (state.packs.len() - 1) as u32
            });
            state.segments.insert(segment.id, number);
        }
    }

    /// A number for a pack that is being filled.
    pub(crate) fn new_pack(&self) -> u32 {
        let mut state = self.lock();
        state.packs.push(None);
        (state.packs.len() - 1) as u32
    }

    /// Says that the pack with this number has got its name.
    pub(crate) fn name_pack(&self, number: u32, pack: PackId) {
        self.lock().packs[number as usize] = Some(pack);
    }

    /// Takes it upon the caller to add the segment to the pack with this number, unless it is there.
    pub(crate) fn claim(&self, segment: SegmentId, pack: u32) -> Claim {
        match self.lock().segments.entry(segment) {
            std::collections::hash_map::Entry::Occupied(_) => Claim::There,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(pack);
                Claim::Add
            }
        }
    }

    pub(crate) fn contains(&self, segment: &SegmentId) -> bool {
        self.lock().segments.contains_key(segment)
    }

    /// The pack that a segment is in; `None` while that pack is not finished.
    pub(crate) fn pack_of(&self, segment: &SegmentId) -> Option<PackId> {
        let state = self.lock();
        state.packs[*state.segments.get(segment)? as usize]
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing is left half-done under this lock, so a panic elsewhere does not spoil what it guards.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// All segments of a manifest: its files' and its list's.
pub(crate) fn segments_of(manifest: &Manifest) -> impl Iterator<Item = &SegmentRef> {
    manifest.files.iter().flat_map(FileEntry::segments).chain(&manifest.file_list)
}
