//! Opening a repository and finding backups in it.

use futures::TryStreamExt;
use loom_archive::decompress;
use loom_storage::{Key, Storage, StorageError};
use serde::de::DeserializeOwned;

use crate::{
    BackupId, FileEntry, Manifest, NodeName, Proof, RepositoryError, RepositoryId, StoreOptions, Summary,
    Writing, fetch, keys,
    marker::{self, Marker},
};

/// The most bytes of JSON that a manifest or a summary may have: 256 MiB. Longer lists of files are stored as segments.
const JSON_MAX: u64 = 256 << 20;

/// The name of the object that `check` probes a store with.
const PROBE: &str = "probe";

/// The backups of one or more nodes at one storage URL.
#[derive(Debug, Clone)]
pub struct Repository {
    storage: Storage,
    marker: Marker,
}

/// A backup as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Whose it is.
    pub node: NodeName,
    /// Its id.
    pub id: BackupId,
}

/// Whether anything but the probes of `check` is there.
async fn has_other_things(storage: &Storage) -> Result<bool, RepositoryError> {
    let mut objects = storage.list_stream(None);
    while let Some(object) = objects.try_next().await? {
        if !object.key.name().starts_with(PROBE) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Repository {
    /// The key of a probe that `check` writes, reads and deletes; where it may not be deleted it stays and is nobody's.
    #[must_use]
    pub fn probe_key(node: &NodeName) -> Key {
        keys::probe(node, PROBE)
    }

    /// Opens the repository at this storage.
    ///
    /// # Errors
    /// [`RepositoryError::NoRepository`] when there is none, [`RepositoryError::Damaged`] or [`RepositoryError::Format`] when its
    /// marker cannot be used.
    pub async fn open(storage: Storage) -> Result<Self, RepositoryError> {
        match marker::read(&storage).await? {
            Some(marker) => Ok(Self { storage, marker }),
            None => Err(RepositoryError::NoRepository { url: storage.url().to_string() }),
        }
    }

    /// Opens the repository at this storage, or creates it where there is nothing at all.
    ///
    /// # Errors
    /// As [`Repository::open`]; [`RepositoryError::ForeignObjects`] when the place is in use for something else.
    pub async fn create_or_open(storage: Storage) -> Result<Self, RepositoryError> {
        if let Some(marker) = marker::read(&storage).await? {
            return Ok(Self { storage, marker });
        }
        // A repository whose marker was lost must not get another identity under its manifests.
        if has_other_things(&storage).await? {
            return Err(RepositoryError::ForeignObjects { url: storage.url().to_string() });
        }
        let marker = marker::create(&storage).await?;
        Ok(Self { storage, marker })
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> &RepositoryId {
        &self.marker.id
    }

    /// Whether the store refuses to overwrite an object when told to; probed when the repository was created.
    ///
    /// Where it does not, two runs that publish the same second under the same name are told apart by the hash in it only.
    #[must_use]
    pub fn conditional_put(&self) -> bool {
        self.marker.conditional_put
    }

    /// The storage below.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The nodes that have anything here, by name.
    ///
    /// # Errors
    /// The storage's.
    pub async fn nodes(&self) -> Result<Vec<NodeName>, RepositoryError> {
        Ok(self.storage.tops().await?.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The backups of one node, oldest first: one listing, nothing is read.
    ///
    /// # Errors
    /// The storage's.
    pub async fn backups(&self, node: &NodeName) -> Result<Vec<Backup>, RepositoryError> {
        let objects = self.storage.list(Some(&keys::backups(node))).await?;
        let ids = objects.iter().filter_map(|object| keys::backup_of(&object.key));
        let mut backups: Vec<_> = ids.map(|id| Backup { node: node.clone(), id }).collect();
        backups.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(backups)
    }

    /// What is said of a backup, from its summary.
    ///
    /// # Errors
    /// [`RepositoryError::Missing`], [`RepositoryError::Damaged`] for a summary that is damaged or another backup's.
    pub async fn summary(&self, node: &NodeName, id: &BackupId) -> Result<Summary, RepositoryError> {
        let key = keys::summary(node, id);
        let stored = match self.storage.get(&key).await {
            Ok(stored) => stored,
            Err(StorageError::NotFound { .. }) => {
                return Err(RepositoryError::Missing {
                    object: self.storage.address(&key),
                    files: Vec::new(),
                });
            }
            Err(error) => return Err(error.into()),
        };
        let summary: Summary = self.parse(&key, &stored).await?;
        let wrong = |what: &str| Err(RepositoryError::damaged(self.storage.address(&key), what.to_owned()));
        if summary.repository != self.marker.id {
            return wrong("it belongs to another repository");
        }
        if summary.node != *node || summary.created != id.created || summary.facts.heights.best() != id.height
        {
            return wrong("it belongs to another backup");
        }
        Ok(summary)
    }

    /// The newest backup of a node that has all these classes and was captured while the node was held still.
    ///
    /// # Errors
    /// [`RepositoryError::NoBackup`] when there is none; [`RepositoryError::Damaged`] when the newest that might do has a damaged
    /// summary: another backup is then the caller's decision, by its id.
    pub async fn latest(
        &self,
        node: &NodeName,
        classes: &[&str],
    ) -> Result<(Backup, Summary), RepositoryError> {
        for backup in self.backups(node).await?.into_iter().rev() {
            let summary = self.summary(node, &backup.id).await?;
            let has = |class: &&str| summary.facts.classes.iter().any(|there| there == class);
            if summary.facts.proof > Proof::Hot && classes.iter().all(has) {
                self.check_summary(node, &backup.id).await?;
                return Ok((backup, summary));
            }
        }
        let wanted =
            if classes.is_empty() { "at all".to_owned() } else { format!("with {}", classes.join(", ")) };
        Err(RepositoryError::NoBackup { node: node.clone(), wanted, url: self.storage.url().to_string() })
    }

    /// Checks the summary of a backup against the hash of it in the manifest.
    async fn check_summary(&self, node: &NodeName, id: &BackupId) -> Result<(), RepositoryError> {
        let manifest = self.manifest_head(node, id).await?;
        let key = keys::summary(node, id);
        let stored = self.storage.get(&key).await?;
        if blake3::hash(&stored).to_string() == manifest.summary {
            Ok(())
        } else {
            let source = "its bytes are not the ones that the manifest names";
            Err(RepositoryError::damaged(self.storage.address(&key), source))
        }
    }

    /// Everything about one backup, checked: its bytes against its name, its lists for sense.
    ///
    /// # Errors
    /// [`RepositoryError::NoBackup`], [`RepositoryError::Damaged`], [`RepositoryError::Format`]; for a long list of files also what
    /// the packs that hold it can have.
    pub async fn manifest(&self, node: &NodeName, id: &BackupId) -> Result<Manifest, RepositoryError> {
        let mut manifest = self.manifest_head(node, id).await?;
        if !manifest.file_list.is_empty() {
            manifest.files = self.file_list(node, &manifest.file_list).await?;
        }
        let damaged = |what| RepositoryError::damaged(self.storage.address(&keys::manifest(node, id)), what);
        manifest.check().map_err(damaged)?;
        Ok(manifest)
    }

    /// The manifest as it is stored, without a list of files that is stored elsewhere.
    async fn manifest_head(&self, node: &NodeName, id: &BackupId) -> Result<Manifest, RepositoryError> {
        let key = keys::manifest(node, id);
        let stored = match self.storage.get(&key).await {
            Ok(stored) => stored,
            Err(StorageError::NotFound { .. }) => {
                return Err(RepositoryError::no_backup(node, id, self.storage.url()));
            }
            Err(error) => return Err(error.into()),
        };
        let wrong = |what: &str| RepositoryError::damaged(self.storage.address(&key), what.to_owned());
        if !id.names(&stored) {
            return Err(wrong("its bytes are not the ones that its name promises"));
        }
        let manifest: Manifest = self.parse(&key, &stored).await?;
        if manifest.repository != self.marker.id {
            return Err(wrong("it belongs to another repository"));
        }
        if manifest.node != *node {
            return Err(wrong("it belongs to another node"));
        }
        Ok(manifest)
    }

    async fn file_list(
        &self,
        node: &NodeName,
        segments: &[crate::SegmentRef],
    ) -> Result<Vec<FileEntry>, RepositoryError> {
        let mut files = Vec::new();
        for bytes in fetch::segments(self, node, segments).await? {
            for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
                let file = serde_json::from_slice(line);
                files.push(file.map_err(|e| RepositoryError::damaged("the list of files", e))?);
            }
        }
        Ok(files)
    }

    async fn parse<T: DeserializeOwned>(&self, key: &Key, stored: &[u8]) -> Result<T, RepositoryError> {
        #[derive(serde::Deserialize)]
        struct Version {
            format: u64,
        }
        let address = || self.storage.address(key);
        let json = decompress(stored, JSON_MAX)
            .await
            .map_err(|source| RepositoryError::damaged(address(), source))?;
        let Version { format } =
            serde_json::from_slice(&json).map_err(|source| RepositoryError::damaged(address(), source))?;
        if format != 1 {
            return Err(RepositoryError::Format { object: address(), found: format });
        }
        serde_json::from_slice(&json).map_err(|source| RepositoryError::damaged(address(), source))
    }

    /// Prepares to write a backup of this node: learns what of it is in the repository already.
    ///
    /// # Errors
    /// The storage's.
    pub async fn begin(&self, node: &NodeName, options: StoreOptions) -> Result<Writing, RepositoryError> {
        Writing::begin(self.clone(), node.clone(), options).await
    }

    /// Reads the marker again and fails if another repository has taken this one's place.
    pub(crate) async fn check_marker(&self) -> Result<(), RepositoryError> {
        match marker::read(&self.storage).await? {
            Some(marker) if marker.id == self.marker.id => Ok(()),
            _ => Err(RepositoryError::Overtaken {
                object: self.storage.address(&keys::marker()),
                what: "is gone or another one's",
            }),
        }
    }
}
