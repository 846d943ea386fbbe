//! Gathers entries: what is there, where symlinks lead, what excludes take away.
//!
//! It knows no layout: the modules that do tell it what to look for.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
};

use globset::GlobSet;

use super::{Entry, LayoutOptions, LeftOut, Reason, globs};
use crate::{Class, NodeError};

/// What a layout knows about a name before looking.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) class: Class,
    known: Known,
    named_by: Option<&'static str>,
    unclassified: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// A database directory.
    Store,
    /// A directory of the node: followed if it is a symlink to elsewhere.
    Directory,
    /// Anything.
    Plain,
}

impl Kind {
    pub(super) const fn plain(class: Class) -> Self {
        Self { class, known: Known::Plain, named_by: None, unclassified: false }
    }

    pub(super) const fn directory(class: Class) -> Self {
        Self { known: Known::Directory, ..Self::plain(class) }
    }

    pub(super) const fn store() -> Self {
        Self { known: Known::Store, ..Self::plain(Class::Data) }
    }

    /// A store that must be there: `by` is the configuration key or part of the node that needs it.
    pub(super) const fn named(self, by: Option<&'static str>) -> Self {
        Self { named_by: by, ..self }
    }

    pub(super) const fn unclassified(self) -> Self {
        Self { unclassified: true, ..self }
    }
}

pub(super) struct Collector<'a> {
    home: &'a Path,
    real_home: PathBuf,
    excludes: GlobSet,
    /// Whether the engine is of the `LevelDB` family, whose databases can be told from mere directories.
    leveldb: bool,
    entries: BTreeMap<PathBuf, Entry>,
    containers: BTreeSet<PathBuf>,
    left_out: BTreeMap<PathBuf, Reason>,
    /// Named stores that are not there or not databases.
    unfit: Vec<(PathBuf, &'static str)>,
    dangling: Vec<(PathBuf, PathBuf)>,
    links: Vec<Link>,
}

/// An entry that is a symlink. The order is the one in which they may take what they lead to: known names
/// before a second name that somebody gave the same directory.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    unclassified: bool,
    path: PathBuf,
    /// Where it leads in the end, absolute.
    real: PathBuf,
    /// Whether what it leads to is to be taken, unless another entry takes it.
    wanted: bool,
}

pub(super) struct Collected {
    pub(super) entries: Vec<Entry>,
    pub(super) containers: Vec<PathBuf>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) excludes: GlobSet,
}

/// Whether `path` is this tool's own scratch directory or in it.
pub(super) fn is_own(path: &Path) -> bool {
    path.components().any(|component| {
        let Component::Normal(name) = component else { return false };
        name == ".loom-restore" || name.as_encoded_bytes().starts_with(b".loom-snapshot")
    })
}

impl<'a> Collector<'a> {
    pub(super) fn new(home: &'a Path, options: &LayoutOptions) -> Result<Self, NodeError> {
        let failed = |source| NodeError::Read { path: home.to_owned(), source };
        Ok(Self {
            home,
            real_home: fs::canonicalize(home).map_err(failed)?,
            excludes: globs::set(&options.exclude)?,
            leveldb: true,
            entries: BTreeMap::new(),
            containers: BTreeSet::from([PathBuf::from(".")]),
            left_out: BTreeMap::new(),
            unfit: Vec::new(),
            dangling: Vec::new(),
            links: Vec::new(),
        })
    }

    /// Says which engine is configured, by its Tendermint name.
    pub(super) fn set_engine(&mut self, engine: &str) {
        self.leveldb = matches!(engine, "goleveldb" | "cleveldb" | "leveldb");
    }

