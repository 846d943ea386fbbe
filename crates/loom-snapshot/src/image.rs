//! Images: one file of the node made to last, by a hard link, a reflink or a copy. It does not decide which
//! files may be linked.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::error::SnapshotError;
use crate::item::Totals;

const PER_DIRECTORY: u64 = 4096;

/// A file's image, and the attributes the file had.
pub(crate) struct Image {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    /// Of the node's file, not of a copy.
    pub(crate) metadata: Metadata,
}

/// Makes images in private directories, under names that count up: the node's names may be too long or too
/// odd.
pub(crate) struct Images {
    copy_max: u64,
    next: u64,
    /// The directory that was made last.
    made: PathBuf,
    pub(crate) totals: Totals,
}

impl Images {
    pub(crate) fn new(copy_max: u64) -> Self {
        Self { copy_max, next: 0, made: PathBuf::new(), totals: Totals::default() }
    }

    /// An image of a file that is never written again: a link if that can be, else a reflink or a copy.
    pub(crate) fn settled(&mut self, path: &Path, dir: &Path) -> Result<Image, SnapshotError> {
        let image = self.next_name(path, dir)?;
        match fs::hard_link(path, &image) {
            Ok(()) => {}
            Err(why) if no_links_here(&why) => return self.duplicate(path, dir, image, None, Some(why)),
            Err(why) => {
                let read = why.kind() == io::ErrorKind::NotFound;
                return Err(full_or(path, dir, why, |path, source| {
                    if read {
                        SnapshotError::Read { path, source }
                    } else {
                        SnapshotError::Link { path, source }
                    }
                }));
            }
        }
        let read_error = |source| SnapshotError::Read { path: path.to_owned(), source };
        let metadata = fs::symlink_metadata(&image).map_err(read_error)?;
        let size = metadata.len();
        if !metadata.is_file() {
            return Err(read_error(no_file()));
        }
        self.totals.linked += size;
        Ok(self.counted(Image { path: image, size, metadata }))
    }

    /// An image of a file that may be written again: a reflink, else a copy. With `size`, of so many bytes
    /// from its beginning, which must be there; else of all there are.
    pub(crate) fn changing(
        &mut self,
        path: &Path,
        dir: &Path,
        size: Option<u64>,
    ) -> Result<Image, SnapshotError> {
        let image = self.next_name(path, dir)?;
        self.duplicate(path, dir, image, size, None)
    }

    /// An image with this content, in place of what `path` holds.
    pub(crate) fn written(
        &mut self,
        path: &Path,
        dir: &Path,
        content: &[u8],
    ) -> Result<Image, SnapshotError> {
        let metadata =
            fs::metadata(path).map_err(|source| SnapshotError::Read { path: path.to_owned(), source })?;
        let size = content.len() as u64;
        self.allow(path, size, None)?;
        let image = self.next_name(path, dir)?;
        fs::write(&image, content).map_err(|error| full_or(path, dir, error, copy_error))?;
        self.totals.copied += size;
        Ok(self.counted(Image { path: image, size, metadata }))
    }

    fn duplicate(
        &mut self,
        path: &Path,
        dir: &Path,
        image: PathBuf,
        size: Option<u64>,
        why: Option<io::Error>,
    ) -> Result<Image, SnapshotError> {
        let read_error = |source| SnapshotError::Read { path: path.to_owned(), source };
        // Neither through a symlink nor waiting for a pipe's other end: the name may have come to mean
        // another file.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let from = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(read_error)?;
        let metadata = from.metadata().map_err(read_error)?;
        if !metadata.is_file() {
            return Err(read_error(no_file()));
        }
        let size = size.unwrap_or(metadata.len());
        let to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&image);
        let to = to.map_err(|error| full_or(path, dir, error, copy_error))?;
        let found = match reflink_copy::reflink_file(&from, &to) {
            Ok(()) => {
                let found = shortened(&to, size).map_err(|error| full_or(path, dir, error, copy_error))?;
                self.totals.reflinked += found;
                found
            }
            Err(error) if is_full(&error) => return Err(full_or(path, dir, error, copy_error)),
            Err(_) => {
                self.allow(path, size, why)?;
                // `io::copy` between files has the kernel move the bytes.
                let found = io::copy(&mut (&from).take(size), &mut &to);
                let found = found.map_err(|error| full_or(path, dir, error, copy_error))?;
                self.totals.copied += found;
                found
            }
        };
        if found != size {
            return Err(SnapshotError::Changed { path: path.to_owned(), expected: size, found });
        }
        self.totals.grown += u64::from(from.metadata().map_err(read_error)?.len() > size);
        Ok(self.counted(Image { path: image, size, metadata }))
    }

    /// Refuses a copy that would make them too many. Before the first byte, since the node stands still
    /// meanwhile.
    fn allow(&self, path: &Path, size: u64, why: Option<io::Error>) -> Result<(), SnapshotError> {
        let needed = self.totals.copied.saturating_add(size);
        if needed <= self.copy_max {
            return Ok(());
        }
        Err(SnapshotError::CopyMax { path: path.to_owned(), needed, copy_max: self.copy_max, why })
    }

    fn next_name(&mut self, path: &Path, dir: &Path) -> Result<PathBuf, SnapshotError> {
        let number = self.next;
        self.next += 1;
        let mut name = dir.join(format!("{:06}", number / PER_DIRECTORY));
        if name != self.made {
            match fs::create_dir(&name) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    let create_error = |_, source| SnapshotError::CreateDir { dir: dir.to_owned(), source };
                    return Err(full_or(path, dir, error, create_error));
                }
                _ => self.made.clone_from(&name),
            }
        }
        name.push(format!("{:04}", number % PER_DIRECTORY));
        Ok(name)
    }

    fn counted(&mut self, image: Image) -> Image {
        self.totals.files += 1;
        self.totals.bytes += image.size;
        image
    }
}

/// Cuts a reflink to the `size` wanted, and gives the size it then has.
fn shortened(to: &File, size: u64) -> io::Result<u64> {
    let found = to.metadata()?.len();
    if found > size {
        to.set_len(size)?;
    }
    Ok(found.min(size))
}

/// Whether linking failed since it is not possible here: another file system, not the owner (protected hard
/// links), too many links already, or a file system without any.
fn no_links_here(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| {
        [Errno::XDEV, Errno::PERM, Errno::MLINK, Errno::OPNOTSUPP, Errno::NOSYS].contains(&errno)
    })
}

/// The name meant a regular file when its directory was read.
fn no_file() -> io::Error {
    io::Error::other("it is no longer a regular file")
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn copy_error(path: PathBuf, source: io::Error) -> SnapshotError {
    SnapshotError::Copy { path, source }
}

fn full_or(
    path: &Path,
    dir: &Path,
    source: io::Error,
    or: impl FnOnce(PathBuf, io::Error) -> SnapshotError,
) -> SnapshotError {
    if is_full(&source) {
        return SnapshotError::Full { path: path.to_owned(), dir: dir.to_owned(), source };
    }
    or(path.to_owned(), source)
}
