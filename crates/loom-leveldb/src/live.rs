//! The live files of a database directory: what the MANIFEST lists, checked to be there with the size listed.
//! It does not look into tables or journals.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::current;
use crate::error::LevelDbError;
use crate::manifest::Manifest;
use crate::name::{FileKind, classify};

/// The files that are the database; every other file of the engine in its directory is of no account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveFiles {
    /// The CURRENT file that counts: `CURRENT`, or after a crash of goleveldb `CURRENT.N` or `CURRENT.bak`. A
    /// copy of the database needs it under the name `CURRENT`, with `manifest` and a line feed in it.
    pub current: String,
    /// File name of the MANIFEST.
    pub manifest: String,
    /// How much of the MANIFEST was read, in bytes: its size when it was opened.
    pub manifest_size: u64,
    /// Name of the order of keys; goleveldb opens only `leveldb.BytewiseComparator`.
    pub comparator: String,
    /// Sorted by level, then number.
    pub tables: Vec<Table>,
    /// Sorted by number, the oldest first.
    pub journals: Vec<Journal>,
    /// Journals from this number on are live.
    pub log_number: u64,
    /// An older journal that is live too; 0 for none. Only old versions of `LevelDB` have one.
    pub prev_log_number: u64,
    /// The next new file gets this number or a higher one.
    pub next_file_number: u64,
    /// Sequence number of the newest key in the tables.
    pub last_sequence: u64,
    /// The MANIFEST ends inside a record, as a crash leaves it; the engines drop such a record, and so does
    /// this.
    pub torn_tail: bool,
}

/// A live table: a file that is never written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its number, which is its name.
    pub number: u64,
    /// Its level; higher levels are older and change more rarely.
    pub level: u32,
    /// Its size in bytes, listed and found.
    pub size: u64,
    /// Its file name: `.ldb`, or `.sst` in old databases.
    pub name: String,
}

/// A live journal: an append-only file with the newest keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// Its number, which is its name.
    pub number: u64,
    /// Its file name.
    pub name: String,
    /// Its size in bytes as found.
    pub size: u64,
}

/// Whether `dir` is a directory with a CURRENT or MANIFEST file in it. A directory that cannot be read is
/// not.
#[must_use]
pub fn is_database(dir: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(dir) else { return false };
    entries.any(|entry| entry.is_ok_and(|entry| classify(entry.file_name()).marks_database()))
}

/// Tells which files in `dir` are the database, and sees to it that each is there.
///
/// # Errors
/// [`LevelDbError::MissingTable`] or [`LevelDbError::TableSize`] for a table that is not as listed;
/// [`LevelDbError::Corrupt`] for a MANIFEST that is damaged anywhere but in a torn last record.
pub fn live_files(dir: &Path) -> Result<LiveFiles, LevelDbError> {
    let names: io::Result<Vec<OsString>> =
        fs::read_dir(dir).and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
    let names = names.map_err(|source| LevelDbError::List { dir: dir.to_owned(), source })?;
    live_files_among(dir, &names)
}

/// As [`live_files`], for a caller who has read the directory already and has all `names` in it.
///
/// # Errors
/// As [`live_files`].
pub fn live_files_among(dir: &Path, names: &[OsString]) -> Result<LiveFiles, LevelDbError> {
    let current = current::choose(dir, names)?;
    let (manifest, manifest_size) = read_manifest(&dir.join(&current.manifest))?;
    let tables = manifest.tables.iter().map(|(&(level, number), &size)| table(dir, level, number, size));
    Ok(LiveFiles {
        tables: tables.collect::<Result<_, _>>()?,
        journals: journals(dir, names, &manifest)?,
        current: current.name,
        manifest: current.manifest,
        manifest_size,
        comparator: manifest.comparator,
        log_number: manifest.log_number,
        prev_log_number: manifest.prev_log_number,
        next_file_number: manifest.next_file_number,
        last_sequence: manifest.last_sequence,
        torn_tail: manifest.torn_tail,
    })
}

/// Reads as much of the MANIFEST as there is when it is opened: of one that grows meanwhile, that much is one
/// state.
fn read_manifest(path: &Path) -> Result<(Manifest, u64), LevelDbError> {
    let read_error = |source| LevelDbError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read_error)?;
    let size = file.metadata().map_err(read_error)?.len();
    Ok((Manifest::read(file.take(size), path)?, size))
}

/// Finds a table under its new name, else under its old one: the order in which goleveldb opens them.
fn table(dir: &Path, level: u32, number: u64, size: u64) -> Result<Table, LevelDbError> {
    for ending in ["ldb", "sst"] {
        let name = format!("{number:06}.{ending}");
        let path = dir.join(&name);
        match regular_size(&path)? {
            None => {}
            Some(found) if found == size => return Ok(Table { number, level, size, name }),
            Some(found) => return Err(LevelDbError::TableSize { path, expected: size, found }),
        }
    }
    Err(LevelDbError::MissingTable { path: dir.join(format!("{number:06}.ldb")), expected: size })
}

