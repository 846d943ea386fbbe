//! Filling packs from several workers and putting them into storage.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use loom_archive::{PackWriter, SegmentId};
use tokio::{runtime::Handle, sync::Semaphore, task::JoinSet};

use crate::{
    NodeName, PackRef, Repository, RepositoryError,
    buffers::Buffers,
    keys,
    known::{Claim, Known},
};

/// The packs of one run: the ones being filled, the ones being put, and the ones that are stored.
///
/// Memory is bounded by the packs being filled (one for each worker at the most) and the packs being put (`uploads`).
pub(crate) struct Packing {
    repository: Repository,
    node: NodeName,
    level: i32,
    pub(crate) known: Known,
    /// Packs with room, the last used one on top: a run that adds little fills one pack and not one for each worker.
    open: Mutex<Vec<Open>>,
    puts: Mutex<JoinSet<Result<PackRef, RepositoryError>>>,
    permits: Arc<Semaphore>,
    runtime: Handle,
    buffers: Buffers,
    done: Mutex<Vec<PackRef>>,
    pub(crate) new_bytes: AtomicU64,
}

struct Open {
    number: u32,
    writer: PackWriter,
}

impl Packing {
    pub(crate) fn new(repository: Repository, node: NodeName, level: i32, uploads: usize) -> Self {
        Self {
            repository,
            node,
            level,
            known: Known::default(),
            open: Mutex::default(),
            puts: Mutex::default(),
            permits: Arc::new(Semaphore::new(uploads.max(1))),
            runtime: Handle::current(),
            buffers: Buffers::default(),
            done: Mutex::default(),
            new_bytes: AtomicU64::new(0),
        }
    }

    /// Sees to it that the repository gets this segment. Blocks while too many packs are waiting to be put.
    pub(crate) fn add(&self, bytes: &[u8]) -> Result<SegmentId, RepositoryError> {
        let id = SegmentId::of(bytes);
        if self.known.contains(&id) {
            return Ok(id);
        }
        let mut pack = self.take_open(bytes.len() as u64)?;
        if self.known.claim(id, pack.number) == Claim::Add {
            let appended = futures::executor::block_on(pack.writer.append_named(id, bytes));
            appended.map_err(|source| RepositoryError::Pack { source })?;
            self.new_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        lock(&self.open).push(pack);
        Ok(id)
    }

    /// An open pack with room for `more` bytes; one that has none is finished and sent on its way.
    fn take_open(&self, more: u64) -> Result<Open, RepositoryError> {
        let taken = lock(&self.open).pop();
        match taken {
            Some(pack) if pack.writer.is_full_for(more) => self.put(pack)?,
            Some(pack) => return Ok(pack),
            None => {}
        }
        Ok(Open {
            number: self.known.new_pack(),
            writer: PackWriter::create_in(self.buffers.take(), self.level),
        })
    }

    /// Finishes a pack and starts to put it.
    fn put(&self, pack: Open) -> Result<(), RepositoryError> {
        // Before the pack is compressed: packs that wait for their turn are in memory once and not twice.
        let permit = self.runtime.block_on(Arc::clone(&self.permits).acquire_owned());
        let permit = permit.expect("the semaphore is never closed");
        let finished = futures::executor::block_on(pack.writer.finish_in(self.buffers.take()));
        let (done, tar) = finished.map_err(|source| RepositoryError::Pack { source })?;
        self.buffers.give_back(tar);
        let stored = self.buffers.lend(done.stored);
        self.known.name_pack(pack.number, done.id);
        let (repository, key) = (self.repository.clone(), keys::pack(&self.node, &done.id));
        let put = async move {
            let size = stored.len() as u64;
            // Unconditionally: only one content is right for this key, so overwriting a damaged one is a repair.
            repository.storage().put(&key, stored).await?;
            drop(permit);
            Ok(PackRef { id: done.id, size })
        };
        let mut puts = lock(&self.puts);
        puts.spawn_on(put, &self.runtime);
        // A put that failed ends the run now and not after everything has been read.
        while let Some(done) = puts.try_join_next() {
            self.stored(done)?;
        }
        Ok(())
    }

    fn stored(
        &self,
        done: Result<Result<PackRef, RepositoryError>, tokio::task::JoinError>,
    ) -> Result<(), RepositoryError> {
        let pack = done.map_err(|source| RepositoryError::Worker { source })??;
        lock(&self.done).push(pack);
        Ok(())
    }

    /// Finishes what is open and waits until every pack is stored. Returns the packs stored since the last call.
    pub(crate) async fn flush(self: &Arc<Self>) -> Result<Vec<PackRef>, RepositoryError> {
        let packing = Arc::clone(self);
        let finish = move || {
            let open = std::mem::take(&mut *lock(&packing.open));
            open.into_iter().filter(|pack| !pack.writer.is_empty()).try_for_each(|pack| packing.put(pack))
        };
        tokio::task::spawn_blocking(finish).await.map_err(|source| RepositoryError::Worker { source })??;
        let mut puts = std::mem::take(&mut *lock(&self.puts));
        while let Some(done) = puts.join_next().await {
            self.stored(done)?;
        }
        Ok(std::mem::take(&mut *lock(&self.done)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
