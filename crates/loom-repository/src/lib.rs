//! Backups in storage: what is there, what a backup consists of, writing one and reading one back.
//!
//! A [`Repository`] is the backups of one or more nodes at one storage URL, in the layout that `docs/format.md` describes to
//! the byte. A backup is one [`Manifest`] and all the packs it names; it exists from the moment its manifest is stored, which
//! happens last. This crate does not know what a node is: classes, layouts and units are words to it.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use loom_repository::{FileEntry, FileToStore, Repository, StoreOptions};
//! use loom_storage::{Storage, StorageOptions};
//!
//! let storage = Storage::open(&"memory:///example".parse()?, &StorageOptions::default())?;
//! let repository = Repository::create_or_open(storage).await?;
//! let node = "node-1".parse()?;
//!
//! let file = tempfile::NamedTempFile::new()?;
//! std::fs::write(file.path(), "bytes of a node")?;
//! let entry = FileEntry::file("genesis.json", 15, "config");
//!
//! let mut writing = repository.begin(&node, StoreOptions::default()).await?;
//! writing.store(vec![FileToStore { entry, image: Some(file.path().to_owned()) }], |_| ()).await?;
//! let published = writing.publish(Default::default()).await?;
//!
//! let manifest = repository.manifest(&node, &published.id).await?;
//! assert_eq!(manifest.files[0].path_lossy(), "genesis.json");
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod buffers;
mod error;
mod facts;
mod fetch;
mod files;
mod keys;
mod known;
mod manifest;
mod marker;
mod names;
mod packing;
mod repository;
mod spelling;
mod summary;
mod writing;

pub use error::RepositoryError;
pub use facts::{Facts, Heights, Pause, Proof, Quiesce, Tool, Totals};
pub use fetch::{Destination, FetchOptions};
pub use files::{FileEntry, FileKind, Owner, SegmentRef};
pub use loom_archive::{PackId, SegmentId};
pub use loom_storage as storage;
pub use manifest::{DefinitionFile, EntryRecord, Manifest, NodeBinary, ServiceRecord};
pub use marker::RepositoryId;
pub use names::{BackupId, NodeName, ParseNameError};
pub use repository::{Backup, Repository};
pub use summary::{PackRef, Summary};
pub use writing::{Draft, FileToStore, Published, StoreOptions, Stored, Writing};

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
