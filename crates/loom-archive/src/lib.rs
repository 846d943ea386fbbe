//! Packs: segments of files in one compressed tar, written to memory and read back whole.
//!
//! A *segment* is a run of at most [`SEGMENT_MAX`] bytes of one file, named by the BLAKE3 of those bytes.
//! A *pack* is one tar of segments in one zstd stream, named by the BLAKE3 of its stored bytes, so that anybody
//! can check a pack without a key and no two different contents ever share a name.
//!
//! This crate knows nothing of storage, of nodes, or of which files a segment belongs to.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use loom_archive::{PackReader, PackWriter, SegmentId};
//!
//! let mut writer = PackWriter::create(1);
//! let segment = writer.append(b"a table's bytes").await?;
//! let pack = writer.finish().await?;
//!
//! let mut reader = PackReader::open(&pack.id, &pack.stored)?;
//! let read = reader.next().await?.expect("one segment was written");
//! assert_eq!((read.id, &read.bytes[..]), (segment, &b"a table's bytes"[..]));
//! # Ok::<(), loom_archive::ArchiveError>(()) }).unwrap();
//! ```

mod error;
mod hash;
mod read;
mod stream;
mod write;

pub use error::ArchiveError;
pub use hash::{PackId, ParseHashError, SegmentId};
pub use read::{PackReader, Segment};
pub use stream::{compress, decompress};
pub use write::{BUFFER, FinishedIn, Pack, PackWriter};

/// The most bytes one segment has: 16 MiB. A longer file is cut at multiples of this.
pub const SEGMENT_MAX: u64 = 16 << 20;

/// The bytes of segments after which a pack is full: 32 MiB before compression.
///
/// Small enough to be put from memory in one request, so that a retry is the same request again and no multipart
/// upload is ever left behind; large enough that requests cost nothing beside bytes.
pub const PACK_TARGET: u64 = 32 << 20;
