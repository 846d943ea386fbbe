//! What is special about a local directory: modes, missing and unusable roots, leftovers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use loom_storage::{Storage, StorageError, StorageOptions};

use crate::contract::key;

fn open(root: &Path) -> Result<Storage, StorageError> {
    Storage::open(&format!("file://{}", root.display()).parse().unwrap(), &StorageOptions::default())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_root_is_made_by_the_first_put_and_never_by_a_read() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("new/repository");
    let storage = open(&root).unwrap();
    assert!(storage.list(None).await.unwrap().is_empty());
    assert!(matches!(storage.get(&key("a")).await, Err(StorageError::NotFound { .. })));
    storage.delete(&key("a")).await.unwrap();
    assert!(!directory.path().join("new").exists());
    storage.put_new(&key("a"), Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(fs::read(root.join("a")).unwrap(), b"x");
}

#[tokio::test]
async fn only_the_owner_can_read_what_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("new/repository");
    let storage = open(&root).unwrap();
    storage.put(&key("node/packs/a"), Bytes::from_static(b"x")).await.unwrap();
    storage.put_new(&key("node/b"), Bytes::from_static(b"x")).await.unwrap();
    for made in ["new", "new/repository", "new/repository/node", "new/repository/node/packs"] {
        assert_eq!(mode(&directory.path().join(made)), 0o700, "{made}");
    }
    for object in ["node/packs/a", "node/b"] {
        assert_eq!(mode(&root.join(object)), 0o600, "{object}");
    }
}

#[tokio::test]
async fn the_mode_of_a_directory_that_was_there_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o750)).unwrap();
    open(directory.path()).unwrap().put(&key("a"), Bytes::new()).await.unwrap();
    assert_eq!(mode(directory.path()), 0o750);
}

#[tokio::test]
async fn what_a_killed_write_left_is_no_object_and_in_nobodys_way() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a#1"), "half of an obj").unwrap();
    let storage = open(directory.path()).unwrap();
    assert!(storage.list(None).await.unwrap().is_empty());
    storage.put_new(&key("a"), Bytes::from_static(b"whole")).await.unwrap();
    assert_eq!(storage.list(None).await.unwrap().len(), 1);
    assert_eq!(storage.get(&key("a")).await.unwrap(), "whole");
}

#[tokio::test]
async fn a_write_leaves_nothing_beside_its_object() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).unwrap();
    let key = key("a");
    storage.put_new(&key, Bytes::from_static(b"1")).await.unwrap();
    storage.put_new(&key, Bytes::from_static(b"2")).await.unwrap_err();
    storage.put(&key, Bytes::from_static(b"3")).await.unwrap();
    let names: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["a"]);
}

#[tokio::test]
async fn a_directory_that_is_cleared_away_between_two_puts_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("repository");
    let storage = open(&root).unwrap();
    storage.put(&key("packs/a"), Bytes::new()).await.unwrap();
    fs::remove_dir_all(&root).unwrap();
    storage.put(&key("packs/b"), Bytes::new()).await.unwrap();
    assert!(root.join("packs/b").exists());
}

#[tokio::test]
async fn a_name_as_long_as_the_file_system_allows_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path()).unwrap();
    let key = key(&"é".repeat(127));
    storage.put_new(&key, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(storage.get(&key).await.unwrap(), "x");
}

#[test]
fn a_root_that_is_a_file_is_refused_when_opened() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = open(file.path()).unwrap_err();
    assert_eq!(error.to_string(), format!("open {}", file.path().display()));
    insta::assert_snapshot!(error.hint().unwrap(), @"the repository must be a directory; something on its path is a file");
}

#[tokio::test]
async fn a_file_in_the_way_of_a_directory_is_not_taken_for_the_object() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("node"), "").unwrap();
    let storage = open(directory.path()).unwrap();
    for error in [
        storage.put(&key("node/a"), Bytes::new()).await.unwrap_err(),
        storage.put_new(&key("node/a/b"), Bytes::new()).await.unwrap_err(),
    ] {
        assert!(matches!(&error, StorageError::Io { what: "write", .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    // Nobody, root included, makes directories in /proc.
    let storage = open(Path::new("/proc/loom-backup")).unwrap();
    let error = storage.put(&key("a"), Bytes::new()).await.unwrap_err();
    insta::assert_snapshot!(error, @"write /proc/loom-backup/a");
}
