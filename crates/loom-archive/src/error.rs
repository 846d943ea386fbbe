//! What can go wrong with a pack or a compressed stream.

use std::io;

use crate::{PackId, SegmentId};

/// Why a pack could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The compressor or the tar writer failed; in memory this means that memory is out.
    #[error("write a pack")]
    Write {
        /// What the writer said.
        source: io::Error,
    },
    /// The stored bytes are not the ones that the pack's name promises.
    #[error("pack {expected} is damaged: its bytes hash to {found}")]
    WrongHash {
        /// The name the pack goes by.
        expected: PackId,
        /// What its bytes hash to.
        found: PackId,
    },
    /// The bytes are the promised ones and yet no pack: made by a broken or hostile writer.
    #[error("pack {pack} cannot be read")]
    Unreadable {
        /// The pack at fault.
        pack: PackId,
        /// What the decompressor or the tar reader said.
        source: io::Error,
    },
    /// An entry in a pack is no segment.
    #[error("pack {pack} holds an entry that is no segment: {entry}")]
    ForeignEntry {
        /// The pack at fault.
        pack: PackId,
        /// The entry's name, made printable, or what is wrong with it.
        entry: String,
    },
    /// A segment's bytes are not the ones that its name promises.
    #[error("segment {segment} in pack {pack} is damaged")]
    DamagedSegment {
        /// The pack at fault.
        pack: PackId,
        /// The segment at fault.
        segment: SegmentId,
    },
    /// A compressed stream (a manifest, a summary) does not decompress.
    #[error("decompress")]
    Decompress {
        /// What the decompressor said.
        source: io::Error,
    },
    /// A compressed stream is larger than its reader is willing to hold.
    #[error("decompressed size is over the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
}
