//! The list of a backup's files: one JSON object a file, as a manifest holds it.

use std::{borrow::Cow, sync::Arc};

use loom_archive::{PackId, SEGMENT_MAX, SegmentId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::spelling;

/// A file, directory or symbolic link of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path relative to the node's home: bytes, `/` between its parts.
    pub path: Box<[u8]>,
    /// What it is.
    pub kind: FileKind,
    /// The class it belongs to.
    pub class: Arc<str>,
    /// Permission bits, with set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Whose it is.
    pub owner: Owner,
    /// When it was last modified, in nanoseconds since 1970.
    pub modified_ns: i128,
}

/// What an entry of the list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File {
        /// Its size in bytes: the sum of its segments' sizes.
        size: u64,
        /// Its content, in order.
        segments: Box<[SegmentRef]>,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// What it points to, as bytes.
        target: Box<[u8]>,
    },
}

/// A user and a group, by number and, where they had one, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The user's name.
    pub user: Option<Arc<str>>,
    /// The group's name.
    pub group: Option<Arc<str>>,
}

/// A segment and the pack it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRef {
    /// The segment; also the name of its entry in the pack.
    pub id: SegmentId,
    /// Its size in bytes, at most [`SEGMENT_MAX`].
    pub size: u64,
    /// The pack.
    pub pack: PackId,
}

impl FileEntry {
    /// A regular file that is yet to be stored, with plain attributes.
    #[must_use]
    pub fn file(path: &str, size: u64, class: &str) -> Self {
        Self {
            path: path.as_bytes().into(),
            kind: FileKind::File { size, segments: Box::default() },
            class: class.into(),
            mode: 0o600,
            owner: Owner::default(),
            modified_ns: 0,
        }
    }

    /// The path for people: what is no UTF-8 in it is replaced.
    #[must_use]
    pub fn path_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.path)
    }

    /// The segments of a file; none of anything else.
    #[must_use]
    pub fn segments(&self) -> &[SegmentRef] {
        match &self.kind {
            FileKind::File { segments, .. } => segments,
            FileKind::Directory | FileKind::Symlink { .. } => &[],
        }
    }

    /// The size of a file in bytes; 0 of anything else.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self.kind {
            FileKind::File { size, .. } => size,
            FileKind::Directory | FileKind::Symlink { .. } => 0,
        }
    }
}

/// An entry as it stands in JSON.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    class: String,
    mode: String,
    uid: u32,
    gid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Arc<str>>,
    mtime: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<Box<[SegmentRef]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_base64: Option<String>,
}

impl Serialize for FileEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (path, path_base64) = spelling::spell(&self.path);
        let mut line = Line {
            path,
            path_base64,
            class: self.class.to_string(),
            mode: format!("{:04o}", self.mode),
            uid: self.owner.uid,
            gid: self.owner.gid,
            user: self.owner.user.clone(),
            group: self.owner.group.clone(),
            mtime: seconds(self.modified_ns),
            ..Line::default()
        };
        match &self.kind {
            FileKind::File { size, segments } => {
                "file".clone_into(&mut line.kind);
                line.size = Some(*size);
                line.segments = Some(segments.clone());
            }
            FileKind::Directory => "directory".clone_into(&mut line.kind),
            FileKind::Symlink { target } => {
                "symlink".clone_into(&mut line.kind);
                (line.target, line.target_base64) = spelling::spell(target);
            }
        }
        line.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FileEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_line(Line::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl FileEntry {
    fn from_line(line: Line) -> Result<Self, &'static str> {
        let kind = match line.kind.as_str() {
            "file" => {
                let segments = line.segments.ok_or("a file has no segments")?;
                let size = line.size.ok_or("a file has no size")?;
                let sum = segments.iter().try_fold(0_u64, |sum, s| sum.checked_add(s.size));
                if sum != Some(size) || segments.iter().any(|s| s.size == 0 || s.size > SEGMENT_MAX) {
                    return Err("a file's segments do not add up to its size");
                }
                FileKind::File { size, segments }
            }
            "directory" => FileKind::Directory,
            "symlink" => {
                let target = spelling::read(line.target, line.target_base64.as_deref())?.into();
                FileKind::Symlink { target }
            }
            _ => return Err("an entry is neither file, directory nor symlink"),
        };
        Ok(Self {
            path: spelling::read(line.path, line.path_base64.as_deref())?.into(),
            kind,
            class: line.class.into(),
            mode: u32::from_str_radix(&line.mode, 8).map_err(|_| "a mode is not octal")? & 0o7777,
            owner: Owner { uid: line.uid, gid: line.gid, user: line.user, group: line.group },
            modified_ns: nanoseconds(&line.mtime).ok_or("a time is not seconds and nanoseconds")?,
        })
    }
}

const NS: i128 = 1_000_000_000;

/// Decimal seconds with nine decimals, as `touch -d @…` takes them: a JSON number would lose the last digits in most readers.
fn seconds(ns: i128) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.abs();
    format!("{sign}{}.{:09}", ns / NS, ns % NS)
}

fn nanoseconds(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (seconds, decimals) = digits.split_once('.')?;
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !plain(seconds) || !plain(decimals) || decimals.len() != 9 {
        return None;
    }
    let seconds = i128::from(seconds.parse::<i64>().ok()?);
    Some(sign * (seconds * NS + decimals.parse::<i128>().ok()?))
}

