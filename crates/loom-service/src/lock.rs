//! The `LOCK` files of `LevelDB` stores: taken in both ways in which engines take them, and held.
//!
//! goleveldb takes `flock(2)`, C++ `LevelDB` (cleveldb) an `fcntl(2)` lock on the same file; the two do not see
//! each other. Who has both of every store knows that nobody has it open, and that nobody opens it until they
//! are dropped: a node that is started meanwhile fails with "resource temporarily unavailable".
//!
//! Does not find the stores, and never creates a `LOCK`.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock, flock, major, minor};

use crate::{ServiceError, ServiceResult};

/// One of the two kinds of lock on one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// `flock(2)`: goleveldb.
    Flock,
    /// `fcntl(2)` with `F_SETLK`: C++ `LevelDB`, `RocksDB`.
    Posix,
}

impl LockKind {
    /// Its name in /proc/locks.
    fn in_proc(self) -> &'static str {
        match self {
            Self::Flock => "FLOCK",
            Self::Posix => "POSIX",
        }
    }
}

impl fmt::Display for LockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flock => "flock",
            Self::Posix => "fcntl",
        })
    }
}

/// The process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockHolder {
    /// Its process id.
    pub pid: u32,
    /// The name of its command (`comm`), if it could be read.
    pub command: Option<String>,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Some(command) => write!(f, "{command} (process {})", self.pid),
            None => write!(f, "process {}", self.pid),
        }
    }
}

/// Both kinds of lock on the `LOCK` files of some stores, held until it is dropped.
///
/// fcntl locks belong to the process and go with *any* descriptor of the file that it closes: while this is
/// held, no other code of this process may open and close these files, nor take them a second time.
#[derive(Debug)]
#[must_use = "the locks are released when this is dropped"]
pub struct StoreLocks {
    files: Vec<File>,
}

impl StoreLocks {
    /// Takes both locks on each file, without waiting. A file that is named twice, by a link too, is opened once.
    ///
    /// # Errors
    /// [`ServiceError::LockHeld`] when somebody has the store open; [`ServiceError::LockOpen`] when a file is
    /// not there or not readable. Either way none stays locked.
    pub fn take(paths: &[PathBuf]) -> ServiceResult<Self> {
        let mut seen = HashSet::new();
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            // Known by its inode before it is opened: closing a second descriptor would drop the fcntl lock.
            let file = fs::metadata(path).map_err(|source| cannot_open(path, source))?;
            if seen.insert((file.dev(), file.ino())) {
                files.push(take_one(path, &file)?);
            }
        }
        Ok(Self { files })
    }

    /// The number of files held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether no file is held: then nothing is proved.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

fn take_one(path: &Path, metadata: &Metadata) -> ServiceResult<File> {
    // An exclusive fcntl lock needs a descriptor for writing. A shared one conflicts with a holder just as
    // well, and keeps later writers out, so a reader of foreign files gets its proof too.
    let (file, posix) = if let Ok(file) = OpenOptions::new().read(true).write(true).open(path) {
        (file, FlockOperation::NonBlockingLockExclusive)
    } else {
        let file = File::open(path).map_err(|source| cannot_open(path, source))?;
        (file, FlockOperation::NonBlockingLockShared)
    };
    let flocked = flock(&file, FlockOperation::NonBlockingLockExclusive);
    flocked.map_err(|error| refused(path, metadata, LockKind::Flock, error.into()))?;
    fcntl_lock(&file, posix).map_err(|error| refused(path, metadata, LockKind::Posix, error.into()))?;
    Ok(file)
}

fn cannot_open(path: &Path, source: io::Error) -> ServiceError {
    ServiceError::LockOpen { path: path.to_owned(), source }
}

fn refused(path: &Path, metadata: &Metadata, kind: LockKind, source: io::Error) -> ServiceError {
    let path = path.to_owned();
    // POSIX lets F_SETLK answer EACCES or EAGAIN for a lock that is held.
    if matches!(source.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied) {
        ServiceError::LockHeld { path, kind, holder: holder(metadata, kind) }
    } else {
        ServiceError::Lock { path, kind, source }
    }
}

/// Best effort: /proc/locks leaves out the processes of other pid namespaces.
fn holder(metadata: &Metadata, kind: LockKind) -> Option<LockHolder> {
    let pid = find_holder(&fs::read_to_string("/proc/locks").ok()?, metadata.dev(), metadata.ino(), kind)?;
    let command = fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| name.trim().to_owned());
    Some(LockHolder { pid, command })
}

/// The process in a table of `proc_locks(5)`: `1: FLOCK  ADVISORY  WRITE 708 fe:00:22733 0 EOF`.
fn find_holder(locks: &str, dev: u64, ino: u64, kind: LockKind) -> Option<u32> {
    let device = format!("{:02x}:{:02x}", major(dev), minor(dev));
    let mut other_device = None;
    for line in locks.lines() {
        // A process that waits for the lock has `->` in second place, so it does not match the kind.
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, its_kind, _, _, pid, file, ..] = fields[..] else { continue };
        let Some((its_device, its_ino)) = file.rsplit_once(':') else { continue };
        if its_kind == kind.in_proc() && its_ino.parse() == Ok(ino) {
            if its_device == device {
                return pid.parse().ok();
            }
            other_device = pid.parse().ok();
        }
    }
    // btrfs and overlayfs show programs another device number than the one in this table.
    other_device
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_by_kind_device_and_inode() {
        let locks = "\
1: FLOCK  ADVISORY  WRITE 708 fe:00:22733 0 EOF
2: POSIX  ADVISORY  WRITE 709 fe:00:22733 0 EOF
2: -> POSIX  ADVISORY  WRITE 710 fe:00:22733 0 EOF
3: FLOCK  ADVISORY  READ  711 fe:01:22733 0 EOF
4: FLOCK  ADVISORY  WRITE 712 00:2c:50 0 EOF
";
        let device = |major, minor| rustix::fs::makedev(major, minor);
        let find = |dev, ino, kind| find_holder(locks, dev, ino, kind);
        assert_eq!(find(device(0xfe, 0), 22733, LockKind::Flock), Some(708));
        assert_eq!(find(device(0xfe, 0), 22733, LockKind::Posix), Some(709));
        assert_eq!(find(device(0xfe, 1), 22733, LockKind::Flock), Some(711));
        assert_eq!(find(device(0, 0x99), 50, LockKind::Flock), Some(712));
        assert_eq!(find(device(0xfe, 0), 50, LockKind::Posix), None);
    }
}
