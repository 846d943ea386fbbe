//! The marker: the object that makes a URL a repository.

use std::fmt;

use jiff::Timestamp;
use loom_storage::{Storage, StorageError};
use serde::{Deserialize, Serialize};

use crate::{RepositoryError, keys};

/// A repository's identity, drawn at random when it is created: 32 hex digits.
///
/// Every manifest names it, so that objects of two repositories cannot be mixed up unnoticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RepositoryId(String);

impl fmt::Display for RepositoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `loom-repository.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    format: u64,
    pub(crate) id: RepositoryId,
    /// As text: a reader that took two spellings of one time for the same would not notice a changed byte.
    created: String,
    /// Whether the store refuses to overwrite an object when told to.
    pub(crate) conditional_put: bool,
    /// BLAKE3 of the lines `format`, `id`, `created`, `conditional_put`: the marker is JSON without a checksum of its own.
    check: String,
}

impl Marker {
    fn new(id: RepositoryId, created: Timestamp, conditional_put: bool) -> Self {
        let created = created.to_string();
        let check = check(1, &id, &created, conditional_put);
        Self { format: 1, id, created, conditional_put, check }
    }

    fn to_bytes(&self) -> bytes::Bytes {
        serde_json::to_vec(self).expect("a marker has only text and numbers in it").into()
    }

    fn parse(object: &str, stored: &[u8]) -> Result<Self, RepositoryError> {
        #[derive(Deserialize)]
        struct Version {
            format: u64,
        }
        let damaged = |source: serde_json::Error| RepositoryError::damaged(object, source);
        let Version { format } = serde_json::from_slice(stored).map_err(damaged)?;
        if format != 1 {
            return Err(RepositoryError::Format { object: object.to_owned(), found: format });
        }
        let marker: Self = serde_json::from_slice(stored).map_err(damaged)?;
        if marker.check != check(format, &marker.id, &marker.created, marker.conditional_put) {
            return Err(RepositoryError::damaged(object, "its check does not match its content"));
        }
        Ok(marker)
    }
}

fn check(format: u64, id: &RepositoryId, created: &str, conditional_put: bool) -> String {
    blake3::hash(format!("{format}\n{id}\n{created}\n{conditional_put}").as_bytes()).to_string()
}

/// Reads the marker; `None` when there is none.
pub(crate) async fn read(storage: &Storage) -> Result<Option<Marker>, RepositoryError> {
    let key = keys::marker();
    match storage.get(&key).await {
        Ok(stored) => Marker::parse(&storage.address(&key), &stored).map(Some),
        Err(StorageError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes a new marker, which also tells whether the store honours "only if absent".
///
/// The marker itself is the probe, so no other object is left behind where deleting is not allowed: it is put as "only if absent"
/// twice, the second time with another content. A store that honours the condition refuses the second put, and what it holds
/// says so truthfully; one that ignores it holds the second content, which says that.
pub(crate) async fn create(storage: &Storage) -> Result<Marker, RepositoryError> {
    let key = keys::marker();
    let (id, now) = (random_id()?, Timestamp::now());
    let (honoured, ignored) = (Marker::new(id.clone(), now, true), Marker::new(id, now, false));
    for marker in [honoured, ignored] {
        match storage.put_new(&key, marker.to_bytes()).await {
            Ok(()) => {}
            Err(StorageError::KeyTaken { .. }) => break,
            Err(error) => return Err(error.into()),
        }
    }
    // Read back: where two runs create one repository at the same time, both go on with the marker that is there.
    read(storage)
        .await?
        .ok_or_else(|| RepositoryError::Missing { object: storage.address(&key), files: Vec::new() })
}

fn random_id() -> Result<RepositoryId, RepositoryError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|source| RepositoryError::Random { source })?;
    Ok(RepositoryId(hex::encode(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_changed_in_any_bit_is_refused() {
        let bytes = Marker::new(RepositoryId("0f".repeat(16)), Timestamp::UNIX_EPOCH, true).to_bytes();
        assert!(Marker::parse("m", &bytes).is_ok());
        for at in 0..bytes.len() {
            assert!(Marker::parse("m", &bytes[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = bytes.to_vec();
                flipped[at] ^= 1 << bit;
                assert!(Marker::parse("m", &flipped).is_err(), "bit {bit} of byte {at}");
            }
        }
    }
}
