//! What needs file systems of its own, or files of two owners. Run as root: `cargo test -p loom-snapshot --
//! --ignored`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use loom_snapshot::{CaptureOptions, Snapshot, SnapshotError, remove_leftovers};
use support::{Home, as_nobody, database, followed, image, plain};

/// A tmpfs, unmounted when dropped. Tmpfs has links but no reflinks.
struct Mount(PathBuf);

impl Mount {
    fn new(at: PathBuf, options: &str) -> Self {
        fs::create_dir_all(&at).unwrap();
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at).status().unwrap();
        assert!(status.success(), "mounting needs root");
        Self(at)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn private_in(dir: &Path) -> bool {
    let mut names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.any(|name| name.starts_with(".loom-snapshot-"))
}

#[test]
#[ignore = "needs root"]
fn a_full_file_system_is_told_from_other_failures_and_left_as_it_was() {
    let home = Home::new();
    let _small = Mount::new(home.join("home"), "size=256k");
    home.write("home/data/a", vec![1; 150_000]);
    home.write("home/data/b", vec![2; 20_000]);
    let capture =
        || Snapshot::capture(&home.join("home"), &plain(&["data"]), &|_| false, &CaptureOptions::default());
    let refused = home.refusal(capture());
    let (shown, hidden) = refused.split_once(".loom-snapshot/").unwrap();
    insta::assert_snapshot!(format!("{shown}RANDOM{}", &hidden[16..]), @"no space is left for HOME/home/data/a in HOME/home/RANDOM: free some there, or move what holds the node's files to a file system with reflinks: No space left on device (os error 28)");
    assert_eq!(fs::read_dir(home.join("home")).unwrap().count(), 1);
    fs::remove_file(home.join("home/data/a")).unwrap();
    capture().unwrap().remove().unwrap();
}

#[test]
#[ignore = "needs root"]
fn a_followed_source_on_another_file_system_is_linked_beside_its_target() {
    let home = Home::new();
    let other = Mount::new(home.join("volume"), "size=4m");
    database(&home, "volume/stores/app.db");
    symlink(home.join("volume/stores/app.db"), home.join("app.db")).unwrap();
    let sources = [followed("app.db")];
    let snapshot = Snapshot::capture(home.path(), &sources, &|_| false, &CaptureOptions::default()).unwrap();
    assert_eq!(snapshot.totals().linked, 120);
    assert!(private_in(&other.0.join("stores")));
    assert!(remove_leftovers(home.path(), &sources).unwrap().is_empty());
    snapshot.remove().unwrap();
    assert!(!private_in(&other.0.join("stores")));
}

#[test]
#[ignore = "needs root"]
fn a_source_that_is_a_mount_point_is_linked_inside_it() {
    let home = Home::new();
    let other = Mount::new(home.join("app.db"), "size=4m");
    database(&home, "app.db");
    let snapshot = home.capture(&["app.db"]).unwrap();
    assert_eq!(snapshot.totals().linked, 120);
    assert!(private_in(&other.0));
    assert!(!home.told(&snapshot).contains(".loom-snapshot"));
    drop(snapshot);
    assert!(!private_in(&other.0));
}

#[test]
#[ignore = "needs root"]
fn a_source_beside_which_nothing_may_be_written_is_copied_into_the_home() {
    let home = Home::new();
    let other = Mount::new(home.join("volume"), "size=4m,mode=0755");
    database(&home, "volume/app.db");
    symlink(home.join("volume/app.db"), home.join("app.db")).unwrap();
    let capture = |copy_max| {
        let options = CaptureOptions { copy_max, ..CaptureOptions::default() };
        as_nobody(|| Snapshot::capture(home.path(), &[followed("app.db")], &|_| false, &options))
    };
    let snapshot = capture(1 << 20).unwrap();
    assert_eq!((snapshot.totals().linked, snapshot.totals().copied), (0, snapshot.totals().bytes));
    assert!(image(&snapshot, "app.db/000005.ldb").starts_with(home.path()));
    assert!(!private_in(&other.0));
    drop(snapshot);
    insta::assert_snapshot!(home.refusal(capture(10)), @"HOME/volume/app.db/000005.ldb would bring what is copied to 50 bytes, and 10 are allowed: it could not be linked (Invalid cross-device link (os error 18)), and could not be reflinked");
}

#[test]
#[ignore = "needs root"]
fn tables_of_another_owner_are_copied() {
    let protected = fs::read_to_string("/proc/sys/fs/protected_hardlinks").unwrap();
    assert_eq!(protected.trim(), "1", "this kernel lets everybody link everything");
    let home = Home::new();
    database(&home, "app.db");
    let snapshot = as_nobody(|| home.capture(&["app.db"])).unwrap();
    assert_eq!(snapshot.totals().linked, 0);
    assert_eq!(fs::read(image(&snapshot, "app.db/000005.ldb")).unwrap(), [5; 50]);
}

#[test]
#[ignore = "needs root"]
fn a_home_that_may_not_be_written_is_named() {
    let home = Home::new();
    home.write("home/key", "secret");
    let refused = as_nobody(|| {
        Snapshot::capture(&home.join("home"), &plain(&["key"]), &|_| false, &CaptureOptions::default())
    });
    assert!(matches!(refused, Err(SnapshotError::CreateDir { .. })));
    insta::assert_snapshot!(home.refusal(refused), @"create a private directory in HOME/home/.loom-snapshot: Permission denied (os error 13)");
}
