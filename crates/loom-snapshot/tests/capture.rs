//! Snapshots of homes made by hand.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use loom_snapshot::{CaptureOptions, Engine, Snapshot, SnapshotError, container};
use rustix::fs::{FileType, Mode};
use support::{Home, as_nobody, database, followed, image, item, plain};

#[test]
fn a_database_is_captured_by_what_its_manifest_lists() {
    let home = Home::new();
    database(&home, "app.db");
    let snapshot = home.capture(&["app.db"]).unwrap();
    insta::assert_snapshot!(home.told(&snapshot), @r"
    app.db/
    app.db/000005.ldb 50 level 0 linked
    app.db/000006.log 7 own
    app.db/000007.sst 70 level 1 linked
    app.db/000008.log 0 own
    app.db/CURRENT 16 own
    app.db/MANIFEST-000004 57 own
    app.db/README 7 own
    app.db/notes/
    app.db/notes/000005.ldb 11 own
    left out app.db/000003.log
    left out app.db/000010.tmp
    left out app.db/000099.ldb
    left out app.db/CURRENT.bak
    left out app.db/LOCK
    left out app.db/LOG
    left out app.db/MANIFEST-000001
    ");
    assert_eq!(fs::read(image(&snapshot, "app.db/CURRENT")).unwrap(), b"MANIFEST-000004\n");
    let totals = snapshot.totals();
    assert_eq!((totals.files, totals.bytes, totals.linked, totals.grown), (8, 218, 120, 0));
    assert_eq!(totals.reflinked + totals.copied, 98);
}

#[test]
fn the_image_stays_when_the_node_goes_on() {
    let home = Home::new();
    database(&home, "app.db");
    home.write("chaindata/data/cs.wal/wal", "head");
    let snapshot = home.capture(&["app.db", "chaindata"]).unwrap();
    home.write("app.db/000006.log", "rewritten and longer");
    home.write("app.db/CURRENT", "MANIFEST-000011\n");
    fs::remove_file(home.join("app.db/000005.ldb")).unwrap();
    home.write("chaindata/data/cs.wal/wal", "head and more");
    assert_eq!(fs::read(image(&snapshot, "app.db/000006.log")).unwrap(), b"journal");
    assert_eq!(fs::read(image(&snapshot, "app.db/CURRENT")).unwrap(), b"MANIFEST-000004\n");
    assert_eq!(fs::read(image(&snapshot, "app.db/000005.ldb")).unwrap(), [5; 50]);
    assert_eq!(fs::read(image(&snapshot, "chaindata/data/cs.wal/wal")).unwrap(), b"head");
}

#[test]
fn a_current_file_that_goleveldb_left_pending_becomes_the_current_one() {
    let home = Home::new();
    database(&home, "app.db");
    fs::rename(home.join("app.db/CURRENT"), home.join("app.db/CURRENT.4")).unwrap();
    let snapshot = home.capture(&["app.db"]).unwrap();
    assert_eq!(fs::read(image(&snapshot, "app.db/CURRENT")).unwrap(), b"MANIFEST-000004\n");
    assert!(!home.told(&snapshot).contains("CURRENT.4"));
}

#[test]
fn a_database_that_is_not_whole_is_named() {
    let home = Home::new();
    database(&home, "app.db");
    fs::write(home.join("app.db/000005.ldb"), "short").unwrap();
    insta::assert_snapshot!(home.refusal(home.capture(&["app.db"])), @"database HOME/app.db is not whole: table HOME/app.db/000005.ldb is 5 bytes long instead of 50");
    assert_eq!(home.names(), ["app.db"]);
}

#[test]
fn a_database_of_another_engine_is_captured_as_it_is() {
    let home = Home::new();
    home.write("app.db/CURRENT", "MANIFEST-000004\n");
    home.write("app.db/MANIFEST-000004", "of RocksDB");
    home.write("app.db/LOCK", "");
    insta::assert_snapshot!(home.refusal(home.capture(&["app.db"])), @"database HOME/app.db is not whole: HOME/app.db/MANIFEST-000004 holds no comparator");
    let options = CaptureOptions { engine: Engine::Opaque, ..CaptureOptions::default() };
    let snapshot = Snapshot::capture(home.path(), &plain(&["app.db"]), &|_| false, &options).unwrap();
    insta::assert_snapshot!(home.told(&snapshot), @r"
    app.db/
    app.db/CURRENT 16 own
    app.db/LOCK 0 own
    app.db/MANIFEST-000004 10 own
    ");
}

#[test]
fn only_rotated_pieces_of_the_wal_are_linked() {
    let home = Home::new();
    for name in ["data/cs.wal/wal", "data/cs.wal/wal.000", "data/cs.wal/wal.001", "data/other/wal.000"] {
        home.write(name, "piece");
    }
    insta::assert_snapshot!(home.told(&home.capture(&["data"]).unwrap()), @r"
    data/
    data/cs.wal/
    data/cs.wal/wal 5 own
    data/cs.wal/wal.000 5 linked
    data/cs.wal/wal.001 5 linked
    data/other/
    data/other/wal.000 5 own
    ");
}

#[test]
fn what_has_no_content_is_skipped_and_symlinks_stay_symlinks() {
    let home = Home::new();
    home.write("data/empty", "");
    symlink("../outside", home.join("data/link")).unwrap();
    symlink("nowhere", home.join("alone")).unwrap();
    let _socket = UnixListener::bind(home.join("data/socket")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, home.join("data/pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    insta::assert_snapshot!(home.told(&home.capture(&["data", "alone"]).unwrap()), @r"
    alone -> nowhere
    data/
    data/empty 0 own
    data/link -> ../outside
    skipped data/pipe Fifo
    skipped data/socket Socket
    ");
}

#[test]
fn a_followed_symlink_is_captured_as_what_it_points_to() {
    let home = Home::new();
    let elsewhere = Home::new();
    database(&elsewhere, "volume/app.db");
    fs::create_dir(home.join("data")).unwrap();
    symlink(elsewhere.join("volume/app.db"), home.join("data/app.db")).unwrap();
    let sources = [plain(&["data"]).remove(0), followed("data/app.db")];
    let snapshot = Snapshot::capture(home.path(), &sources, &|_| false, &CaptureOptions::default()).unwrap();
    insta::assert_snapshot!(home.told(&snapshot), @r"
    data/
    data/app.db/
    data/app.db/000005.ldb 50 level 0 linked
    data/app.db/000006.log 7 own
    data/app.db/000007.sst 70 level 1 linked
    data/app.db/000008.log 0 own
    data/app.db/CURRENT 16 own
    data/app.db/MANIFEST-000004 57 own
    data/app.db/README 7 own
    data/app.db/notes/
    data/app.db/notes/000005.ldb 11 own
    left out data/app.db/000003.log
    left out data/app.db/000010.tmp
    left out data/app.db/000099.ldb
    left out data/app.db/CURRENT.bak
    left out data/app.db/LOCK
    left out data/app.db/LOG
    left out data/app.db/MANIFEST-000001
    ");
    assert_eq!(item(&snapshot, "data").source, Some(0));
    assert_eq!(item(&snapshot, "data/app.db/CURRENT").source, Some(1));
}

#[test]
fn what_is_excluded_is_left_out_but_not_from_a_database() {
    let home = Home::new();
    database(&home, "data/app.db");
    home.write("data/config/addrbook.json", "{}");
    home.write("data/config/genesis.json", "{}");
    let excluded = |path: &Path| {
        let excluded = ["data/config/addrbook.json", "data/app.db/notes", "data/app.db/000005.ldb"];
        excluded.iter().any(|name| path == Path::new(name))
    };
    let options = CaptureOptions::default();
    let snapshot = Snapshot::capture(home.path(), &plain(&["data"]), &excluded, &options).unwrap();
    let told = home.told(&snapshot);
    assert!(!told.contains("addrbook") && !told.contains("notes"), "{told}");
    assert!(
        told.contains("genesis.json") && told.contains("data/app.db/000005.ldb 50 level 0 linked"),
        "{told}"
    );
}

#[test]
fn copies_end_where_they_are_too_many() {
    let home = Home::new();
    home.write("data/a", [0; 600]);
    home.write("data/b", [0; 500]);
    let capture = |copy_max| {
        let options = CaptureOptions { copy_max, ..CaptureOptions::default() };
        Snapshot::capture(home.path(), &plain(&["data"]), &|_| false, &options)
    };
    let allowed = capture(1_100).unwrap().totals();
    if allowed.reflinked > 0 {
        // This file system has reflinks: nothing is copied, so nothing is refused.
        assert_eq!(allowed.copied, 0);
        return;
    }
    assert_eq!(allowed.copied, 1_100);
    insta::assert_snapshot!(home.refusal(capture(1_099)), @"HOME/data/b would bring what is copied to 1100 bytes, and 1099 are allowed: it may be written again, so it is not linked, and could not be reflinked");
    assert_eq!(home.names(), ["data"]);
}

#[test]
fn a_sparse_file_is_captured_with_its_holes_as_zeros() {
    let home = Home::new();
    home.write("data/sparse", "begin");
    File::options().write(true).open(home.join("data/sparse")).unwrap().set_len(300_000).unwrap();
    let snapshot = home.capture(&["data"]).unwrap();
    let content = fs::read(image(&snapshot, "data/sparse")).unwrap();
    assert_eq!((content.len(), &content[..5]), (300_000, b"begin".as_slice()));
    assert!(content[5..].iter().all(|&byte| byte == 0));
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_nothing_is_left_behind() {
    let home = Home::new();
    home.write("data/genesis.json", "{}");
    home.write("data/secret", "s");
    fs::set_permissions(home.join("data/secret"), fs::Permissions::from_mode(0o000)).unwrap();
    let refusal = as_nobody(|| home.refusal(home.capture(&["data"])));
    insta::assert_snapshot!(refusal, @"read HOME/data/secret: Permission denied (os error 13)");
    assert_eq!(home.names(), ["data"]);
}

#[test]
fn a_source_that_is_not_there_is_named() {
    let home = Home::new();
    insta::assert_snapshot!(home.refusal(home.capture(&["app.db"])), @"read HOME/app.db: No such file or directory (os error 2)");
    insta::assert_snapshot!(home.refusal(container(home.path(), "chaindata".as_ref())), @"read HOME/chaindata: No such file or directory (os error 2)");
}

#[test]
fn the_image_is_private_and_goes_with_the_snapshot() {
    let home = Home::new();
    home.write("key", "secret");
    for by_drop in [false, true] {
        let snapshot = home.capture(&["key"]).unwrap();
        let mut above = image(&snapshot, "key").ancestors();
        assert!(above.any(|dir| dir.parent() == Some(&home.join(".loom-snapshot"))));
        for dir in [home.join(".loom-snapshot"), above.next().unwrap().to_owned()] {
            assert_eq!(fs::metadata(dir).unwrap().permissions().mode() & 0o7777, 0o700);
        }
        if by_drop {
            drop(snapshot);
        } else {
            snapshot.remove().unwrap();
        }
        assert_eq!(home.names(), ["key"]);
    }
}

#[test]
fn an_image_can_go_before_its_snapshot() {
    let home = Home::new();
    database(&home, "app.db");
    let snapshot = home.capture(&["app.db"]).unwrap();
    for item in snapshot.items() {
        snapshot.release(item).unwrap();
    }
    assert!(!image(&snapshot, "app.db/000005.ldb").exists());
    assert!(home.join("app.db/000005.ldb").exists());
    snapshot.remove().unwrap();
}

#[test]
fn a_symlink_in_the_place_of_the_private_directory_is_refused() {
    let home = Home::new();
    home.write("key", "secret");
    fs::create_dir(home.join("elsewhere")).unwrap();
    symlink("elsewhere", home.join(".loom-snapshot")).unwrap();
    let error = home.capture(&["key"]).unwrap_err();
    assert!(matches!(error, SnapshotError::CreateDir { .. }), "{error:?}");
    assert_eq!(fs::read_dir(home.join("elsewhere")).unwrap().count(), 0);
}

#[test]
fn a_container_has_the_attributes_of_its_directory() {
    let home = Home::new();
    fs::create_dir(home.join("chaindata")).unwrap();
    fs::set_permissions(home.join("chaindata"), fs::Permissions::from_mode(0o2750)).unwrap();
    let item = container(home.path(), "chaindata".as_ref()).unwrap();
    assert_eq!((item.mode, item.source), (0o2750, None));
}
