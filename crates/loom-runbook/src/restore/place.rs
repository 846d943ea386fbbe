//! Giving a file, directory or symbolic link the attributes it had.

use std::path::Path;

use loom_repository::{FileEntry, FileKind};
use rustix::fs::{AtFlags, CWD, Gid, Mode, Timespec, Timestamps, Uid};

use crate::{RunError, owners::Numbers};

/// Sets owner, mode and time. Returns `false` where the owner could not be set because this process may not.
pub(super) fn attributes(path: &Path, of: &FileEntry, numbers: &mut Numbers) -> Result<bool, RunError> {
    let (uid, gid) = numbers.of(&of.owner);
    let owned = match chown(path, uid, gid) {
        Ok(()) => true,
        Err(rustix::io::Errno::PERM) => is_owned(path, uid, gid),
        Err(errno) => return Err(RunError::place("set the owner of", path, errno.into())),
    };
    // After the owner: changing that clears the set-id bits. A symbolic link has no mode of its own.
    if !matches!(of.kind, FileKind::Symlink { .. }) {
        let mode = Mode::from_raw_mode(of.mode);
        rustix::fs::chmodat(CWD, path, mode, AtFlags::empty())
            .map_err(|errno| RunError::place("set the mode of", path, errno.into()))?;
    }
    time(path, of)?;
    Ok(owned)
}

/// Sets the time of last modification.
pub(super) fn time(path: &Path, of: &FileEntry) -> Result<(), RunError> {
    let time = Timespec {
        tv_sec: of.modified_ns.div_euclid(1_000_000_000) as i64,
        tv_nsec: of.modified_ns.rem_euclid(1_000_000_000) as _,
    };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| RunError::place("set the time of", path, errno.into()))
}

fn chown(path: &Path, uid: u32, gid: u32) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::fs::chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}

fn is_owned(path: &Path, uid: u32, gid: u32) -> bool {
    rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|s| (s.st_uid, s.st_gid) == (uid, gid))
}
