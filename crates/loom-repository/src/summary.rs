//! The summary: what can be said of a backup without reading its manifest, plain also where the rest is encrypted.

use jiff::Timestamp;
use loom_archive::PackId;
use serde::{Deserialize, Serialize};

use crate::{Facts, NodeName, RepositoryId};

/// What listing, pruning and checking presence need.
///
/// It is stored just before its manifest and does not make a backup: the manifest does. A manifest names its summary by hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// 1.
    pub format: u64,
    /// The repository it was written for.
    pub repository: RepositoryId,
    /// The node.
    pub node: NodeName,
    /// When the backup was published.
    pub created: Timestamp,
    /// What is said of the backup.
    #[serde(flatten)]
    pub facts: Facts,
    /// Every pack that the backup refers to.
    pub packs: Vec<PackRef>,
}

/// A pack and how many bytes it has in storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackRef {
    /// The pack.
    pub id: PackId,
    /// Its stored size in bytes.
    pub size: u64,
}
