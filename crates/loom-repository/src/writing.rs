//! Writing a backup: segments into packs, then the summary, then the manifest, which makes it a backup.

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use jiff::{Timestamp, ToSpan};
use loom_archive::{PACK_TARGET, PackId, SEGMENT_MAX, SegmentId, compress};
use loom_storage::{Key, StorageError};
use serde::Serialize;

use crate::{
    BackupId, EntryRecord, Facts, FileEntry, FileKind, Manifest, NodeName, PackRef, Repository,
    RepositoryError, SegmentRef, ServiceRecord, Summary, keys,
    known::{newest_manifest, segments_of, sound_packs},
    packing::Packing,
};

/// A list of files longer than this is stored as segments and not in the manifest: 4 MiB.
const LIST_MAX: usize = 4 << 20;

/// How to store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// How many threads read, hash and compress.
    pub workers: usize,
    /// How many packs are being put at the same time.
    pub uploads: usize,
    /// The zstd level. Tables are compressed already: level 1 saves 12 %, level 3 saves 13 % at half the speed.
    pub level: i32,
    /// Set from outside to end the run early.
    pub cancel: Arc<AtomicBool>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { workers: 2, uploads: 2, level: 1, cancel: Arc::default() }
    }
}

/// A file, directory or symbolic link to store.
#[derive(Debug, Clone)]
pub struct FileToStore {
    /// What it is; a file's segments are filled in here.
    pub entry: FileEntry,
    /// Where a file's bytes are to be read: exactly as many as its size.
    pub image: Option<PathBuf>,
}

/// What storing files came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes of segments that the repository did not have.
    pub new_bytes: u64,
}

/// What a backup needs to be published besides its files.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// What is said of it; `totals` is filled in here.
    pub facts: Facts,
    /// The service that ran the node.
    pub service: Option<ServiceRecord>,
    /// The directories that the entries stand in, parents first.
    pub containers: Vec<FileEntry>,
    /// The entries.
    pub entries: Vec<EntryRecord>,
}

/// A backup that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Its name.
    pub id: BackupId,
    /// What is said of it, totals included.
    pub facts: Facts,
}

/// A backup being written. Until [`Writing::publish`] it does not exist, and what was stored for it serves the next one.
#[must_use = "a backup exists only once it is published"]
pub struct Writing {
    repository: Repository,
    node: NodeName,
    options: StoreOptions,
    packing: Arc<Packing>,
    /// The packs that were there at the beginning, with their sizes, and those stored since.
    sizes: HashMap<PackId, u64>,
    new_packs: Vec<PackRef>,
    files: Vec<FileEntry>,
    warnings: Vec<String>,
}

impl Writing {
    pub(crate) async fn begin(
        repository: Repository,
        node: NodeName,
        options: StoreOptions,
    ) -> Result<Self, RepositoryError> {
        let mut warnings = Vec::new();
        let sizes = sound_packs(&repository, &node).await?;
        let packing =
            Arc::new(Packing::new(repository.clone(), node.clone(), options.level, options.uploads));
        if let Some(newest) = newest_manifest(&repository, &node, &mut warnings).await? {
            // A pack whose size is no longer the one it had is cut or replaced: its segments are stored anew.
            let whole = newest.packs.iter().filter(|pack| sizes.get(&pack.id) == Some(&pack.size));
            let whole = whole.map(|pack| (pack.id, pack.size)).collect();
            packing.known.learn(segments_of(&newest), &whole);
        }
        let (new_packs, files) = (Vec::new(), Vec::new());
        Ok(Self { repository, node, options, packing, sizes, new_packs, files, warnings })
    }

