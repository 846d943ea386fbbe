//! Objects as files under a directory, readable by their owner only and durable when written.
//!
//! Writing is done here, because `object_store`'s `LocalFileSystem` leaves the modes to the process's umask,
//! and a backup holds keys; everything else is left to it.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::StorageError;

/// A directory of objects. The directory need not exist before the first put.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    root: PathBuf,
    /// Rooted at `/` with our directory in front, because one rooted at a directory demands that it exists.
    files: Arc<PrefixStore<LocalFileSystem>>,
    /// Directories that this process has seen to be on disk, with all that is above them.
    durable: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Disk {
    pub(crate) fn open(root: &FilePath) -> Result<Self, StorageError> {
        let unusable = |source| StorageError::Io { what: "open", path: root.to_owned(), source };
        match fs::metadata(root) {
            Ok(found) if !found.is_dir() => return Err(unusable(ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unusable(error)),
            _ => {}
        }
        let prefix =
            Path::from_absolute_path(root).map_err(|error| unusable(io::Error::other(error.to_string())))?;
        let files = PrefixStore::new(LocalFileSystem::new().with_fsync(true), prefix);
        Ok(Self { root: root.to_owned(), files: Arc::new(files), durable: Arc::default() })
    }

    fn write(&self, path: &FilePath, object: &PutPayload, mode: &PutMode) -> io::Result<()> {
        let directory = path.parent().unwrap_or(&self.root);
        self.make_durable(directory)?;
        let mut unfinished = match Unfinished::create(path) {
            // Somebody has cleared the directory away since.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.lock().clear();
                self.make_durable(directory)?;
                Unfinished::create(path)?
            }
            other => other?,
        };
        object.iter().try_for_each(|part| unfinished.file.write_all(part))?;
        unfinished.file.sync_all()?;
        match mode {
            PutMode::Create => unfinished.publish_new(path)?,
            _ => unfinished.publish(path)?,
        }
        sync_directory(directory)
    }

    /// Creates `directory` where it is missing, and has it and every directory up to the root on disk.
    ///
    /// Held under one lock: a directory that another thread has just made, and not synced, must not be taken for durable.
    fn make_durable(&self, directory: &FilePath) -> io::Result<()> {
        let mut durable = self.lock();
        if durable.contains(directory) {
            return Ok(());
        }
        let above = self.root.ancestors().find(|above| above.exists()).unwrap_or(&self.root).to_owned();
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| {
            match error.kind() {
                // A file is in the way; "exists" would read as if the object did.
                ErrorKind::AlreadyExists => ErrorKind::NotADirectory.into(),
                _ => error,
            }
        })?;
        for made in directory.ancestors().take_while(|made| made.starts_with(&above)) {
            sync_directory(made)?;
        }
        durable.insert(directory.to_owned());
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sync_directory(directory: &FilePath) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        // Some network file systems have no such thing for directories.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// A file beside its future place, gone again unless it was published.
///
/// Named `<name>#<number>`, which `LocalFileSystem` never lists as an object, and which no [`Key`](crate::Key) can be.
struct Unfinished {
    file: File,
    path: PathBuf,
    published: bool,
}

impl Unfinished {
    fn create(target: &FilePath) -> io::Result<Self> {
        let mut number = 0_u64;
        loop {
            number += 1;
            let path = Self::beside(target, number);
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => return Ok(Self { file, path, published: false }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// `<name>#<number>`, cut where the name would be too long for a file system.
    fn beside(target: &FilePath, number: u64) -> PathBuf {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let cut = name.floor_char_boundary(230);
        // The listing looks at what follows the *first* `#`.
        target.with_file_name(format!("{}#{number}", name[..cut].replace('#', "_")))
    }

    fn publish(&mut self, target: &FilePath) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.published = true;
        Ok(())
    }

    fn publish_new(&mut self, target: &FilePath) -> io::Result<()> {
        fs::hard_link(&self.path, target)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed is not listed as an object either.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl std::fmt::Display for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Disk({})", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for Disk {
    async fn put_opts(&self, location: &Path, object: PutPayload, options: PutOptions) -> Result<PutResult> {
        let disk = self.clone();
        let path = self.root.join(location.as_ref());
        let location = location.to_string();
        tokio::task::spawn_blocking(move || disk.write(&path, &object, &options.mode)).await?.map_err(
            |error| match error.kind() {
                ErrorKind::AlreadyExists => Error::AlreadyExists { path: location, source: Box::new(error) },
                _ => Error::Generic { store: "local disk", source: Box::new(error) },
            },
        )?;
        Ok(PutResult { e_tag: None, version: None, extensions: object_store::Extensions::default() })
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        // An upload through `files` would have the umask's modes.
        Err(Error::NotImplemented { operation: "multipart upload".to_owned(), implementer: self.to_string() })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }
}
