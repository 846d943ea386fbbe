//! Which executable a node runs: its path, size and hash. It is read, never executed.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::NodeError;

/// An executable as it was when [`identify`] read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    /// Where it was found.
    pub path: PathBuf,
    /// Bytes read.
    pub size: u64,
    /// BLAKE3 of the bytes read, 64 lower-case hexadecimal digits.
    pub blake3: String,
}

/// Reads the whole file at `path`, in pieces. Blocking.
///
/// # Errors
/// [`NodeError::Read`] if the file cannot be opened or read to its end.
pub fn identify(path: &Path) -> Result<Binary, NodeError> {
    let failed = |source| NodeError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    let mut size = 0;
    let mut piece = vec![0; 1 << 20];
    loop {
        let read = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        hasher.update(&piece[..read]);
        size += read as u64;
    }
    Ok(Binary { path: path.to_owned(), size, blake3: hasher.finalize().to_hex().to_string() })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_binary_larger_than_one_piece_is_hashed_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("loom");
        let bytes: Vec<u8> = (0..3_000_001_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        std::fs::write(&path, &bytes).unwrap();
        let binary = identify(&path).unwrap();
        assert_eq!(binary.size, 3_000_001);
        assert_eq!(binary.blake3, blake3::hash(&bytes).to_hex().as_str());
    }

    #[test]
    fn an_absent_binary_is_named() {
        insta::assert_snapshot!(identify(Path::new("/nonexistent/loom")).unwrap_err(), @"read /nonexistent/loom");
    }
}
