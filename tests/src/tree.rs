//! Trees of files, compared in everything that a backup promises to bring back.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What a name stands for.
#[derive(Clone, PartialEq, Eq)]
pub enum What {
    /// A file with this content.
    File(Vec<u8>),
    /// A directory.
    Directory,
    /// A symbolic link that says this.
    Symlink(OsString),
    /// A socket, named pipe or device.
    Special,
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(bytes) => {
                write!(f, "file of {} bytes, {}…", bytes.len(), bytes[..bytes.len().min(24)].escape_ascii())
            }
            Self::Directory => f.write_str("directory"),
            Self::Symlink(target) => write!(f, "symlink to {target:?}"),
            Self::Special => f.write_str("special"),
        }
    }
}

/// One name of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub what: What,
    /// Permission, set-id and sticky bits; 0 for a symlink, which has none of its own.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
    /// Time of last modification in seconds and nanoseconds.
    pub modified: (i64, i64),
}

/// Every name below a directory, and the directory itself under the empty name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<PathBuf, Node>);

/// Where two trees differ: the name, and what it is in either.
pub type Difference = (PathBuf, Option<Node>, Option<Node>);

impl Tree {
    /// Reads a directory; symlinks are not followed.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn read(dir: &Path) -> Self {
        let mut tree = Self(BTreeMap::new());
        tree.add(dir, Path::new(""));
        tree
    }

    fn add(&mut self, root: &Path, name: &Path) {
        let path = if name.as_os_str().is_empty() { root.to_owned() } else { root.join(name) };
        let metadata = path.symlink_metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let what = if metadata.is_dir() {
            for child in fs::read_dir(&path).unwrap() {
                self.add(root, &name.join(child.unwrap().file_name()));
            }
            What::Directory
        } else if metadata.is_symlink() {
            What::Symlink(fs::read_link(&path).unwrap().into_os_string())
        } else if metadata.is_file() {
            What::File(fs::read(&path).unwrap())
        } else {
            What::Special
        };
        let node = Node {
            mode: if metadata.is_symlink() { 0 } else { metadata.mode() & 0o7777 },
            owner: (metadata.uid(), metadata.gid()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            what,
        };
        self.0.insert(name.to_owned(), node);
    }

    /// Without some names and all below them.
    #[must_use]
    pub fn without(mut self, left_out: impl Fn(&Path) -> bool) -> Self {
        self.0.retain(|path, _| !path.ancestors().any(&left_out));
        self
    }

    /// Only some names and all below them.
    #[must_use]
    pub fn only(mut self, kept: impl Fn(&Path) -> bool) -> Self {
        self.0.retain(|path, _| path.ancestors().any(&kept));
        self
    }

    /// With the times of these directories unknown: somebody put something into them.
    #[must_use]
    pub fn without_times_of(mut self, paths: &[&str]) -> Self {
        for path in paths {
            if let Some(node) = self.0.get_mut(Path::new(path)) {
                node.modified = (0, 0);
            }
        }
        self
    }

    /// Where the two differ.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let names: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        let differ = |name: &&&PathBuf| self.0.get(**name) != other.0.get(**name);
        let show = |name: &PathBuf| (name.clone(), self.0.get(name).cloned(), other.0.get(name).cloned());
        names.iter().filter(differ).map(|name| show(name)).collect()
    }

    /// Sees to it that the two are the same.
    ///
    /// # Panics
    /// When they differ, saying where.
    #[track_caller]
    pub fn assert_same(&self, other: &Self) {
        let differences = self.differences(other);
        let few = &differences[..differences.len().min(5)];
        assert!(differences.is_empty(), "{} names differ (this one, the other): {few:#?}", differences.len());
    }
}

/// Copies files and directories, with nothing but their content and modes.
///
/// # Panics
/// When that fails.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for child in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let child = child.unwrap();
        let to = to.join(child.file_name());
        if child.file_type().unwrap().is_dir() {
            copy_tree(&child.path(), &to);
        } else {
            fs::copy(child.path(), &to).unwrap();
        }
    }
}