/// Checks that a list of files describes one tree that stays inside the directory it is laid into.
///
/// Every path is relative, without `.`, `..` or empty parts, appears once, and stands below directories of the list only: never
/// below a symbolic link, through which a restore would write outside. `containers` are directories that are there already.
pub(crate) fn check_tree(files: &[FileEntry], containers: &[&[u8]]) -> Result<(), String> {
    use std::collections::HashSet;
    let mut directories: HashSet<&[u8]> = containers.iter().copied().collect();
    let mut seen: HashSet<&[u8]> = HashSet::with_capacity(files.len());
    for file in files {
        let path = &*file.path;
        let shown = || file.path_lossy();
        let good = |part: &[u8]| !part.is_empty() && part != b"." && part != b".." && !part.contains(&0);
        if !path.split(|b| *b == b'/').all(good) {
            return Err(format!("the path {:?} leads out of its directory", shown()));
        }
        if !seen.insert(path) {
            return Err(format!("the path {:?} is listed twice", shown()));
        }
        if let Some(cut) = path.iter().rposition(|b| *b == b'/')
            && !directories.contains(&path[..cut])
        {
            return Err(format!("{:?} stands below something that is no directory", shown()));
        }
        if file.kind == FileKind::Directory {
            directories.insert(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn any_entry() -> impl Strategy<Value = FileEntry> {
        let segment = (any::<[u8; 4]>(), 1..=SEGMENT_MAX).prop_map(|(seed, size)| SegmentRef {
            id: SegmentId::of(&seed),
            size,
            pack: PackId::of(&seed),
        });
        let bytes = || prop::collection::vec(any::<u8>(), 1..40).prop_map(Vec::into_boxed_slice);
        let kind = prop_oneof![
            prop::collection::vec(segment, 0..4).prop_map(|segments| FileKind::File {
                size: segments.iter().map(|s| s.size).sum(),
                segments: segments.into()
            }),
            Just(FileKind::Directory),
            bytes().prop_map(|target| FileKind::Symlink { target }),
        ];
        let name = || prop::option::of("[a-z]{1,8}".prop_map(Arc::<str>::from));
        let owner = (any::<u32>(), any::<u32>(), name(), name());
        (bytes(), kind, 0..0o10000_u32, owner, any::<i64>()).prop_map(|(path, kind, mode, owner, time)| {
            let owner = Owner { uid: owner.0, gid: owner.1, user: owner.2, group: owner.3 };
            FileEntry { path, kind, class: "data".into(), mode, owner, modified_ns: i128::from(time) }
        })
    }

    proptest! {
        #[test]
        fn an_entry_with_any_bytes_in_its_name_comes_back_from_json(entry in any_entry()) {
            let json = serde_json::to_string(&entry).unwrap();
            prop_assert!(!json.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<FileEntry>(&json).unwrap(), entry);
        }
    }

    #[test]
    fn an_entry_reads_as_a_person_expects() {
        let mut entry = FileEntry::file("app.db/000005.ldb", 7, "data");
        entry.modified_ns = -1;
        let id = SegmentId::of(b"7 bytes");
        let segments = [SegmentRef { id, size: 7, pack: PackId::of(b"pack") }];
        entry.kind = FileKind::File { size: 7, segments: segments.into() };
        insta::assert_snapshot!(serde_json::to_string(&entry).unwrap(), @r#"{"path":"app.db/000005.ldb","type":"file","class":"data","mode":"0600","uid":0,"gid":0,"mtime":"-0.000000001","size":7,"segments":[{"id":"9672c04f9a43dfdbe45e91e315a8b4776b595699039ae84b1f642e50bdbfb0f8","size":7,"pack":"fd6ad1c2e792f4cb1c7af9be82806a548fffa613a25fed9338903ee8d793b86c"}]}"#);
    }

    #[test]
    fn a_tree_that_leads_out_of_its_directory_is_refused() {
        let link = |path: &str| FileEntry {
            kind: FileKind::Symlink { target: b"/etc"[..].into() },
            ..FileEntry::file(path, 0, "data")
        };
        let file = |path: &str| FileEntry::file(path, 0, "data");
        let dir = |path: &str| FileEntry { kind: FileKind::Directory, ..file(path) };
        let check = |files: &[FileEntry]| check_tree(files, &[b"data"]).map_err(|e| e.replace('"', "'"));
        assert_eq!(check(&[dir("a"), file("a/b"), file("data/x")]), Ok(()));
        let refused: Vec<_> = [
            vec![file("/etc/passwd")],
            vec![file("a/../../b")],
            vec![dir("a"), file("a//b")],
            vec![file("")],
            vec![file("a"), file("a")],
            vec![link("a"), file("a/passwd")],
            vec![file("a/b")],
            vec![file("a\0")],
        ]
        .iter()
        .map(|files| check(files).unwrap_err())
        .collect();
        insta::assert_snapshot!(refused.join("\n"), @r"
        the path '/etc/passwd' leads out of its directory
        the path 'a/../../b' leads out of its directory
        the path 'a//b' leads out of its directory
        the path '' leads out of its directory
        the path 'a' is listed twice
        'a/passwd' stands below something that is no directory
        'a/b' stands below something that is no directory
        the path 'a\0' leads out of its directory
        ");
    }
}
