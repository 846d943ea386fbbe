//! Writing a pack.

use bytes::Bytes;
use tokio_tar::{Builder, EntryType, Header};

use crate::{ArchiveError, PACK_TARGET, PackId, SEGMENT_MAX, SegmentId, stream};

/// Contents in a tar are padded to this many bytes.
const BLOCK: usize = 512;

/// The room that a pack needs, before and after compression: buffers of this size never grow.
pub const BUFFER: usize = (PACK_TARGET + SEGMENT_MAX / 4) as usize;

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

/// A finished pack in a buffer of the caller's.
#[derive(Debug)]
pub struct FinishedIn {
    /// Its name: the hash of `stored`.
    pub id: PackId,
    /// The bytes to store.
    pub stored: Vec<u8>,
    /// The segments in it, in order.
    pub segments: Vec<SegmentId>,
}

/// Gathers segments into one pack in memory.
#[must_use = "a pack without `finish` is incomplete"]
pub struct PackWriter {
    tar: Builder<Vec<u8>>,
    segments: Vec<SegmentId>,
    level: i32,
}

impl PackWriter {
    /// A new, empty pack, compressed at this zstd level.
    pub fn create(level: i32) -> Self {
        Self::create_in(Vec::with_capacity(BUFFER), level)
    }

    /// As [`create`](Self::create), in a buffer that [`finish_in`](Self::finish_in) gives back.
    pub fn create_in(mut tar: Vec<u8>, level: i32) -> Self {
        tar.clear();
        // Not `Builder::new`: dropped half-way it still writes the end-of-archive marker from a task nobody waits for, and a
        // partial tar would read back as a whole one.
        let tar = Builder::new_non_terminated(tar);
        Self { tar, segments: Vec::new(), level }
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
        let write = |source| ArchiveError::Write { source };
        let header = header(id, bytes.len() as u64).map_err(write)?;
        // The library writes the header; the content follows in one piece and not in steps of 8 KiB.
        self.tar.append(&header, tokio::io::empty()).await.map_err(write)?;
        let tar = self.tar.get_mut();
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
        self.segments.push(id);
        Ok(())
    }

    /// Whether nothing was added yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether another segment of `more` bytes would take the pack over [`PACK_TARGET`], the tar's own bytes counted: a million
    /// tiny segments are mostly headers.
    #[must_use]
    pub fn is_full_for(&self, more: u64) -> bool {
        !self.is_empty() && self.tar.get_ref().len() as u64 + more > PACK_TARGET
    }

    /// Ends the pack, compresses and names it.
    ///
    /// In one call of the compressor and not as a stream: a stream keeps its window in a ring, and matching across the ring's seam
    /// costs a quarter of the compressor's time.
    ///
    /// # Errors
    /// [`ArchiveError::Write`].
    pub async fn finish(self) -> Result<Pack, ArchiveError> {
        let (finished, _) = self.finish_in(Vec::with_capacity(BUFFER)).await?;
        Ok(Pack { id: finished.id, stored: finished.stored.into(), segments: finished.segments })
    }

    /// As [`finish`](Self::finish), into a buffer of the caller's; also gives back the one that the pack was made in.
    ///
    /// # Errors
    /// [`ArchiveError::Write`].
    pub async fn finish_in(mut self, mut stored: Vec<u8>) -> Result<(FinishedIn, Vec<u8>), ArchiveError> {
        let write = |source| ArchiveError::Write { source };
        self.tar.finish().await.map_err(write)?;
        let tar = self.tar.into_inner().await.map_err(write)?;
        stream::compress_whole(&tar, self.level, &mut stored).map_err(write)?;
        let finished = FinishedIn { id: PackId::of(&stored), stored, segments: self.segments };
        Ok((finished, tar))
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