    pub(super) fn home(&self) -> &'a Path {
        self.home
    }

    /// A path of the configuration, relative to the home if it lies in it; `base` is where relative ones
    /// start. Absolute if it lies outside.
    pub(super) fn resolve(&self, base: &Path, value: &str) -> PathBuf {
        let joined = base.join(value);
        let inside = if joined.is_absolute() {
            match joined.strip_prefix(self.home).or_else(|_| joined.strip_prefix(&self.real_home)) {
                Ok(inside) => inside.to_owned(),
                Err(_) => return joined,
            }
        } else {
            joined
        };
        let mut clean = PathBuf::new();
        for component in inside.components() {
            match component {
                Component::ParentDir if !clean.pop() => return self.home.join(inside),
                Component::Normal(name) => clean.push(name),
                _ => {}
            }
        }
        clean
    }

    /// As [`Self::resolve`], for a directory that must lie in the home.
    pub(super) fn resolve_inside(
        &self,
        base: &Path,
        value: &str,
        key: &'static str,
    ) -> Result<PathBuf, NodeError> {
        let path = self.resolve(base, value);
        if path.is_absolute() {
            return Err(NodeError::OutsideHome { key, path, home: self.home.to_owned() });
        }
        Ok(path)
    }

    /// The names in a directory, sorted; none if it is not there.
    pub(super) fn children(&self, dir: &Path) -> Result<Vec<OsString>, NodeError> {
        let path = self.home.join(dir);
        let failed = |source| NodeError::Read { path: path.clone(), source };
        let names = match fs::read_dir(&path) {
            Ok(names) => names,
            Err(error) if is_absence(&error) => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let names: Result<Vec<_>, _> = names.map(|child| child.map(|child| child.file_name())).collect();
        let mut names = names.map_err(failed)?;
        names.sort();
        Ok(names)
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.home.join(path).exists()
    }

    pub(super) fn is_dir(&self, path: &Path) -> bool {
        self.home.join(path).is_dir()
    }

    /// Takes `path` if it is there, and is not excluded.
    pub(super) fn add(&mut self, path: &Path, kind: Kind) -> Result<(), NodeError> {
        let full = self.home.join(path);
        if is_own(path) || self.entries.contains_key(path) {
            return Ok(());
        }
        let metadata = match fs::symlink_metadata(&full) {
            Ok(metadata) => Some(metadata),
            Err(error) if is_absence(&error) => None,
            Err(source) => return Err(NodeError::Read { path: full, source }),
        };
        if globs::matches(&self.excludes, path) {
            if metadata.is_some() {
                self.leave_out(path, Reason::Excluded);
            }
            return Ok(());
        }
        let Some(metadata) = metadata else {
            self.unfit.extend(kind.named_by.map(|by| (path.to_owned(), by)));
            return Ok(());
        };
        if path.is_absolute() {
            self.leave_out(path, Reason::OutsideHome);
            return Ok(());
        }
        let mut entry = Entry {
            path: path.to_owned(),
            class: kind.class,
            follow: false,
            store: metadata.is_dir() && is_store(&full, kind),
            unclassified: kind.unclassified,
        };
        if metadata.is_symlink() {
            self.examine_link(&full, &mut entry, kind)?;
        }
        if let Some(by) = kind.named_by
            && !(loom_leveldb::is_database(&full) || !self.leveldb && full.is_dir())
        {
            self.unfit.push((path.to_owned(), by));
        }
        self.entries.insert(path.to_owned(), entry);
        Ok(())
    }

    fn examine_link(&mut self, link: &Path, entry: &mut Entry, kind: Kind) -> Result<(), NodeError> {
        let failed = |source| NodeError::Read { path: link.to_owned(), source };
        let real = match fs::canonicalize(link) {
            Ok(real) => real,
            Err(error) if is_absence(&error) => {
                if kind.known == Known::Store {
                    self.dangling.push((link.to_owned(), fs::read_link(link).map_err(failed)?));
                }
                return Ok(());
            }
            Err(error) => return Err(failed(error)),
        };
        entry.store = real.is_dir() && is_store(&real, kind);
        let wanted = entry.store || (real.is_dir() && kind.known == Known::Directory);
        self.links.push(Link { unclassified: entry.unclassified, path: entry.path.clone(), real, wanted });
        Ok(())
    }

    /// Says that `path`, which is there, is not taken.
    pub(super) fn leave_out(&mut self, path: &Path, reason: Reason) {
        self.left_out.insert(path.to_owned(), reason);
    }

    /// Says that `path` was asked for and is not there.
    pub(super) fn leave_out_absent(&mut self, path: &Path) {
        self.leave_out(path, Reason::Absent);
    }

    /// Takes back what [`Self::leave_out`] said by judgement.
    pub(super) fn forget_left_out(&mut self, path: &Path) {
        if self.left_out.get(path).is_some_and(|reason| reason.is_judgement()) {
            self.left_out.remove(path);
        }
    }

    /// Records a directory whose children are entries, if it is there.
    pub(super) fn add_container(&mut self, path: &Path) {
        if !path.as_os_str().is_empty() && self.is_dir(path) {
            self.containers.insert(path.to_owned());
        }
    }

    /// Whether an entry is `path` or holds it.
    pub(super) fn is_taken(&self, path: &Path) -> bool {
        path.ancestors().any(|path| self.entries.contains_key(path))
    }

    /// Whether `path` was said to be left out.
    pub(super) fn is_left_out(&self, path: &Path) -> bool {
        self.left_out.contains_key(path)
    }

    /// Whether an entry lies inside `path`.
    pub(super) fn holds_entries(&self, path: &Path) -> bool {
        self.entries.keys().any(|entry| entry != path && entry.starts_with(path))
    }

    pub(super) fn finish(mut self, strict: bool) -> Result<Collected, NodeError> {
        self.settle_links()?;
        if let Some((inner, outer)) = self.entries.keys().find_map(|inner| {
            let outer = inner.ancestors().skip(1).find(|outer| self.entries.contains_key(*outer))?;
            Some((inner.clone(), outer.to_owned()))
        }) {
            return Err(NodeError::Overlap { outer, inner });
        }
        if strict {
            self.require_stores()?;
        }
        for (path, _) in std::mem::take(&mut self.unfit) {
            if !self.entries.contains_key(&path) {
                self.leave_out_absent(&path);
            }
        }
        for entry in self.entries.keys() {
            let parents = entry.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty());
            self.containers.extend(parents.map(Path::to_owned));
        }
        Ok(Collected {
            entries: self.entries.into_values().collect(),
            containers: self.containers.into_iter().collect(),
            left_out: self.left_out.into_iter().map(|(path, reason)| LeftOut { path, reason }).collect(),
            excludes: self.excludes,
        })
    }

    /// A symlink to what another entry takes stays a symlink, or it would be taken, and replaced, twice.
    /// To elsewhere it is followed, inside the home too: the closed list of a layout would else take the
    /// name and not what it stands for.
    fn settle_links(&mut self) -> Result<(), NodeError> {
        let mut links = std::mem::take(&mut self.links);
        links.sort();
        let mut taken = Vec::new();
        for path in self.entries.keys().filter(|path| links.iter().all(|link| link.path != **path)) {
            let path = self.home.join(path);
            // A dangling symlink is taken as it is, and takes nothing else.
            match fs::canonicalize(&path) {
                Ok(real) => taken.push(real),
                Err(error) if is_absence(&error) => {}
                Err(source) => return Err(NodeError::Read { path, source }),
            }
        }
        for link in links {
            let covered = taken.iter().any(|taken| link.real.starts_with(taken));
            let entry = self.entries.get_mut(&link.path).expect("a link is recorded with its entry");
            entry.follow = link.wanted && !covered;
            entry.store &= entry.follow;
            if entry.follow {
                taken.push(link.real);
            } else if !covered {
                self.leave_out(&link.path, Reason::LinkTarget);
            }
        }
        Ok(())
    }

    fn require_stores(&self) -> Result<(), NodeError> {
        if let Some((path, target)) = self.dangling.first().cloned() {
            return Err(NodeError::DanglingStore { path, target });
        }
        let Some((path, named_by)) = self.unfit.first() else { return Ok(()) };
        if self.entries.values().any(|entry| entry.store) {
            Err(NodeError::StoreAbsent { path: self.home.join(path), named_by })
        } else {
            Err(NodeError::NoDatabase { home: self.home.to_owned() })
        }
    }
}

fn is_store(dir: &Path, kind: Kind) -> bool {
    kind.known == Known::Store || loom_leveldb::is_database(dir)
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
