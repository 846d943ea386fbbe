//! Random trees: what is captured is what is there.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use loom_snapshot::{ItemKind, Snapshot};
use proptest::prelude::*;
use support::Home;

#[derive(Debug, Clone)]
enum Node {
    File { content: Vec<u8>, mode: u32, modified: Duration },
    Directory { mode: u32, inside: Vec<(Vec<u8>, Node)> },
    Symlink(Vec<u8>),
}

/// Any name that a file system takes, line feeds and bytes that are no text included.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("no name has these", |byte| ![0, b'/'].contains(byte));
    prop::collection::vec(byte, 1..12).prop_filter("not names", |name| name != b"." && name != b"..")
}

fn node() -> impl Strategy<Value = Node> {
    let modified = (0..4_000_000_000_u64, 0..1_000_000_000_u32).prop_map(|(s, ns)| Duration::new(s, ns));
    let content = prop::collection::vec(any::<u8>(), 0..300);
    let file = (content, 0..0o10000_u32, modified).prop_map(|(content, mode, modified)| Node::File {
        content,
        mode: mode | 0o400,
        modified,
    });
    let leaf = prop_oneof![4 => file, 1 => name().prop_map(Node::Symlink)];
    leaf.prop_recursive(4, 40, 8, |inner| {
        let inside = prop::collection::btree_map(name(), inner, 0..8);
        (0..0o10000_u32, inside).prop_map(|(mode, inside)| Node::Directory {
            mode: mode | 0o700,
            inside: inside.into_iter().collect(),
        })
    })
}

fn build(at: &Path, node: &Node) {
    match node {
        Node::File { content, mode, modified } => {
            fs::write(at, content).unwrap();
            let file = File::open(at).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + *modified).unwrap();
            file.set_permissions(Permissions::from_mode(*mode)).unwrap();
        }
        Node::Directory { mode, inside } => {
            fs::create_dir(at).unwrap();
            for (name, node) in inside {
                build(&at.join(OsStr::from_bytes(name)), node);
            }
            fs::set_permissions(at, Permissions::from_mode(*mode)).unwrap();
        }
        Node::Symlink(target) => symlink(OsStr::from_bytes(target), at).unwrap(),
    }
}

/// What one path is: kind, content or target, and attributes.
type Told = (&'static str, Vec<u8>, u32, (i64, i64), (u32, u32));

/// The tree by another way than the crate's own.
fn read(home: &Path, path: &Path, told: &mut BTreeMap<PathBuf, Told>) {
    let full = home.join(path);
    let metadata = fs::symlink_metadata(&full).unwrap();
    let (kind, content) = if metadata.is_dir() {
        for entry in fs::read_dir(&full).unwrap() {
            read(home, &path.join(entry.unwrap().file_name()), told);
        }
        ("directory", Vec::new())
    } else if metadata.is_symlink() {
        ("symlink", fs::read_link(&full).unwrap().as_os_str().as_bytes().to_vec())
    } else {
        ("file", fs::read(&full).unwrap())
    };
    let modified = (metadata.mtime(), metadata.mtime_nsec());
    let owner = (metadata.uid(), metadata.gid());
    told.insert(path.to_owned(), (kind, content, metadata.mode() & 0o7777, modified, owner));
}

fn captured(snapshot: &Snapshot) -> BTreeMap<PathBuf, Told> {
    let told = snapshot.items().iter().map(|item| {
        let (kind, content) = match &item.kind {
            ItemKind::Directory => ("directory", Vec::new()),
            ItemKind::Symlink { target } => ("symlink", target.as_os_str().as_bytes().to_vec()),
            ItemKind::File { image, size, .. } => {
                let content = fs::read(image).unwrap();
                assert_eq!(*size, content.len() as u64);
                ("file", content)
            }
        };
        let modified = (item.modified.0, i64::from(item.modified.1));
        (item.path.clone(), (kind, content, item.mode, modified, (item.uid, item.gid)))
    });
    told.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tree_is_captured_as_it_is(root in node()) {
        let home = Home::new();
        build(&home.join("tree"), &root);
        let mut expected = BTreeMap::new();
        read(home.path(), "tree".as_ref(), &mut expected);
        let snapshot = home.capture(&["tree"]).unwrap();
        prop_assert_eq!(snapshot.items().len(), expected.len());
        prop_assert!(snapshot.items().is_sorted_by(|a, b| a.path < b.path));
        prop_assert_eq!(captured(&snapshot), expected);
        snapshot.remove().unwrap();
        prop_assert_eq!(home.names(), ["tree"]);
    }
}
