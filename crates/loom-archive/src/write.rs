//! Writing a pack.

use async_compression::tokio::write::ZstdEncoder;
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio_tar::{Builder, EntryType, Header};

use crate::{ArchiveError, PACK_TARGET, PackId, SEGMENT_MAX, SegmentId, stream};

/// A finished pack, ready to be put under its name.
#[derive(Debug, Clone)]
pub struct Pack {
    /// Its name: the hash of `stored`.
    pub id: PackId,
    /// The bytes to store.
    pub stored: Bytes,
    /// The segments in it, in order.
    pub segments: Vec<SegmentId>,
}

/// Gathers segments into one pack in memory.
#[must_use = "a pack without `finish` is incomplete"]
pub struct PackWriter {
    tar: Builder<ZstdEncoder<Vec<u8>>>,
    segments: Vec<SegmentId>,
    size: u64,
}

impl PackWriter {
    /// A new, empty pack, compressed at this zstd level.
    pub fn create(level: i32) -> Self {
        // Room for a pack of incompressible bytes; pages that are not written cost nothing, growing by doubling would.
        let stored = Vec::with_capacity((PACK_TARGET + SEGMENT_MAX / 8) as usize);
        // Not `Builder::new`: dropped half-way it still writes the end-of-archive marker from a task nobody waits for, and a
        // partial tar would read back as a whole one.
        let tar = Builder::new_non_terminated(stream::encoder(stored, level));
        Self { tar, segments: Vec::new(), size: 0 }
    }

    /// Adds a segment and returns its name.
    ///
    /// # Errors
    /// [`ArchiveError::Write`]; the writer is then of no further use.
    pub async fn append(&mut self, bytes: &[u8]) -> Result<SegmentId, ArchiveError> {
        let id = SegmentId::of(bytes);
        self.append_named(id, bytes).await?;
        Ok(id)
    }

    /// Adds a segment whose name the caller has computed already.
    ///
    /// # Errors
    /// [`ArchiveError::Write`]; the writer is then of no further use.
    pub async fn append_named(&mut self, id: SegmentId, bytes: &[u8]) -> Result<(), ArchiveError> {
        let header = header(id, bytes.len() as u64).map_err(|source| ArchiveError::Write { source })?;
        self.tar.append(&header, bytes).await.map_err(|source| ArchiveError::Write { source })?;
        self.segments.push(id);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Bytes of segments so far, before compression.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether another segment of `more` bytes would take the pack over [`PACK_TARGET`].
    #[must_use]
    pub fn is_full_for(&self, more: u64) -> bool {
        !self.segments.is_empty() && self.size + more > PACK_TARGET
    }

    /// Ends the pack and names it.
    ///
    /// # Errors
    /// [`ArchiveError::Write`].
    pub async fn finish(mut self) -> Result<Pack, ArchiveError> {
        let write = |source| ArchiveError::Write { source };
        self.tar.finish().await.map_err(write)?;
        let mut encoder = self.tar.into_inner().await.map_err(write)?;
        encoder.shutdown().await.map_err(write)?;
        let stored = Bytes::from(encoder.into_inner());
        Ok(Pack { id: PackId::of(&stored), stored, segments: self.segments })
    }
}

/// The same bytes for the same segment everywhere: no time, no owner.
fn header(id: SegmentId, size: u64) -> std::io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(id.to_string())?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Ok(header)
}
