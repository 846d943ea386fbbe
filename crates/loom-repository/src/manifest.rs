//! The manifest: the list that makes a set of packs a backup.

use std::{collections::BTreeSet, path::PathBuf};

use jiff::Timestamp;
use loom_archive::PackId;
use serde::{Deserialize, Serialize};

use crate::{Facts, FileEntry, NodeName, PackRef, RepositoryId, SegmentRef, files::check_tree, spelling};

/// Everything about one backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// 1.
    pub format: u64,
    /// The repository it was written for.
    pub repository: RepositoryId,
    /// The node.
    pub node: NodeName,
    /// When it was published.
    pub created: Timestamp,
    /// What is said of the backup, as in its summary.
    #[serde(flatten)]
    pub facts: Facts,
    /// BLAKE3 of the stored bytes of the backup's summary.
    pub summary: String,
    /// The service that ran the node.
    #[serde(default)]
    pub service: Option<ServiceRecord>,
    /// Every pack that the backup refers to, with its size.
    #[serde(default)]
    pub packs: Vec<PackRef>,
    /// The directories that entries stand in and that are no entries themselves, such as `chaindata/config`, parents first; the
    /// home itself has the empty path. A restore creates them when they are absent and never replaces them.
    #[serde(default)]
    pub containers: Vec<FileEntry>,
    /// The units that a restore replaces with one rename each.
    #[serde(default)]
    pub entries: Vec<EntryRecord>,
    /// Every file, directory and symbolic link, parents before children; empty in JSON where `file_list` is there.
    #[serde(default)]
    pub files: Vec<FileEntry>,
    /// The same list, one JSON object a line, stored as segments, where it is long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_list: Vec<SegmentRef>,
}

/// An entry of the node's home: what a backup takes and a restore replaces as one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EntryRecord {
    /// Its path relative to the home, where that is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The same in base64, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    /// Its class.
    pub class: String,
    /// Where the symbolic link led that stood in its place and was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followed: Option<PathBuf>,
    /// Whether the layout did not know it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unclassified: bool,
}

impl EntryRecord {
    /// An entry at this path.
    #[must_use]
    pub fn new(path: &[u8], class: &str) -> Self {
        let (path, path_base64) = spelling::spell(path);
        Self { path, path_base64, class: class.to_owned(), followed: None, unclassified: false }
    }

    /// Its path as bytes.
    ///
    /// # Errors
    /// What is wrong with its spelling.
    pub fn path(&self) -> Result<Vec<u8>, &'static str> {
        spelling::read(self.path.clone(), self.path_base64.as_deref())
    }
}

/// The service that ran the node, as it was defined when the backup was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceRecord {
    /// The unit's name.
    pub unit: String,
    /// Its definition: the main file first, then the drop-ins in the order in which they apply.
    pub definition: Vec<DefinitionFile>,
    /// The peers in it, as written, by the flag that names them.
    pub peers: Vec<(String, Vec<String>)>,
    /// The node's program.
    pub binary: Option<NodeBinary>,
}

/// A file of a service definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DefinitionFile {
    /// Where it was.
    pub path: PathBuf,
    /// Its text, where it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Its bytes in base64, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_base64: Option<String>,
}

impl DefinitionFile {
    /// A file with these bytes.
    #[must_use]
    pub fn new(path: PathBuf, bytes: &[u8]) -> Self {
        let (text, text_base64) = spelling::spell(bytes);
        Self { path, text, text_base64 }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// What is wrong with their spelling.
    pub fn bytes(&self) -> Result<Vec<u8>, &'static str> {
        spelling::read(self.text.clone(), self.text_base64.as_deref())
    }
}

/// The program that the service runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeBinary {
    /// Where it was.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// BLAKE3 of it, as 64 hex digits.
    pub blake3: String,
}

impl Manifest {
    /// Checks that the lists describe one tree that stays inside the home.
    pub(crate) fn check(&self) -> Result<(), String> {
        let containers: Vec<&[u8]> = self.containers.iter().map(|container| &*container.path).collect();
        for (at, path) in containers.iter().enumerate() {
            let parent = path.iter().rposition(|b| *b == b'/').map(|cut| &path[..cut]);
            let good = |part: &[u8]| !part.is_empty() && part != b"." && part != b".." && !part.contains(&0);
            let inside = path.is_empty() || path.split(|b| *b == b'/').all(good);
            if !inside || parent.is_some_and(|parent| !containers[..at].contains(&parent)) {
                return Err(format!(
                    "the container {:?} leads out of the home",
                    String::from_utf8_lossy(path)
                ));
            }
        }
        let listed: BTreeSet<&[u8]> = self.files.iter().map(|file| &*file.path).collect();
        for entry in &self.entries {
            let path = entry.path()?;
            if !listed.contains(&*path) {
                return Err(format!("the entry {:?} is not among the files", String::from_utf8_lossy(&path)));
            }
        }
        let packs: BTreeSet<PackId> = self.packs.iter().map(|pack| pack.id).collect();
        if let Some(file) = self.files.iter().find(|f| f.segments().iter().any(|s| !packs.contains(&s.pack)))
        {
            return Err(format!("{:?} is in a pack that is not listed", file.path_lossy()));
        }
        check_tree(&self.files, &containers)
    }
}