    /// What was found wrong with earlier backups.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Stores what the repository does not have of these files, parents before children. `on_bytes` is told how many bytes
    /// were dealt with since it was last called.
    ///
    /// # Errors
    /// [`RepositoryError::ReadFile`] for a file that cannot be read or does not have its size, [`RepositoryError::Interrupted`],
    /// the storage's.
    pub async fn store(
        &mut self,
        files: Vec<FileToStore>,
        on_bytes: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Stored, RepositoryError> {
        let new_before = self.packing.new_bytes.load(Ordering::Relaxed);
        let work = Work {
            files,
            next: Mutex::default(),
            failed: AtomicBool::new(false),
            cancel: Arc::clone(&self.options.cancel),
            on_bytes,
        };
        let (files, outcome) = self.run_workers(work).await?;
        let new_packs = self.packing.flush().await;
        let named = outcome?;
        self.note_packs(new_packs?);
        let bytes = files.iter().map(|file| file.entry.size()).sum();
        self.files.extend(name_segments(files, named, &self.packing));
        let new_bytes = self.packing.new_bytes.load(Ordering::Relaxed) - new_before;
        Ok(Stored { bytes, new_bytes })
    }

    /// Reads, names and packs on threads of their own. Gives the files back, with the names of their segments or the first error.
    async fn run_workers<F: Fn(u64) + Send + Sync + 'static>(
        &self,
        work: Work<F>,
    ) -> Result<(Vec<FileToStore>, Result<Vec<Named>, RepositoryError>), RepositoryError> {
        // A worker fills a pack of its own: as many as there may be packs to fill, so that little is stored as one pack.
        let total: u64 = work.files.iter().map(|file| file.entry.size()).sum();
        let most = usize::try_from(total.div_ceil(PACK_TARGET)).unwrap_or(usize::MAX);
        let work = Arc::new(work);
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..self.options.workers.min(most).max(1) {
            let (work, packing) = (Arc::clone(&work), Arc::clone(&self.packing));
            workers.spawn_blocking(move || work.run(&packing));
        }
        let mut outcome = Ok(Vec::new());
        while let Some(worker) = workers.join_next().await {
            match (worker.map_err(|source| RepositoryError::Worker { source })?, &mut outcome) {
                (Ok(named), Ok(all)) => all.extend(named),
                (Err(error), Ok(_)) => outcome = Err(error),
                (_, Err(_)) => {}
            }
        }
        let work = Arc::into_inner(work).expect("every worker has ended and given its share back");
        Ok((work.files, outcome))
    }

    fn note_packs(&mut self, new: Vec<PackRef>) {
        self.sizes.extend(new.iter().map(|pack| (pack.id, pack.size)));
        self.new_packs.extend(new);
    }

    /// Makes the stored files a backup.
    ///
    /// # Errors
    /// [`RepositoryError::Overtaken`] when something it refers to went away meanwhile; the storage's. The backup then does
    /// not exist.
    pub async fn publish(mut self, draft: Draft) -> Result<Published, RepositoryError> {
        let (files, file_list) = self.split_list().await?;
        let packs = self.referenced(&file_list)?;
        let mut facts = draft.facts;
        facts.totals = self.totals();
        let created = self.name_time().await?;
        let summary = Summary {
            format: 1,
            repository: self.repository.id().clone(),
            node: self.node.clone(),
            created,
            facts: facts.clone(),
            packs: packs.clone(),
        };
        let summary = encode(&summary).await?;
        let manifest = Manifest {
            format: 1,
            repository: self.repository.id().clone(),
            node: self.node.clone(),
            created,
            facts: facts.clone(),
            summary: blake3::hash(&summary).to_string(),
            service: draft.service,
            packs,
            containers: draft.containers,
            entries: draft.entries,
            files,
            file_list,
        };
        let stored = encode(&manifest).await?;
        let id = BackupId::of(created, facts.heights.best(), &stored);

        self.check_still_there(&manifest.packs).await?;
        self.put_once(&keys::summary(&self.node, &id), summary).await?;
        if self.options.cancel.load(Ordering::Relaxed) {
            return Err(RepositoryError::Interrupted);
        }
        self.put_once(&keys::manifest(&self.node, &id), stored).await?;
        Ok(Published { id, facts })
    }

