//! The walk over the sources: what is met becomes an item with an image. One readdir for each directory,
//! nothing hashed, nothing flushed: the node stands still meanwhile.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::SnapshotError;
use crate::image::{Image, Images};
use crate::item::{Inode, Item, ItemKind, Skipped, SkippedKind};
use crate::private;
use crate::roles::{self, Role, Settled};
use crate::source::{CaptureOptions, Engine};

/// What the walk has found so far.
pub(crate) struct Capture<'a> {
    /// Path of each source: not to be taken as a part of another one.
    sources: &'a BTreeMap<PathBuf, usize>,
    excluded: &'a dyn Fn(&Path) -> bool,
    engine: Engine,
    pub(crate) images: Images,
    pub(crate) items: Vec<Item>,
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) left_out: Vec<PathBuf>,
}

/// A name that is still to be captured.
struct Pending {
    /// Relative to the home: the item's.
    path: PathBuf,
    /// Where it really is.
    full: PathBuf,
    role: Role,
}

/// The source that is walked, and the directory for its images.
#[derive(Clone, Copy)]
struct Walk<'a> {
    source: usize,
    images_in: &'a Path,
}

impl<'a> Capture<'a> {
    pub(crate) fn new(
        sources: &'a BTreeMap<PathBuf, usize>,
        excluded: &'a dyn Fn(&Path) -> bool,
        options: &CaptureOptions,
    ) -> Self {
        Self {
            sources,
            excluded,
            engine: options.engine,
            images: Images::new(options.copy_max),
            items: Vec::new(),
            skipped: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Captures the source number `source` at `path`, really `full`, with images in `images_in`.
    pub(crate) fn source(
        &mut self,
        source: usize,
        path: &Path,
        full: PathBuf,
        images_in: &Path,
    ) -> Result<(), SnapshotError> {
        if (self.excluded)(path) {
            return Ok(());
        }
        let kind = fs::symlink_metadata(&full).map_err(|source| read_error(&full, source))?.file_type();
        let walk = Walk { source, images_in };
        // A stack, not recursion: the depth is another program's choice.
        let mut pending = vec![Pending { path: path.to_owned(), full, role: Role::Ordinary(kind) }];
        while let Some(next) = pending.pop() {
            if let Role::Ordinary(kind) = next.role
                && kind.is_dir()
            {
                // Popped in the order of their names, so that the items come out sorted but for nested
                // sources.
                pending.extend(self.directory(walk, next)?.into_iter().rev());
            } else {
                self.leaf(walk, next)?;
            }
        }
        Ok(())
    }

    /// Takes the directory itself and tells what is in it.
    fn directory(&mut self, walk: Walk<'_>, dir: Pending) -> Result<Vec<Pending>, SnapshotError> {
        let Pending { path, full, .. } = dir;
        let metadata = fs::symlink_metadata(&full).map_err(|source| read_error(&full, source))?;
        let entries = read_dir(&full).map_err(|source| read_error(&full, source))?;
        let roles = roles::assign(&full, self.engine, entries)
            .map_err(|source| SnapshotError::Database { path: full.clone(), source })?;
        let inside = roles.into_iter().filter_map(|(name, role)| {
            let path = path.join(&name);
            // Half a database is worse than none: what is live in one is taken whatever is excluded.
            let ordinary = matches!(role, Role::Ordinary(_) | Role::Settled(Settled::WalPiece));
            let elsewhere =
                private::is_ours(&name) || self.sources.contains_key(&path) || (self.excluded)(&path);
            (!ordinary || !elsewhere).then(|| Pending { path, full: full.join(&name), role })
        });
        let inside = inside.collect();
        self.items.push(Item::new(path, Some(walk.source), ItemKind::Directory, &metadata));
        Ok(inside)
    }

    fn leaf(&mut self, walk: Walk<'_>, leaf: Pending) -> Result<(), SnapshotError> {
        let Pending { mut path, full, role } = leaf;
        let (image, level, settled) = match role {
            Role::LeftOut => {
                self.left_out.push(path);
                return Ok(());
            }
            Role::Ordinary(kind) if kind.is_symlink() => return self.symlink(walk, path, &full),
            Role::Ordinary(kind) if !kind.is_file() => {
                self.skipped.push(Skipped { path, kind: SkippedKind::of(kind) });
                return Ok(());
            }
            Role::Ordinary(_) | Role::Changing => {
                (self.images.changing(&full, walk.images_in, None)?, None, false)
            }
            Role::Prefix(size) => (self.images.changing(&full, walk.images_in, Some(size))?, None, false),
            Role::Current(content) => {
                path.set_file_name("CURRENT");
                (self.images.written(&full, walk.images_in, content.as_bytes())?, None, false)
            }
            Role::Settled(Settled::WalPiece) => (self.images.settled(&full, walk.images_in)?, None, true),
            Role::Settled(Settled::Table { level, size }) => {
                (self.table(walk, &full, size)?, Some(level), true)
            }
        };
        let inode = settled.then(|| Inode::of(&image.metadata));
        let kind = ItemKind::File { size: image.size, image: image.path, level, inode };
        self.items.push(Item::new(path, Some(walk.source), kind, &image.metadata));
        Ok(())
    }

    fn table(&mut self, walk: Walk<'_>, full: &Path, expected: u64) -> Result<Image, SnapshotError> {
        let image = self.images.settled(full, walk.images_in)?;
        // Of a node that runs, the name may have come to mean another table since the MANIFEST was read.
        if image.size == expected {
            return Ok(image);
        }
        Err(SnapshotError::Changed { path: full.to_owned(), expected, found: image.size })
    }

    fn symlink(&mut self, walk: Walk<'_>, path: PathBuf, full: &Path) -> Result<(), SnapshotError> {
        let read = || Ok((fs::symlink_metadata(full)?, fs::read_link(full)?));
        let (metadata, target) = read().map_err(|source| read_error(full, source))?;
        self.items.push(Item::new(path, Some(walk.source), ItemKind::Symlink { target }, &metadata));
        Ok(())
    }
}

fn read_dir(dir: &Path) -> io::Result<Vec<(OsString, FileType)>> {
    fs::read_dir(dir)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name(), entry.file_type()?))
        })
        .collect()
}

fn read_error(path: &Path, source: io::Error) -> SnapshotError {
    SnapshotError::Read { path: path.to_owned(), source }
}
