//! Small homes made by hand, and snapshots of them as text.

#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use loom_snapshot::{CaptureOptions, Item, ItemKind, Snapshot, SnapshotError, Source};
use rustix::fs::Uid;
use tempfile::TempDir;

/// A home in a scratch directory, open to every user.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn capture(&self, sources: &[&str]) -> Result<Snapshot, SnapshotError> {
        Snapshot::capture(self.path(), &plain(sources), &|_| false, &CaptureOptions::default())
    }

    /// What the snapshot holds, one line for an item; `linked` when the image is the node's own file.
    pub(crate) fn told(&self, snapshot: &Snapshot) -> String {
        let mut told = String::new();
        for item in snapshot.items() {
            let path = item.path.display();
            match &item.kind {
                ItemKind::Directory => writeln!(told, "{path}/"),
                ItemKind::Symlink { target } => writeln!(told, "{path} -> {}", target.display()),
                ItemKind::File { size, image, level, .. } => {
                    let of_image = fs::metadata(image).unwrap().ino();
                    let own =
                        fs::metadata(self.path().join(&item.path)).is_ok_and(|node| node.ino() == of_image);
                    let level = level.map(|level| format!(" level {level}")).unwrap_or_default();
                    writeln!(told, "{path} {size}{level} {}", if own { "linked" } else { "own" })
                }
            }
            .unwrap();
        }
        for skipped in snapshot.skipped() {
            writeln!(told, "skipped {} {:?}", skipped.path.display(), skipped.kind).unwrap();
        }
        for path in snapshot.left_out() {
            writeln!(told, "left out {}", path.display()).unwrap();
        }
        told
    }

    /// An error's text and that of its causes, without the scratch directory's name.
    pub(crate) fn refusal<T>(&self, result: Result<T, SnapshotError>) -> String {
        let Err(error) = result else { panic!("it was not refused") };
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            write!(text, ": {error}").unwrap();
            cause = error.source();
        }
        text.replace(self.path().to_str().unwrap(), "HOME")
    }

    /// Names in the home itself.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub(crate) fn plain(paths: &[&str]) -> Vec<Source> {
    paths.iter().map(|path| Source { path: path.into(), follow: false }).collect()
}

pub(crate) fn followed(path: &str) -> Source {
    Source { path: path.into(), follow: true }
}

pub(crate) fn item<'a>(snapshot: &'a Snapshot, path: &str) -> &'a Item {
    snapshot.items().iter().find(|item| item.path == Path::new(path)).unwrap()
}

pub(crate) fn image<'a>(snapshot: &'a Snapshot, path: &str) -> &'a Path {
    let ItemKind::File { image, .. } = &item(snapshot, path).kind else { panic!("{path} is no file") };
    image
}

/// Writes a database of tables 5 (level 0, 50 bytes) and 7 (level 1, 70 bytes) and journals 6 and 8, with all
/// that an engine leaves around.
pub(crate) fn database(home: &Home, path: &str) {
    let mut edit = vec![1, 26];
    edit.extend(b"leveldb.BytewiseComparator");
    edit.extend([2, 6, 3, 9, 4, 77]);
    edit.extend([7, 0, 5, 50, 1, b'a', 1, b'b', 7, 1, 7, 70, 1, b'c', 1, b'd']);
    let body = [&[1], edit.as_slice()].concat();
    let masked = crc32c::crc32c(&body).rotate_right(15).wrapping_add(0xa282_ead8);
    let mut manifest = masked.to_le_bytes().to_vec();
    manifest.extend([u8::try_from(edit.len()).unwrap(), 0]);
    manifest.extend(body);
    let files: [(&str, &[u8]); 15] = [
        ("CURRENT", b"MANIFEST-000004\n"),
        ("CURRENT.bak", b"MANIFEST-000001\n"),
        ("MANIFEST-000001", b"old"),
        ("MANIFEST-000004", &manifest),
        ("000005.ldb", &[5; 50]),
        ("000007.sst", &[7; 70]),
        ("000099.ldb", b"orphan"),
        ("000003.log", b"flushed"),
        ("000006.log", b"journal"),
        ("000008.log", b""),
        ("000010.tmp", b"unfinished"),
        ("LOCK", b""),
        ("LOG", b"log"),
        ("README", b"foreign"),
        ("notes/000005.ldb", b"foreign too"),
    ];
    for (name, content) in files {
        home.write(&format!("{path}/{name}"), content);
    }
}

/// Does `act` as a user who is not root, in a thread of its own: user ids are a thread's as far as the kernel
/// knows.
pub(crate) fn as_nobody<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let acting = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                let nobody = Uid::from_raw(65534);
                rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            act()
        });
        acting.join().unwrap()
    })
}
