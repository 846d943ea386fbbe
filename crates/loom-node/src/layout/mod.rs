//! What belongs to a node: the entries a backup takes and a restore replaces, and what is left out and why.
//!
//! The working directory is not ours. For Loom, whose documented home is `/home/ubuntu`, the entries are a
//! closed list and every other name is left alone; for `CometBFT`, whose home is its own, they are every
//! child minus what is known to be worthless. Only names, symlinks and configuration files are read here;
//! no store is opened and nothing is written.

mod auto;
mod collect;
mod cometbft;
mod config;
mod genesis;
mod globs;
mod locks;
mod loom;
mod rpc;

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use globset::GlobSet;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{Class, NodeError};

/// Where a kind of node keeps its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayoutKind {
    /// A Loom node: `loom.yml`, `app.db` and `chaindata/` in a directory that holds other things too.
    Loom,
    /// A Tendermint or `CometBFT` node: `config/` and `data/` in a home of its own.
    Cometbft,
}

impl fmt::Display for LayoutKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Loom => "loom",
            Self::Cometbft => "cometbft",
        })
    }
}

impl FromStr for LayoutKind {
    type Err = NodeError;

    fn from_str(word: &str) -> Result<Self, NodeError> {
        match word {
            "loom" => Ok(Self::Loom),
            "cometbft" => Ok(Self::Cometbft),
            _ => Err(NodeError::UnknownWord {
                what: "layout",
                word: word.to_owned(),
                expected: "loom or cometbft",
            }),
        }
    }
}

/// What the operator says about a home.
#[derive(Clone, Debug, Default)]
pub struct LayoutOptions {
    /// The layout; `None` looks which one it is.
    pub kind: Option<LayoutKind>,
    /// Globs, relative to the home, of names to take besides: each match is one more entry. `*` and `?`
    /// stay within one name, and there is no `**`: names are asked for, not searched.
    pub include: Vec<String>,
    /// Globs, relative to the home, of what to leave out, entries and names inside entries. `*` stays
    /// within one name, `**` crosses them. Outranks `include`.
    pub exclude: Vec<String>,
    /// Whether a store that the configuration names and that is absent is an error. A backup wants it; the
    /// target of a restore may be empty.
    pub strict: bool,
}

/// The unit a backup takes and a restore replaces with one rename.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Relative to the home. Its parents are [containers](Layout::containers).
    pub path: PathBuf,
    /// What kind of thing it is.
    pub class: Class,
    /// It is a symlink, and the directory it leads to is taken in its place.
    pub follow: bool,
    /// It is a store: a database directory.
    pub store: bool,
    /// No list knows it: a database found where one was not expected.
    pub unclassified: bool,
}

/// Something of the node that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Relative to the home, or absolute if it lies outside.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// Why something is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// An exclude of the operator matches it.
    Excluded,
    /// The configuration or an include names it, and it is not there.
    Absent,
    /// Peers last seen. On a clone they lead back into the old cluster.
    AddressBook,
    /// Transactions not yet in a block.
    MempoolWal,
    /// A log for people.
    Log,
    /// A lock file or the scratch file of a write that was cut short.
    Temporary,
    /// A hidden name at the top of the home: a user's (`.ssh`, `.bashrc`), where the home is a user's home as well.
    Hidden,
    /// A store that Loom put aside when it took up a new one.
    OldStore,
    /// It lies outside the home.
    OutsideHome,
    /// The symlink is taken; what it leads to lies outside the home and is not.
    LinkTarget,
}

impl Reason {
    /// Whether an include of the operator outranks it: a judgement of the layout, not a fact.
    fn is_judgement(self) -> bool {
        matches!(
            self,
            Self::AddressBook
                | Self::MempoolWal
                | Self::Log
                | Self::Temporary
                | Self::Hidden
                | Self::OldStore
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Excluded => "excluded",
            Self::Absent => "named and not there",
            Self::AddressBook => "address book",
            Self::MempoolWal => "mempool WAL",
            Self::Log => "log",
            Self::Temporary => "temporary",
            Self::Hidden => "hidden",
            Self::OldStore => "store put aside by Loom",
            Self::OutsideHome => "outside the home",
            Self::LinkTarget => "only the symlink is taken",
        })
    }
}

/// Where the configuration puts the keys, there or not. Relative to the home; absolute if outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyFiles {
    /// The P2P key.
    pub node_key: PathBuf,
    /// The validator's key.
    pub validator_key: PathBuf,
    /// The sign state: the same file as the key for Loom and Tendermint up to 0.30.
    pub sign_state: PathBuf,
}

