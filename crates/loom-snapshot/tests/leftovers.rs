//! What killed runs leave behind, and what a run that lives has.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;

use loom_snapshot::remove_leftovers;
use support::{Home, followed, image, plain};

#[test]
fn leftovers_are_removed_and_a_living_snapshot_is_kept() {
    let home = Home::new();
    home.write("key", "secret");
    let living = home.capture(&["key"]).unwrap();
    home.write(".loom-snapshot/0123456789abcdef/lock", "");
    home.write(".loom-snapshot/0123456789abcdef/000000/0000", "image");
    // Killed between the creation of the directory and that of its lock.
    fs::create_dir(home.join(".loom-snapshot/fedcba9876543210")).unwrap();
    let removed = remove_leftovers(home.path(), &plain(&["key"])).unwrap();
    let dead = ["0123456789abcdef", "fedcba9876543210"].map(|name| home.join(".loom-snapshot").join(name));
    assert_eq!(removed, dead);
    assert!(dead.iter().all(|dir| !dir.exists()));
    assert_eq!(fs::read(image(&living, "key")).unwrap(), b"secret");
    living.remove().unwrap();
    assert_eq!(home.names(), ["key"]);
}

#[test]
fn leftovers_beside_and_in_a_followed_source_are_removed() {
    let home = Home::new();
    let volume = Home::new();
    symlink(volume.join("app.db"), home.join("app.db")).unwrap();
    for place in ["", "app.db/"] {
        volume.write(&format!("{place}.loom-snapshot-0123456789abcdef/lock"), "");
        volume.write(&format!("{place}.loom-snapshot-0123456789abcdef/000000/0000"), "image");
    }
    let removed = remove_leftovers(home.path(), &[followed("app.db"), followed("nowhere")]).unwrap();
    assert_eq!(removed.len(), 2);
    assert_eq!(volume.names(), ["app.db"]);
    assert_eq!(fs::read_dir(volume.join("app.db")).unwrap().count(), 0);
}

#[test]
fn what_only_looks_like_a_leftover_stays() {
    let home = Home::new();
    home.write("key", "secret");
    home.write(".loom-snapshot-notes/lock", "a person's");
    home.write(".loom-snapshot/notes/lock", "a person's");
    home.write(".loom-snapshot-0123456789abcdef", "a file");
    symlink(home.join(".loom-snapshot-notes"), home.join(".loom-snapshot-fedcba9876543210")).unwrap();
    assert!(remove_leftovers(home.path(), &plain(&["key"])).unwrap().is_empty());
    assert!(home.join(".loom-snapshot/notes/lock").exists());
    assert!(home.join(".loom-snapshot-notes/lock").exists());
}

#[test]
fn without_leftovers_nothing_is_removed() {
    let home = Home::new();
    assert!(remove_leftovers(home.path(), &plain(&["app.db"])).unwrap().is_empty());
}
