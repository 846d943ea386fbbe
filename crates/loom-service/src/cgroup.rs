//! The processes of a unit, as the kernel counts them: its control group.
//!
//! Does not freeze, and changes nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{ServiceError, ServiceResult};

/// Where the hierarchy that systemd manages may be mounted: unified, hybrid, legacy.
const MOUNTS: [&str; 3] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];

/// The processes in a control group and all below it; none if it is gone. `group` is systemd's
/// `ControlGroup` property, absolute from the mount. A process of a foreign pid namespace counts as 0.
pub(crate) fn processes(group: &str) -> ServiceResult<Vec<u32>> {
    processes_below(&MOUNTS, group)
}

fn processes_below(mounts: &[&str], group: &str) -> ServiceResult<Vec<u32>> {
    let mut pids = Vec::new();
    let relative = group.trim_matches('/');
    if !relative.is_empty() {
        for mount in mounts {
            collect(&Path::new(mount).join(relative), &mut pids)?;
        }
    }
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

fn collect(directory: &Path, pids: &mut Vec<u32>) -> ServiceResult<()> {
    let list = directory.join("cgroup.procs");
    let Some(text) = unless_gone(fs::read_to_string(&list), &list)? else { return Ok(()) };
    pids.extend(text.lines().filter_map(|line| line.trim().parse::<u32>().ok()));
    for child in children(directory)? {
        collect(&child, pids)?;
    }
    Ok(())
}

fn children(directory: &Path) -> ServiceResult<Vec<PathBuf>> {
    let Some(entries) = unless_gone(fs::read_dir(directory), directory)? else { return Ok(Vec::new()) };
    let mut children = Vec::new();
    for entry in entries {
        let Some(entry) = unless_gone(entry, directory)? else { break };
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            children.push(entry.path());
        }
    }
    Ok(children)
}

/// A control group goes away while it is read: `ENOENT` before the open, `ENODEV` after.
fn unless_gone<T>(read: io::Result<T>, path: &Path) -> ServiceResult<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => Ok(None),
        // A threaded group lists no processes of its own; its threads are those of the parent.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::OPNOTSUPP.raw_os_error()) => Ok(None),
        Err(source) => Err(ServiceError::Processes { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn processes_are_counted_in_all_mounts_and_all_children_once() {
        let root = tempfile::tempdir().unwrap();
        let mount = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
        let write = |path: &str, pids: &str| {
            let directory = root.path().join(path);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("cgroup.procs"), pids).unwrap();
        };
        write("a/system.slice/loom.service", "12\n7\n");
        write("a/system.slice/loom.service/child", "9\n");
        write("b/system.slice/loom.service", "7\n");
        write("a/system.slice/other.service", "99\n");
        let mounts = [mount("a"), mount("b"), mount("absent")];
        let mounts: Vec<&str> = mounts.iter().map(String::as_str).collect();
        assert_eq!(processes_below(&mounts, "/system.slice/loom.service").unwrap(), [7, 9, 12]);
        assert!(processes_below(&mounts, "/system.slice/gone.service").unwrap().is_empty());
        assert!(processes_below(&mounts, "").unwrap().is_empty());
    }

    #[test]
    fn a_group_that_cannot_be_read_is_no_proof_of_an_empty_one() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("u/cgroup.procs")).unwrap();
        let error = processes_below(&[root.path().to_str().unwrap()], "/u").unwrap_err();
        assert!(matches!(error, ServiceError::Processes { .. }), "{error:?}");
    }
}
