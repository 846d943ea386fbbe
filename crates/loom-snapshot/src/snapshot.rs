//! The snapshot: where its images are kept, and for how long. What goes into it is the walk's.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::capture::Capture;
use crate::error::SnapshotError;
use crate::item::{Item, ItemKind, Skipped, Totals};
use crate::private::Private;
use crate::source::{self, CaptureOptions, Source};

/// A point-in-time image of a node's files. Removed when dropped; [`remove`](Self::remove) tells whether that
/// succeeded.
#[derive(Debug)]
#[must_use = "a snapshot is removed when it is dropped"]
pub struct Snapshot {
    items: Vec<Item>,
    skipped: Vec<Skipped>,
    left_out: Vec<PathBuf>,
    totals: Totals,
    /// The first one is in the home.
    private: Vec<Private>,
}

impl Snapshot {
    /// Captures the sources in `home` as they are, while nobody writes to them.
    ///
    /// `excluded` is asked for each path, relative to the home, and leaves the file or subtree out; for the
    /// live files of a database it is not asked. What is left in private directories when this fails is
    /// removed.
    ///
    /// # Errors
    /// [`SnapshotError::CopyMax`] when more than [`CaptureOptions::copy_max`] bytes would have to be copied;
    /// [`SnapshotError::Database`] for a database that is not whole; [`SnapshotError::Full`] when space runs
    /// out.
    pub fn capture(
        home: &Path,
        sources: &[Source],
        excluded: &dyn Fn(&Path) -> bool,
        options: &CaptureOptions,
    ) -> Result<Self, SnapshotError> {
        let index = source::index(sources)?;
        let mut places = Places::new(home)?;
        let mut capture = Capture::new(&index, excluded, options);
        for (path, &number) in &index {
            let full = home.join(path);
            let full = if sources[number].follow {
                fs::canonicalize(&full).map_err(|source| SnapshotError::Read { path: full, source })?
            } else {
                full
            };
            let place = places.for_source(&full)?;
            capture.source(number, path, full, place)?;
        }
        let Capture { images, mut items, mut skipped, mut left_out, .. } = capture;
        items.sort_by(|a, b| a.path.cmp(&b.path));
        skipped.sort_by(|a, b| a.path.cmp(&b.path));
        left_out.sort();
        let private = places.private.into_iter().map(|(_, private)| private).collect();
        Ok(Self { items, skipped, left_out, totals: images.totals, private })
    }

    /// What was captured, sorted by path: directories before what is in them.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Sockets, pipes and devices in the sources, sorted by path.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Files of the database engine that are not part of a database, sorted by path: LOCK, LOG, CURRENT.bak,
    /// orphaned tables, journals that were flushed, older MANIFESTs, temporary files.
    #[must_use]
    pub fn left_out(&self) -> &[PathBuf] {
        &self.left_out
    }

    /// How much it is, and how it was captured.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Removes the image of one file that is no longer needed: of a table that the node has dropped meanwhile
    /// it holds the space. Does nothing for other items, and for one whose image was removed already.
    ///
    /// # Errors
    /// [`SnapshotError::Remove`].
    pub fn release(&self, item: &Item) -> Result<(), SnapshotError> {
        let ItemKind::File { image, .. } = &item.kind else { return Ok(()) };
        match fs::remove_file(image) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(SnapshotError::Remove { dir: image.clone(), source })
            }
            _ => Ok(()),
        }
    }

    /// Removes all images.
    ///
    /// # Errors
    /// [`SnapshotError::Remove`] for the first private directory that could not be removed; the others are.
    pub fn remove(mut self) -> Result<(), SnapshotError> {
        self.private.iter_mut().map(Private::remove).fold(Ok(()), Result::and)
    }
}

/// The private directories, each with the device of its file system: links go no further.
struct Places {
    private: Vec<(u64, Private)>,
}

impl Places {
    fn new(home: &Path) -> Result<Self, SnapshotError> {
        let private = Private::in_home(home)?;
        Ok(Self { private: vec![(device(private.path())?, private)] })
    }

    /// The directory for the images of the source at `full`: on its own file system if one can be made there,
    /// beside it or, where it is a mount point, in it; else the one in the home, at the price of copies.
    fn for_source(&mut self, full: &Path) -> Result<&Path, SnapshotError> {
        let wanted = device(full)?;
        let known = self.private.iter().position(|&(device, _)| device == wanted);
        let at = known.or_else(|| self.create_on(wanted, full)).unwrap_or(0);
        Ok(self.private[at].1.path())
    }

    fn create_on(&mut self, wanted: u64, full: &Path) -> Option<usize> {
        for place in full.parent().into_iter().chain([full]) {
            if !place.is_dir() || device(place).ok() != Some(wanted) {
                continue;
            }
            match Private::beside(place) {
                Ok(private) => {
                    self.private.push((wanted, private));
                    return Some(self.private.len() - 1);
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "no private directory on the file system of {}", full.display());
                }
            }
        }
        None
    }
}

fn device(path: &Path) -> Result<u64, SnapshotError> {
    let metadata = fs::symlink_metadata(path);
    metadata
        .map(|metadata| metadata.dev())
        .map_err(|source| SnapshotError::Read { path: path.to_owned(), source })
}
