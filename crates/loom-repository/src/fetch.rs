//! Reading files back: pack by pack, several at a time, every byte checked.

use std::{
    collections::{BTreeMap, HashMap},
    fs::OpenOptions,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use loom_archive::{PackId, PackReader, SegmentId};
use loom_storage::StorageError;

use crate::{FileEntry, Manifest, NodeName, PackRef, Repository, RepositoryError, SegmentRef, keys, known};

/// A file to fetch and where to put it.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The file's name, for messages.
    pub name: String,
    /// The file's content.
    pub segments: Box<[SegmentRef]>,
    /// The file to write; it is created, and must not exist.
    pub path: PathBuf,
}

/// How to fetch.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// How many packs are fetched and unpacked at the same time; each takes up to 50 MiB.
    pub workers: usize,
    /// Set from outside to end the run early.
    pub cancel: Arc<AtomicBool>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self { workers: 2, cancel: Arc::default() }
    }
}

/// Where a segment goes: the number of a destination and the offset in it.
type Places = HashMap<SegmentId, Vec<(usize, u64)>>;

impl Repository {
    /// Checks that every pack of a backup is there with its size: one listing, nothing is read.
    ///
    /// # Errors
    /// [`RepositoryError::Missing`] or [`RepositoryError::Damaged`] with the first such pack and all files that need it.
    pub async fn check_presence(&self, node: &NodeName, manifest: &Manifest) -> Result<(), RepositoryError> {
        let there = known::packs(self, node).await?;
        let wrong = |pack: &&PackRef| there.get(&pack.id) != Some(&pack.size);
        let Some(pack) = manifest.packs.iter().find(wrong) else { return Ok(()) };
        let needs = |file: &&FileEntry| file.segments().iter().any(|segment| segment.pack == pack.id);
        let files = manifest.files.iter().filter(needs).map(|file| file.path_lossy().into_owned()).collect();
        let object = self.storage().address(&keys::pack(node, &pack.id));
        Err(match there.get(&pack.id) {
            None => RepositoryError::Missing { object, files },
            Some(size) => {
                let source = format!("it has {size} bytes and should have {}", pack.size);
                RepositoryError::Damaged { object, files, source: source.into() }
            }
        })
    }

