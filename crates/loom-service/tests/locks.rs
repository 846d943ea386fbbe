//! `StoreLocks` against other processes that hold, or try to take, the locks: this binary, run again.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use loom_service::{LockKind, ServiceError, StoreLocks};
use rustix::fs::{FlockOperation, fcntl_lock, flock};

const TASK: &str = "LOOM_SERVICE_TEST_TASK";
const FILE: &str = "LOOM_SERVICE_TEST_FILE";

/// The other process. Takes the lock that it is told to take, says how that went, and holds it until its
/// input ends. No test of its own: without a task it does nothing.
#[test]
#[ignore = "run by the tests of this file as their other process"]
fn other_process() {
    let (Ok(task), Ok(file)) = (std::env::var(TASK), std::env::var(FILE)) else { return };
    let path = PathBuf::from(file);
    let open = || OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let (mut held, mut ours) = (None, None);
    let taken = match task.as_str() {
        "flock" => flock(held.insert(open()), FlockOperation::NonBlockingLockExclusive).is_ok(),
        "fcntl" => fcntl_lock(held.insert(open()), FlockOperation::NonBlockingLockExclusive).is_ok(),
        "ours" => StoreLocks::take(std::slice::from_ref(&path)).map(|locks| ours = Some(locks)).is_ok(),
        other => unreachable!("no task {other}"),
    };
    // Not `println!`: the test harness would keep it.
    writeln!(std::io::stdout(), "\n{}", if taken { "taken" } else { "refused" }).unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
    drop((held, ours));
}

/// The other process, and the rest of what it says: a test harness that cannot print complains.
struct Other(Child, Lines<BufReader<ChildStdout>>);

impl Other {
    /// Runs the task in another process; `true` if it got its lock.
    fn run(task: &str, path: &Path) -> (Self, bool) {
        Self::run_as(None, task, path)
    }

    fn run_as(user: Option<u32>, task: &str, path: &Path) -> (Self, bool) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "other_process", "--ignored", "--nocapture"])
            .env(TASK, task)
            .env(FILE, path);
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let answer =
            lines.by_ref().map(Result::unwrap).find(|line| line == "taken" || line == "refused").unwrap();
        (Self(child, lines), answer == "taken")
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        self.1.for_each(drop);
        self.0.wait().unwrap();
    }
}

/// One test at a time: a process that another test is just starting has our descriptors, and with them our
/// flocks, until it executes.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stores(count: usize) -> (tempfile::TempDir, Vec<PathBuf>) {
    let directory = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..count).map(|i| directory.path().join(format!("LOCK{i}"))).collect();
    for path in &paths {
        fs::write(path, "").unwrap();
    }
    (directory, paths)
}

#[test]
fn a_store_that_another_process_has_open_is_refused_and_the_process_named() {
    let _alone = alone();
    for (task, expected) in [("flock", LockKind::Flock), ("fcntl", LockKind::Posix)] {
        let (_directory, paths) = stores(2);
        let (other, taken) = Other::run(task, &paths[1]);
        assert!(taken);
        let Err(ServiceError::LockHeld { path, kind, holder }) = StoreLocks::take(&paths) else {
            panic!("the {task} lock of another process was not seen")
        };
        assert_eq!((&path, kind), (&paths[1], expected));
        assert_eq!(holder.unwrap().pid, other.0.id());
        let (free, taken) = Other::run(task, &paths[0]);
        assert!(taken, "after a refusal nothing stays locked");
        free.end();
        other.end();
        assert_eq!(StoreLocks::take(&paths).unwrap().len(), 2);
    }
}

#[test]
fn nobody_opens_a_store_while_its_locks_are_held() {
    let _alone = alone();
    let (_directory, paths) = stores(1);
    let locks = StoreLocks::take(&paths).unwrap();
    for task in ["flock", "fcntl", "ours"] {
        let (other, taken) = Other::run(task, &paths[0]);
        assert!(!taken, "{task}");
        other.end();
    }
    drop(locks);
    let (other, taken) = Other::run("ours", &paths[0]);
    assert!(taken);
    other.end();
}

#[test]
fn a_store_that_is_named_twice_keeps_its_locks() {
    let _alone = alone();
    let (directory, mut paths) = stores(1);
    paths.push(paths[0].clone());
    let link = directory.path().join("link");
    symlink(&paths[0], &link).unwrap();
    paths.push(link);
    let locks = StoreLocks::take(&paths).unwrap();
    assert_eq!(locks.len(), 1);
    let (other, taken) = Other::run("fcntl", &paths[0]);
    assert!(!taken);
    other.end();
}

#[test]
fn a_missing_lock_file_is_an_error_and_is_not_created() {
    let (directory, _) = stores(0);
    let path = directory.path().join("LOCK");
    let error = StoreLocks::take(std::slice::from_ref(&path)).unwrap_err();
    assert!(matches!(error, ServiceError::LockOpen { .. }), "{error:?}");
    assert!(!path.exists());
}

#[test]
fn a_reader_without_the_right_to_write_sees_both_kinds_of_lock() {
    let _alone = alone();
    let nobody = rustix::process::geteuid().is_root().then_some(65_534);
    let (directory, paths) = stores(1);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let allow = |mode| fs::set_permissions(&paths[0], fs::Permissions::from_mode(mode)).unwrap();
    for task in ["flock", "fcntl"] {
        allow(0o644);
        let (holder, taken) = Other::run(task, &paths[0]);
        assert!(taken);
        allow(0o444);
        let (reader, taken) = Other::run_as(nobody, "ours", &paths[0]);
        assert!(!taken, "{task}");
        reader.end();
        holder.end();
        let (reader, taken) = Other::run_as(nobody, "ours", &paths[0]);
        assert!(taken);
        reader.end();
    }
}

#[test]
fn the_holder_of_a_lock_is_named_in_the_error() {
    let held =
        |holder| ServiceError::LockHeld { path: "/n/app.db/LOCK".into(), kind: LockKind::Flock, holder };
    let loom = loom_service::LockHolder { pid: 708, command: Some("loom".to_owned()) };
    insta::assert_snapshot!(held(Some(loom)), @"the flock lock on /n/app.db/LOCK is held by loom (process 708)");
    insta::assert_snapshot!(held(None), @"the flock lock on /n/app.db/LOCK is held by a process that /proc/locks does not name");
}
