//! Reading a pack back, trusting nothing in it.

use async_compression::tokio::bufread::ZstdDecoder;
use futures::StreamExt;
use tokio::io::AsyncReadExt;
use tokio_tar::{Archive, ArchiveBuilder, Entries, EntryType};

use crate::{ArchiveError, PackId, SEGMENT_MAX, SegmentId};

/// A segment read from a pack: its bytes are the ones its name promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its name.
    pub id: SegmentId,
    /// Its bytes, checked.
    pub bytes: Vec<u8>,
}

/// Reads the segments of one pack in the order they were written.
pub struct PackReader<'stored> {
    id: PackId,
    // Kept so that the end of the stream, with its checksum, can be read once the entries are through.
    archive: Archive<ZstdDecoder<&'stored [u8]>>,
    entries: Entries<ZstdDecoder<&'stored [u8]>>,
}

impl<'stored> PackReader<'stored> {
    /// Opens a pack's stored bytes after checking that they are the ones `id` names.
    ///
    /// # Errors
    /// [`ArchiveError::WrongHash`] for bytes that are cut, changed or another pack's.
    pub fn open(id: &PackId, stored: &'stored [u8]) -> Result<Self, ArchiveError> {
        let found = PackId::of(stored);
        if found != *id {
            return Err(ArchiveError::WrongHash { expected: *id, found });
        }
        // Nothing is unpacked by the tar library, so its defaults for permissions, links and overwriting never act.
        let mut archive = ArchiveBuilder::new(ZstdDecoder::new(stored)).build();
        let entries = archive.entries().map_err(|source| ArchiveError::Unreadable { pack: *id, source })?;
        Ok(Self { id: *id, archive, entries })
    }

    /// The next segment, or `None` after the last.
    ///
    /// # Errors
    /// [`ArchiveError::Unreadable`], [`ArchiveError::ForeignEntry`] or [`ArchiveError::DamagedSegment`]; each means that
    /// whoever wrote the pack was broken or hostile, since its hash was right.
    pub async fn next(&mut self) -> Result<Option<Segment>, ArchiveError> {
        let unreadable = |source| ArchiveError::Unreadable { pack: self.id, source };
        let Some(entry) = self.entries.next().await else { return Ok(None) };
        let mut entry = entry.map_err(unreadable)?;
        let id = segment_name(self.id, &entry.path_bytes().map_err(unreadable)?)?;
        let size = entry.effective_size();
        if entry.header().entry_type() != EntryType::Regular || size > SEGMENT_MAX {
            return Err(ArchiveError::ForeignEntry { pack: self.id, entry: format!("{id}, {size} bytes") });
        }
        let mut bytes = Vec::with_capacity(size as usize);
        entry.read_to_end(&mut bytes).await.map_err(unreadable)?;
        if bytes.len() as u64 != size || SegmentId::of(&bytes) != id {
            return Err(ArchiveError::DamagedSegment { pack: self.id, segment: id });
        }
        Ok(Some(Segment { id, bytes }))
    }

    /// Reads what is left to the end of the compressed stream, whose checksum stands there.
    ///
    /// # Errors
    /// [`ArchiveError::Unreadable`] when the stream does not end as it should.
    pub async fn finish(self) -> Result<(), ArchiveError> {
        let unreadable = |source| ArchiveError::Unreadable { pack: self.id, source };
        drop(self.entries);
        let Ok(mut decoder) = self.archive.into_inner() else {
            return Err(unreadable(std::io::Error::other("the archive is still being read")));
        };
        tokio::io::copy(&mut decoder, &mut tokio::io::sink()).await.map_err(unreadable)?;
        Ok(())
    }
}