    /// The list of files for the manifest, or, where it is long, the segments it is stored as.
    async fn split_list(&mut self) -> Result<(Vec<FileEntry>, Vec<SegmentRef>), RepositoryError> {
        // Twice through the list, so that never more than one piece of its JSON is in memory.
        let mut len = 0;
        for_each_piece(&self.files, |piece| {
            len += piece.len();
            Ok(())
        })?;
        if len <= LIST_MAX {
            return Ok((self.files.clone(), Vec::new()));
        }
        let (packing, files) = (Arc::clone(&self.packing), std::mem::take(&mut self.files));
        let add = move || {
            let mut named = Vec::new();
            let added = for_each_piece(&files, |piece| {
                named.push((packing.add(piece)?, piece.len() as u64));
                Ok(())
            });
            (files, added.map(|()| named))
        };
        let added = tokio::task::spawn_blocking(add).await;
        let (files, named) = added.map_err(|source| RepositoryError::Worker { source })?;
        self.files = files;
        let named = named?;
        let new = self.packing.flush().await?;
        self.note_packs(new);
        let list =
            named.into_iter().map(|(id, size)| SegmentRef { id, size, pack: pack_of(&self.packing, id) });
        Ok((Vec::new(), list.collect()))
    }

    /// Every pack that the files and the list refer to.
    fn referenced(&self, list: &[SegmentRef]) -> Result<Vec<PackRef>, RepositoryError> {
        let segments = self.files.iter().flat_map(FileEntry::segments).chain(list);
        let ids: BTreeSet<PackId> = segments.map(|segment| segment.pack).collect();
        let with_size = |id: PackId| match self.sizes.get(&id) {
            Some(size) => Ok(PackRef { id, size: *size }),
            None => Err(self.overtaken(&id, "was never stored")),
        };
        ids.into_iter().map(with_size).collect()
    }

    fn totals(&self) -> crate::Totals {
        let mut totals = crate::Totals {
            new_bytes: self.packing.new_bytes.load(Ordering::Relaxed),
            stored_bytes: self.new_packs.iter().map(|pack| pack.size).sum(),
            new_packs: self.new_packs.len() as u64,
            ..Default::default()
        };
        for file in &self.files {
            match file.kind {
                FileKind::File { size, .. } => {
                    totals.files += 1;
                    totals.bytes += size;
                }
                FileKind::Directory => totals.directories += 1,
                FileKind::Symlink { .. } => totals.symlinks += 1,
            }
        }
        totals
    }

    /// Now, or a second after the newest backup where the clock is behind it: names sort by time.
    async fn name_time(&self) -> Result<Timestamp, RepositoryError> {
        let now = Timestamp::from_second(Timestamp::now().as_second()).expect("now is a time");
        let newest = self.repository.backups(&self.node).await?.pop();
        Ok(newest.map_or(now, |newest| now.max(newest.id.created + 1.second())))
    }

    /// Lists once more: what this backup refers to must be there, whole, and not marked.
    async fn check_still_there(&self, packs: &[PackRef]) -> Result<(), RepositoryError> {
        self.repository.check_marker().await?;
        let there = sound_packs(&self.repository, &self.node).await?;
        for pack in packs {
            match there.get(&pack.id) {
                Some(size) if *size == pack.size => {}
                Some(_) => return Err(self.overtaken(&pack.id, "changed its size")),
                None => return Err(self.overtaken(&pack.id, "is gone or marked")),
            }
        }
        Ok(())
    }

    fn overtaken(&self, pack: &PackId, what: &'static str) -> RepositoryError {
        let object = self.repository.storage().address(&keys::pack(&self.node, pack));
        RepositoryError::Overtaken { object, what }
    }