fn journals(dir: &Path, names: &[OsString], manifest: &Manifest) -> Result<Vec<Journal>, LevelDbError> {
    let mut journals = Vec::new();
    for name in names {
        let (Some(name), FileKind::Journal(number)) = (name.to_str(), classify(name)) else { continue };
        let previous = manifest.prev_log_number != 0 && number == manifest.prev_log_number;
        if number < manifest.log_number && !previous {
            continue;
        }
        // One that has gone since the directory was read had been flushed: the MANIFEST read here is then
        // older than its tables, and without it keys would be missing.
        let path = dir.join(name);
        let size = regular_size(&path)?.ok_or_else(|| gone(path))?;
        journals.push(Journal { number, name: name.to_owned(), size });
    }
    journals.sort_unstable_by_key(|journal| journal.number);
    Ok(journals)
}

fn gone(path: PathBuf) -> LevelDbError {
    LevelDbError::Read { path, source: io::ErrorKind::NotFound.into() }
}

/// The size of a regular file; `None` when there is nothing of that name. A symlink is not followed: what it
/// points to is not one of the directory's files.
fn regular_size(path: &Path) -> Result<Option<u64>, LevelDbError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
        Ok(_) => Err(LevelDbError::NotAFile { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LevelDbError::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::testing::{Edit, database, manifest};

    fn scratch() -> TempDir {
        let dir = tempfile::tempdir().expect("a scratch directory");
        database(dir.path());
        dir
    }

    fn refusal(dir: &TempDir) -> String {
        let error = live_files(dir.path()).expect_err("it is not whole");
        error.to_string().replace(&dir.path().display().to_string(), "DIR")
    }

    #[test]
    fn the_live_files_of_a_database_are_told_from_the_rest() {
        let dir = scratch();
        insta::assert_debug_snapshot!(live_files(dir.path()).expect("it is whole"), @r#"
        LiveFiles {
            current: "CURRENT",
            manifest: "MANIFEST-000004",
            manifest_size: 96,
            comparator: "leveldb.BytewiseComparator",
            tables: [
                Table {
                    number: 5,
                    level: 0,
                    size: 50,
                    name: "000005.ldb",
                },
                Table {
                    number: 7,
                    level: 1,
                    size: 70,
                    name: "000007.sst",
                },
            ],
            journals: [
                Journal {
                    number: 6,
                    name: "000006.log",
                    size: 7,
                },
                Journal {
                    number: 8,
                    name: "000008.log",
                    size: 0,
                },
            ],
            log_number: 6,
            prev_log_number: 0,
            next_file_number: 9,
            last_sequence: 77,
            torn_tail: false,
        }
        "#);
    }

    #[test]
    fn reading_changes_no_name_in_the_directory() {
        let dir = scratch();
        let names = || -> Vec<_> {
            let mut names: Vec<_> = fs::read_dir(dir.path())
                .expect("it is there")
                .map(|entry| entry.expect("readable").file_name())
                .collect();
            names.sort();
            names
        };
        fs::remove_file(dir.path().join("LOCK")).expect("it was there");
        let before = names();
        live_files(dir.path()).expect("it is whole");
        assert_eq!(names(), before);
    }

    #[test]
    fn a_table_that_is_not_as_listed_is_named() {
        let dir = scratch();
        let table = dir.path().join("000005.ldb");
        fs::write(&table, [5; 49]).expect("writable");
        insta::assert_snapshot!(refusal(&dir), @"table DIR/000005.ldb is 49 bytes long instead of 50");
        fs::remove_file(&table).expect("it was there");
        insta::assert_snapshot!(refusal(&dir), @"table DIR/000005.ldb of 50 bytes is missing");
        fs::create_dir(&table).expect("writable");
        insta::assert_snapshot!(refusal(&dir), @"DIR/000005.ldb is not a regular file");
    }

    #[test]
    fn a_table_under_both_names_is_taken_under_the_new_one() {
        let dir = scratch();
        fs::write(dir.path().join("000007.ldb"), [0; 71]).expect("writable");
        insta::assert_snapshot!(refusal(&dir), @"table DIR/000007.ldb is 71 bytes long instead of 70");
    }

    #[test]
    fn the_previous_journal_is_live_when_the_manifest_says_so() {
        let dir = scratch();
        let edits = [Edit::first().log(8).prev_log(3).encode()];
        fs::write(dir.path().join("MANIFEST-000004"), manifest(&edits)).expect("writable");
        let live = live_files(dir.path()).expect("it is whole");
        assert_eq!(live.journals.iter().map(|journal| journal.number).collect::<Vec<_>>(), [3, 8]);
    }

    #[test]
    fn a_damaged_manifest_is_named_with_the_place() {
        let dir = scratch();
        let path = dir.path().join("MANIFEST-000004");
        let mut bytes = fs::read(&path).expect("it was there");
        *bytes.last_mut().expect("it is not empty") ^= 1;
        fs::write(path, bytes).expect("writable");
        insta::assert_snapshot!(refusal(&dir), @"DIR/MANIFEST-000004 is damaged at byte 41: checksum mismatch");
    }

    #[test]
    fn a_database_is_known_by_its_current_or_manifest() {
        let dir = scratch();
        assert!(is_database(dir.path()));
        for name in ["CURRENT", "CURRENT.bak"] {
            fs::remove_file(dir.path().join(name)).expect("it was there");
            assert!(is_database(dir.path()), "without {name}");
        }
        fs::remove_file(dir.path().join("MANIFEST-000004")).expect("it was there");
        assert!(!is_database(dir.path()));
        assert!(!is_database(&dir.path().join("nowhere")));
        assert!(!is_database(&dir.path().join("000005.ldb")));
    }
}