fn segment_name(pack: PackId, name: &[u8]) -> Result<SegmentId, ArchiveError> {
    let entry = String::from_utf8_lossy(name);
    entry.parse().map_err(|_| ArchiveError::ForeignEntry { pack, entry: entry.escape_debug().to_string() })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use tokio_tar::{Builder, Header};

    use super::*;
    use crate::{Pack, PackWriter, compress};

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        futures::executor::block_on(future)
    }

    fn pack_of(segments: &[Vec<u8>]) -> Pack {
        block_on(async {
            let mut writer = PackWriter::create(1);
            for bytes in segments {
                writer.append(bytes).await.unwrap();
            }
            writer.finish().await.unwrap()
        })
    }

    fn read_all(id: &PackId, stored: &[u8]) -> Result<Vec<Vec<u8>>, ArchiveError> {
        block_on(async {
            let mut reader = PackReader::open(id, stored)?;
            let mut all = Vec::new();
            while let Some(segment) = reader.next().await? {
                all.push(segment.bytes);
            }
            reader.finish().await?;
            Ok(all)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn segments_of_any_bytes_come_back_in_order(
            segments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..20)
        ) {
            let pack = pack_of(&segments);
            prop_assert_eq!(read_all(&pack.id, &pack.stored).unwrap(), segments);
        }
    }

    #[test]
    fn a_segment_of_the_largest_size_comes_back() {
        let segment = vec![7; SEGMENT_MAX as usize];
        let pack = pack_of(std::slice::from_ref(&segment));
        assert_eq!(read_all(&pack.id, &pack.stored).unwrap(), [segment]);
    }

    #[test]
    fn a_pack_cut_or_changed_anywhere_is_refused() {
        let pack = pack_of(&[b"one".to_vec(), b"two".repeat(40)]);
        for at in 0..pack.stored.len() {
            let cut = read_all(&pack.id, &pack.stored[..at]);
            assert!(matches!(cut, Err(ArchiveError::WrongHash { .. })), "cut at {at}");
            let mut flipped = pack.stored.to_vec();
            flipped[at] ^= 1;
            let flip = read_all(&pack.id, &flipped);
            assert!(matches!(flip, Err(ArchiveError::WrongHash { .. })), "flip at {at}");
        }
    }

    /// A pack as only a hostile or broken writer makes it: its hash is right, what is in it is not.
    fn foreign(name: &str, kind: EntryType, bytes: &[u8]) -> (PackId, Vec<u8>) {
        block_on(async {
            let mut tar = Builder::new_non_terminated(Vec::new());
            let mut header = Header::new_ustar();
            header.set_path(name).unwrap();
            header.set_entry_type(kind);
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            header.set_cksum();
            tar.append(&header, bytes).await.unwrap();
            tar.finish().await.unwrap();
            let stored = compress(&tar.into_inner().await.unwrap(), 1).await.unwrap();
            (PackId::of(&stored), stored)
        })
    }

    #[test]
    fn a_pack_with_the_right_hash_and_wrong_entries_is_refused() {
        let name = SegmentId::of(b"right").to_string();
        let (id, stored) = foreign(&name, EntryType::Regular, b"wrong");
        assert!(matches!(read_all(&id, &stored), Err(ArchiveError::DamagedSegment { .. })));
        let (id, stored) = foreign("etc/passwd", EntryType::Regular, b"x");
        assert!(matches!(read_all(&id, &stored), Err(ArchiveError::ForeignEntry { .. })));
        let (id, stored) = foreign(&name, EntryType::Symlink, b"");
        assert!(read_all(&id, &stored).is_err());
    }

    #[test]
    fn a_tar_that_ends_in_the_middle_is_refused_although_its_stream_is_whole() {
        let tar = block_on(async {
            let mut tar = Builder::new_non_terminated(Vec::new());
            let segment = vec![1; 2000];
            let mut header = Header::new_ustar();
            header.set_path(SegmentId::of(&segment).to_string()).unwrap();
            header.set_size(2000);
            header.set_cksum();
            tar.append(&header, &segment[..]).await.unwrap();
            let mut bytes = tar.get_ref().clone();
            bytes.truncate(1000);
            compress(&bytes, 1).await.unwrap()
        });
        assert!(read_all(&PackId::of(&tar), &tar).is_err());
    }
}