    /// Puts an object whose name holds the hash that makes it unique: one that is there already is the same one.
    async fn put_once(&self, key: &Key, object: Bytes) -> Result<(), RepositoryError> {
        match self.repository.storage().put_new(key, object).await {
            Ok(()) | Err(StorageError::KeyTaken { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

async fn encode(value: &impl Serialize) -> Result<Bytes, RepositoryError> {
    let json = serde_json::to_vec(value).expect("text, numbers and lists are always JSON");
    let stored = compress(&json, 3).await.map_err(|source| RepositoryError::Pack { source })?;
    Ok(stored.into())
}

/// Hands out the list of files, one JSON object a line, in pieces.
///
/// Pieces end where a file's path says so and not after so many bytes: one file more or less changes one piece, and the
/// others are in the repository already.
fn for_each_piece(
    files: &[FileEntry],
    mut take: impl FnMut(&[u8]) -> Result<(), RepositoryError>,
) -> Result<(), RepositoryError> {
    // One path in 2,048 ends a piece: some 800 KB. Eight million of them in a row without one do not happen by chance, and
    // what would not fit a segment is cut all the same.
    const ONE_IN: u8 = 11;
    let mut piece = Vec::new();
    for file in files {
        serde_json::to_writer(&mut piece, file).expect("text, numbers and lists are always JSON");
        piece.push(b'\n');
        let hash = u64::from_le_bytes(blake3::hash(&file.path).as_bytes()[..8].try_into().expect("8 bytes"));
        if hash.trailing_zeros() >= u32::from(ONE_IN) || piece.len() as u64 > SEGMENT_MAX / 2 {
            take(&piece)?;
            piece.clear();
        }
    }
    if piece.is_empty() { Ok(()) } else { take(&piece) }
}

/// The files of one call of `store`, dealt out to workers segment by segment, so that one large file keeps all of them busy.
struct Work<F> {
    files: Vec<FileToStore>,
    next: Mutex<(usize, u64)>,
    failed: AtomicBool,
    cancel: Arc<AtomicBool>,
    on_bytes: F,
}

/// The name of one segment of one file.
struct Named {
    file: usize,
    number: u64,
    id: SegmentId,
    size: u64,
}

impl<F: Fn(u64)> Work<F> {
    fn run(&self, packing: &Packing) -> Result<Vec<Named>, RepositoryError> {
        let mut named = Vec::new();
        let mut buffer = Vec::with_capacity(SEGMENT_MAX as usize);
        while let Some((file, number)) = self.take() {
            let step = self.one(file, number, &mut buffer, packing);
            named.push(step.inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?);
        }
        if self.cancel.load(Ordering::Relaxed) { Err(RepositoryError::Interrupted) } else { Ok(named) }
    }

    /// The next segment: the file's place in the list and the segment's place in the file.
    fn take(&self) -> Option<(usize, u64)> {
        if self.failed.load(Ordering::Relaxed) || self.cancel.load(Ordering::Relaxed) {
            return None;
        }
        let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        loop {
            let (file, number) = *next;
            if number * SEGMENT_MAX < self.files.get(file)?.entry.size() {
                next.1 += 1;
                return Some((file, number));
            }
            *next = (file + 1, 0);
        }
    }

    fn one(
        &self,
        file: usize,
        number: u64,
        buffer: &mut Vec<u8>,
        packing: &Packing,
    ) -> Result<Named, RepositoryError> {
        let FileToStore { entry, image } = &self.files[file];
        let offset = number * SEGMENT_MAX;
        let size = SEGMENT_MAX.min(entry.size() - offset);
        let mut read = || {
            let image = image.as_ref().ok_or_else(|| std::io::Error::other("it has no image"))?;
            // Never shrunk: growing again would fill it with zeros again.
            buffer.resize(buffer.len().max(size as usize), 0);
            // Blocking reads of whole segments: the same through an asynchronous file costs twice the processor time.
            File::open(image)?.read_exact_at(&mut buffer[..size as usize], offset)
        };
        read().map_err(|source| RepositoryError::ReadFile {
            path: entry.path_lossy().as_ref().into(),
            source,
        })?;
        let id = packing.add(&buffer[..size as usize])?;
        (self.on_bytes)(size);
        Ok(Named { file, number, id, size })
    }
}

/// Writes the segments' names into their files.
fn name_segments(files: Vec<FileToStore>, mut named: Vec<Named>, packing: &Packing) -> Vec<FileEntry> {
    named.sort_unstable_by_key(|segment| (segment.file, segment.number));
    let mut named = named.into_iter().peekable();
    let name = |(at, file): (usize, FileToStore)| {
        let mut entry = file.entry;
        if let FileKind::File { segments, .. } = &mut entry.kind {
            let mine = std::iter::from_fn(|| named.next_if(|segment| segment.file == at));
            let with_pack = |s: Named| SegmentRef { id: s.id, size: s.size, pack: pack_of(packing, s.id) };
            *segments = mine.map(with_pack).collect();
        }
        entry
    };
    files.into_iter().enumerate().map(name).collect()
}

fn pack_of(packing: &Packing, segment: SegmentId) -> PackId {
    packing.known.pack_of(&segment).expect("every pack was finished and named before")
}