/// What [`examine`] found.
#[derive(Clone, Debug, Serialize)]
pub struct Layout {
    /// Which layout it is.
    pub kind: LayoutKind,
    /// The entries, sorted by path; none lies inside another.
    pub entries: Vec<Entry>,
    /// The directories whose children are entries, sorted; `.` is the home itself.
    pub containers: Vec<PathBuf>,
    /// What is known and not taken, sorted by path.
    pub left_out: Vec<LeftOut>,
    /// The database engine as configured (`goleveldb`, `pebbledb`, …).
    pub engine: String,
    /// From the genesis file.
    pub chain_id: Option<String>,
    /// The operator's name for the node.
    pub moniker: Option<String>,
    /// Where the node's RPC may be asked, most likely first. Another node may answer at a default port:
    /// compare the node id.
    pub rpc: Vec<Url>,
    /// Where the node listens for peers, as configured (`tcp://0.0.0.0:46656`).
    pub p2p_address: Option<String>,
    /// Where the keys are.
    pub keys: KeyFiles,
    /// A remote signer is configured (`priv_validator_laddr`): the node signs without a key here.
    pub remote_signer: bool,
    #[serde(skip)]
    excludes: GlobSet,
}

/// Finds out what belongs to the node in `home`. Blocking; reads names and configuration only.
///
/// # Errors
/// [`NodeError::LayoutUnknown`], [`NodeError::LayoutAmbiguous`] if no layout was named and `home` does not
/// show one; [`NodeError::Config`] if its configuration cannot be understood; [`NodeError::OutsideHome`],
/// [`NodeError::Overlap`] if the configuration puts stores where they cannot be taken; [`NodeError::Glob`],
/// [`NodeError::Include`]; [`NodeError::Read`]; and if strict, [`NodeError::StoreAbsent`],
/// [`NodeError::DanglingStore`], [`NodeError::NoDatabase`].
pub fn examine(home: &Path, options: &LayoutOptions) -> Result<Layout, NodeError> {
    let kind = match options.kind {
        Some(kind) => kind,
        None => auto::detect(home)?,
    };
    let mut found = collect::Collector::new(home, options)?;
    let facts = match kind {
        LayoutKind::Loom => loom::collect(&mut found)?,
        LayoutKind::Cometbft => cometbft::collect(&mut found)?,
    };
    globs::include(&mut found, &options.include)?;
    let collect::Collected { entries, containers, left_out, excludes } = found.finish(options.strict)?;
    Ok(Layout {
        kind,
        entries,
        containers,
        left_out,
        engine: facts.engine,
        chain_id: genesis::chain_id(&home.join(&facts.genesis)),
        moniker: facts.moniker,
        rpc: facts.rpc,
        p2p_address: facts.p2p_address,
        keys: facts.keys,
        remote_signer: facts.remote_signer,
        excludes,
    })
}

/// What a configuration says of its node, besides its files.
struct Facts {
    engine: String,
    genesis: PathBuf,
    moniker: Option<String>,
    rpc: Vec<Url>,
    p2p_address: Option<String>,
    keys: KeyFiles,
    remote_signer: bool,
}

impl Layout {
    /// Whether `path`, relative to the home and inside an entry, is left out of it: by an exclude, as our
    /// own scratch directory, or as a database's lock or log.
    #[must_use]
    pub fn is_excluded(&self, path: &Path) -> bool {
        globs::matches(&self.excludes, path) || collect::is_own(path) || self.is_of_database_only(path)
    }

    /// The stores among the entries.
    pub fn databases(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.store)
    }

    /// The lock files of every database in or under an entry, absolute, sorted. Whoever has one locked has
    /// that database open. Blocking.
    ///
    /// # Errors
    /// [`NodeError::Read`] if a directory cannot be read: a database in it would go unnoticed.
    pub fn lock_files(&self, home: &Path) -> Result<Vec<PathBuf>, NodeError> {
        locks::lock_files(self, home)
    }

    /// `LOCK` and `LOG` lie in every `LevelDB` and mean nothing in a copy; elsewhere they are just names.
    fn is_of_database_only(&self, path: &Path) -> bool {
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else { return false };
        let known = name == "LOCK" || name == "LOG" || name == "LOG.old";
        known && (parent.extension().is_some_and(|e| e == "db") || self.databases().any(|e| e.path == parent))
    }
}

#[cfg(test)]
mod tests;