    /// Fetches files of one node. `on_bytes` is told how many bytes were written since it was last called. Files without
    /// segments are created empty.
    ///
    /// # Errors
    /// [`RepositoryError::Missing`] or [`RepositoryError::Damaged`] with the pack at fault and all files that need it,
    /// [`RepositoryError::WriteFile`], [`RepositoryError::Interrupted`], the storage's. What was written by then stays.
    pub async fn fetch(
        &self,
        node: &NodeName,
        files: Vec<Destination>,
        options: &FetchOptions,
        on_bytes: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<(), RepositoryError> {
        let files = tokio::task::spawn_blocking(move || create_all(files)).await;
        let files = Arc::new(files.map_err(|source| RepositoryError::Worker { source })??);
        let on_bytes = Arc::new(on_bytes);
        let packs = futures::stream::iter(by_pack(&files)).map(|(pack, places)| {
            let (files, on_bytes, cancel) = (Arc::clone(&files), Arc::clone(&on_bytes), &options.cancel);
            async move {
                if cancel.load(Ordering::Relaxed) {
                    return Err(RepositoryError::Interrupted);
                }
                let affected = || names_of(&files, &places);
                let stored = self.pack(node, pack, affected).await?;
                let object = self.storage().address(&keys::pack(node, &pack));
                let files = Arc::clone(&files);
                let unpack = move || unpack(pack, &stored, &places, &files, &object, &*on_bytes);
                tokio::task::spawn_blocking(unpack)
                    .await
                    .map_err(|source| RepositoryError::Worker { source })?
            }
        });
        packs.buffer_unordered(options.workers.max(1)).try_collect().await
    }

    /// The stored bytes of a pack, not yet checked.
    async fn pack(
        &self,
        node: &NodeName,
        pack: PackId,
        affected: impl Fn() -> Vec<String>,
    ) -> Result<Bytes, RepositoryError> {
        let key = keys::pack(node, &pack);
        match self.storage().get(&key).await {
            Ok(stored) => Ok(stored),
            Err(StorageError::NotFound { address }) => {
                Err(RepositoryError::Missing { object: address, files: affected() })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads segments into memory, in the order asked for, handing each to `take`.
pub(crate) async fn segments(
    repository: &Repository,
    node: &NodeName,
    wanted: &[SegmentRef],
) -> Result<Vec<Vec<u8>>, RepositoryError> {
    let mut found: HashMap<SegmentId, Vec<u8>> = HashMap::new();
    let packs: std::collections::BTreeSet<PackId> = wanted.iter().map(|segment| segment.pack).collect();
    let whole_list = || vec!["all files: it holds the list of them".to_owned()];
    for pack in packs {
        let stored = repository.pack(node, pack, whole_list).await?;
        let object = repository.storage().address(&keys::pack(node, &pack));
        let damaged = |source| RepositoryError::Damaged {
            object: object.clone(),
            files: whole_list(),
            source: Box::new(source),
        };
        let mut reader = PackReader::open(&pack, &stored).map_err(damaged)?;
        while let Some(segment) = reader.next().await.map_err(damaged)? {
            if wanted.iter().any(|w| w.id == segment.id) {
                found.insert(segment.id, segment.bytes);
            }
        }
    }
    let in_order = wanted.iter().map(|segment| {
        found.get(&segment.id).cloned().ok_or_else(|| RepositoryError::Missing {
            object: format!("segment {} of the list of files", segment.id),
            files: Vec::new(),
        })
    });
    in_order.collect()
}

/// Creates every file, so that two packs with parts of one file need no agreement about who creates it.
fn create_all(files: Vec<Destination>) -> Result<Vec<Destination>, RepositoryError> {
    for file in &files {
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file.path);
        created.map_err(|source| RepositoryError::WriteFile { path: file.path.clone(), source })?;
    }
    Ok(files)
}

/// What is needed of each pack, and where each segment of it goes.
fn by_pack(files: &[Destination]) -> BTreeMap<PackId, Places> {
    let mut packs: BTreeMap<PackId, Places> = BTreeMap::new();
    for (number, file) in files.iter().enumerate() {
        let mut offset = 0;
        for segment in &file.segments {
            let places = packs.entry(segment.pack).or_default().entry(segment.id).or_default();
            places.push((number, offset));
            offset += segment.size;
        }
    }
    packs
}

fn names_of(files: &[Destination], places: &Places) -> Vec<String> {
    let mut numbers: Vec<usize> = places.values().flatten().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into_iter().map(|number| files[number].name.clone()).collect()
}

/// Checks a pack and writes its segments to where they go.
fn unpack(
    pack: PackId,
    stored: &[u8],
    places: &Places,
    files: &[Destination],
    object: &str,
    on_bytes: &impl Fn(u64),
) -> Result<(), RepositoryError> {
    let damaged = |source: Box<dyn std::error::Error + Send + Sync>| RepositoryError::Damaged {
        object: object.to_owned(),
        files: names_of(files, places),
        source,
    };
    futures::executor::block_on(async {
        let mut reader = PackReader::open(&pack, stored).map_err(|e| damaged(e.into()))?;
        let mut found = 0;
        while let Some(segment) = reader.next().await.map_err(|e| damaged(e.into()))? {
            let Some(wanted) = places.get(&segment.id) else { continue };
            found += 1;
            for (number, offset) in wanted {
                let path = &files[*number].path;
                let write =
                    || OpenOptions::new().write(true).open(path)?.write_all_at(&segment.bytes, *offset);
                write().map_err(|source| RepositoryError::WriteFile { path: path.clone(), source })?;
                on_bytes(segment.bytes.len() as u64);
            }
        }
        reader.finish().await.map_err(|e| damaged(e.into()))?;
        if found == places.len() {
            Ok(())
        } else {
            Err(damaged("a segment that should be in it is not".into()))
        }
    })
}
