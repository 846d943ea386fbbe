//! One zstd stream with its checksum: what manifests, summaries and packs are stored as.

use async_compression::{
    Level,
    tokio::{bufread::ZstdDecoder, write::ZstdEncoder},
    zstd::CParameter,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::ArchiveError;

/// An encoder into memory with the checksum flag set.
///
/// Without the flag zstd writes no checksum of the content, and most single-bit flips in a stream then decode, silently, to
/// other bytes.
pub(crate) fn encoder(into: Vec<u8>, level: i32) -> ZstdEncoder<Vec<u8>> {
    ZstdEncoder::with_quality_and_params(into, Level::Precise(level), &[CParameter::checksum_flag(true)])
}

/// As [`compress`], in one call of the compressor, in place of what `into` holds.
pub(crate) fn compress_whole(bytes: &[u8], level: i32, into: &mut Vec<u8>) -> std::io::Result<()> {
    let mut compressor = zstd::bulk::Compressor::new(level)?;
    compressor.include_checksum(true)?;
    into.clear();
    into.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
    compressor.compress_to_buffer(bytes, into)?;
    Ok(())
}

/// Compresses `bytes` into one zstd stream with its checksum.
///
/// # Errors
/// [`ArchiveError::Write`] when the compressor fails.
pub async fn compress(bytes: &[u8], level: i32) -> Result<Vec<u8>, ArchiveError> {
    let write = |source| ArchiveError::Write { source };
    let mut encoder = encoder(Vec::with_capacity(bytes.len() / 4 + 64), level);
    encoder.write_all(bytes).await.map_err(write)?;
    encoder.shutdown().await.map_err(write)?;
    Ok(encoder.into_inner())
}

/// Decompresses one whole zstd stream of at most `limit` bytes.
///
/// # Errors
/// [`ArchiveError::Decompress`] for a stream that is cut, damaged or followed by other bytes, and
/// [`ArchiveError::TooLarge`] for one that holds more than `limit` bytes.
pub async fn decompress(stored: &[u8], limit: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    let mut decoder = ZstdDecoder::new(stored).take(limit + 1);
    decoder.read_to_end(&mut bytes).await.map_err(|source| ArchiveError::Decompress { source })?;
    if bytes.len() as u64 > limit {
        return Err(ArchiveError::TooLarge { limit });
    }
    // The decoder stops at the end of the first frame: what stands behind it is not ours.
    if !decoder.into_inner().into_inner().is_empty() {
        let source = std::io::Error::other("other bytes follow the end of the stream");
        return Err(ArchiveError::Decompress { source });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn a_stream_comes_back_and_a_damaged_one_never_as_other_bytes() {
        let text = b"{\"format\":1}".repeat(20);
        let stored = compress(&text, 3).await.unwrap();
        assert_eq!(decompress(&stored, 1 << 20).await.unwrap(), text);
        for at in 0..stored.len() {
            assert!(decompress(&stored[..at], 1 << 20).await.is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = stored.clone();
                flipped[at] ^= 1 << bit;
                // A flip in a header bit that decoders ignore may decode to the very same bytes, never to others.
                if let Ok(decoded) = decompress(&flipped, 1 << 20).await {
                    assert_eq!(decoded, text, "bit {bit} of byte {at}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_stream_with_something_behind_it_or_over_the_limit_is_refused() {
        let mut stored = compress(b"abc", 1).await.unwrap();
        assert!(matches!(decompress(&stored, 2).await, Err(ArchiveError::TooLarge { limit: 2 })));
        stored.push(0);
        assert!(decompress(&stored, 3).await.is_err());
    }
}
