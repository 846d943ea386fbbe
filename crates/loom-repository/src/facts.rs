//! What is said of a backup as a whole: the same words in its summary and in its manifest.

use serde::{Deserialize, Serialize};

/// Facts about a backup.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The program that wrote it.
    pub tool: Tool,
    /// The node's layout, such as `loom` or `cometbft`.
    pub layout: String,
    /// The database engine as configured, such as `goleveldb`.
    pub engine: String,
    /// The chain.
    pub chain_id: Option<String>,
    /// The node's id, derived from its node key; never the key.
    pub node_id: Option<String>,
    /// The node software's version, as its RPC said.
    pub node_version: Option<String>,
    /// The classes of files in it, such as `data`, `config`, `identity`, `signing`.
    pub classes: Vec<String>,
    /// The heights of the node's stores.
    pub heights: Heights,
    /// How the node was held still.
    pub quiesce: Quiesce,
    /// Whether the node stopped by itself when asked to; absent where it was not stopped.
    pub clean_stop: Option<bool>,
    /// How far it was proven that this backup restores.
    pub proof: Proof,
    /// What was checked, by name.
    pub checks: Vec<String>,
    /// How long the node was without service for this backup.
    pub pause: Option<Pause>,
    /// What whoever restores this should know.
    pub warnings: Vec<String>,
    /// Sizes and counts.
    pub totals: Totals,
}

/// A program and its version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Heights of blocks, each absent where it could not be learned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heights {
    /// What the node's RPC said last before the pause: at most the height of the stored data.
    pub rpc: Option<u64>,
    /// The block store's.
    pub block_store: Option<u64>,
    /// Tendermint's state's.
    pub state: Option<u64>,
    /// The application's.
    pub app: Option<u64>,
}

impl Heights {
    /// The height to name the backup by.
    #[must_use]
    pub fn best(&self) -> Option<u64> {
        self.block_store.or(self.rpc)
    }
}

/// How the node was held still while its files were captured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quiesce {
    /// Its service was stopped.
    Stop,
    /// Its processes were frozen.
    Freeze,
    /// It was not: the files were copied from a running node.
    #[default]
    None,
    /// No node was running: its databases' locks were taken.
    Offline,
}

/// How far it was proven that a backup restores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Copied from a running node: probably not restorable, never the latest.
    #[default]
    Hot,
    /// Captured while the node was held still; heights were not read: rehearse it.
    Opaque,
    /// The databases' structure is whole and their heights fit together.
    Heights,
    /// As `Heights`, and every block of every table was read.
    Full,
}

/// How long a node was without service, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pause {
    /// From the first to the last moment without service.
    pub total_us: u64,
    /// Of it: until the node was proven to be stopped or frozen.
    pub stop_us: u64,
    /// Of it: capturing its files.
    pub capture_us: u64,
    /// Of it: until the service was active again.
    pub start_us: u64,
}

/// Sizes and counts of a backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Files in it.
    pub files: u64,
    /// Directories in it.
    pub directories: u64,
    /// Symbolic links in it.
    pub symlinks: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes of segments that the repository did not have yet.
    pub new_bytes: u64,
    /// Bytes put into storage for it.
    pub stored_bytes: u64,
    /// Packs put into storage for it.
    pub new_packs: u64,
}
