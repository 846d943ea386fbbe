//! MANIFESTs and database directories made by hand, for the tests of this crate.

use std::fs;
use std::path::Path;

use crate::log::write;

/// A version edit to be.
#[derive(Clone)]
pub(crate) struct Edit(Vec<u8>);

impl Edit {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// What goleveldb writes first.
    pub(crate) fn first() -> Self {
        Self::new().comparator("leveldb.BytewiseComparator").log(3).next(4).sequence(0)
    }

    pub(crate) fn raw(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    pub(crate) fn comparator(self, name: &str) -> Self {
        self.varints(&[1]).bytes(name.as_bytes())
    }

    pub(crate) fn log(self, number: u64) -> Self {
        self.varints(&[2, number])
    }

    pub(crate) fn next(self, number: u64) -> Self {
        self.varints(&[3, number])
    }

    pub(crate) fn sequence(self, number: u64) -> Self {
        self.varints(&[4, number])
    }

    pub(crate) fn compacted(self, level: u32, key: &[u8]) -> Self {
        self.varints(&[5, level.into()]).bytes(key)
    }

    pub(crate) fn delete(self, level: u32, number: u64) -> Self {
        self.varints(&[6, level.into(), number])
    }

    pub(crate) fn add(self, level: u32, number: u64, size: u64) -> Self {
        self.varints(&[7, level.into(), number, size]).bytes(b"smallest").bytes(b"largest")
    }

    pub(crate) fn prev_log(self, number: u64) -> Self {
        self.varints(&[9, number])
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        self.0
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self = self.varints(&[bytes.len() as u64]);
        self.0.extend(bytes);
        self
    }

    fn varints(mut self, values: &[u64]) -> Self {
        for &value in values {
            let mut rest = value;
            while rest >= 0x80 {
                self.0.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            self.0.push(rest as u8);
        }
        self
    }
}

/// The bytes of a MANIFEST of these encoded edits.
pub(crate) fn manifest(edits: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for edit in edits {
        write::append(&mut file, edit);
    }
    file
}

/// Writes a small database: tables 5 (level 0) and 7 (level 1, an old `.sst`), journals 6 and 8, and what an
/// engine leaves around: an orphan table, an old journal, LOCK, LOG, a spare CURRENT.
pub(crate) fn database(dir: &Path) {
    let edits = [
        Edit::first().encode(),
        Edit::new().log(6).next(9).sequence(77).add(0, 5, 50).add(1, 7, 70).encode(),
    ];
    let files: [(&str, &[u8]); 12] = [
        ("CURRENT", b"MANIFEST-000004\n"),
        ("CURRENT.bak", b"MANIFEST-000001\n"),
        ("MANIFEST-000004", &manifest(&edits)),
        ("000005.ldb", &[5; 50]),
        ("000007.sst", &[7; 70]),
        ("000099.ldb", b"orphan"),
        ("000003.log", b"old"),
        ("000006.log", b"journal"),
        ("000008.log", b""),
        ("LOCK", b""),
        ("LOG", b"log"),
        ("README", b"foreign"),
    ];
    fs::create_dir_all(dir).expect("a scratch directory");
    for (name, content) in files {
        fs::write(dir.join(name), content).expect("a scratch file");
    }
}
