//! What a file in a `LevelDB` directory is, by its name. It looks at nothing but the name.

use std::ffi::OsStr;

/// What a name in a `LevelDB` directory stands for; with its number where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// `NNNNNN.ldb` or, as old databases have it, `NNNNNN.sst`: never written again once the MANIFEST lists
    /// it.
    Table(u64),
    /// `NNNNNN.log`: the newest keys, not yet in a table. Data, not a log for people.
    Journal(u64),
    /// `MANIFEST-NNNNNN`: which tables and journals are live.
    Manifest(u64),
    /// `CURRENT`: which MANIFEST counts.
    Current,
    /// `CURRENT.N`: goleveldb's next `CURRENT` before its rename, left over by a crash.
    CurrentPending(u64),
    /// `CURRENT.bak`: goleveldb's spare `CURRENT`, which it rewrites in place.
    CurrentBackup,
    /// `LOCK`: empty; what the engine holds a lock on.
    Lock,
    /// `LOG` or `LOG.old`: for people.
    InfoLog,
    /// `NNNNNN.dbtmp` or `NNNNNN.tmp`: unfinished.
    Temporary,
    /// Not one of the engine's files.
    Foreign,
}

impl FileKind {
    /// Whether a directory with such a file in it is a database: it is a CURRENT or a MANIFEST.
    ///
    /// Not `LOCK`, `LOG` or a number with an ending: other programs write those too.
    #[must_use]
    pub fn marks_database(self) -> bool {
        matches!(self, Self::Manifest(_) | Self::Current | Self::CurrentPending(_) | Self::CurrentBackup)
    }
}

/// Tells what the file called `name` in a `LevelDB` directory is.
///
/// Only the spelling that an engine itself writes counts: `7.log` is foreign, since no engine opens it.
#[must_use]
pub fn classify(name: impl AsRef<OsStr>) -> FileKind {
    let Some(name) = name.as_ref().to_str() else { return FileKind::Foreign };
    match name {
        "CURRENT" => FileKind::Current,
        "CURRENT.bak" => FileKind::CurrentBackup,
        "LOCK" => FileKind::Lock,
        "LOG" | "LOG.old" => FileKind::InfoLog,
        _ => numbered(name).unwrap_or(FileKind::Foreign),
    }
}

fn numbered(name: &str) -> Option<FileKind> {
    if let Some(digits) = name.strip_prefix("MANIFEST-") {
        return number(digits, 6).map(FileKind::Manifest);
    }
    if let Some(digits) = name.strip_prefix("CURRENT.") {
        return number(digits, 1).map(FileKind::CurrentPending);
    }
    let (digits, ending) = name.split_once('.')?;
    let number = number(digits, 6)?;
    match ending {
        "ldb" | "sst" => Some(FileKind::Table(number)),
        "log" => Some(FileKind::Journal(number)),
        "dbtmp" | "tmp" => Some(FileKind::Temporary),
        _ => None,
    }
}

/// The number that `printf("%0<width>d")` spells as `digits`.
fn number(digits: &str, width: usize) -> Option<u64> {
    let padded = digits.len() == width || (digits.len() > width && !digits.starts_with('0'));
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    if padded && plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn names_are_told_apart_as_the_engines_spell_them() {
        let names = [
            "000005.ldb",
            "000005.sst",
            "1234567.ldb",
            "000007.log",
            "MANIFEST-000004",
            "CURRENT",
            "CURRENT.4",
            "CURRENT.bak",
            "LOCK",
            "LOG",
            "LOG.old",
            "000009.dbtmp",
            "000009.tmp",
            "5.ldb",
            "0000005.ldb",
            "+00005.ldb",
            "000005.ldb.bak",
            "MANIFEST-4",
            "MANIFEST-",
            "CURRENT.04",
            "CURRENT.tmp",
            "99999999999999999999.log",
            "notes.log",
            "OPTIONS-000005",
            "",
        ];
        let mut told = String::new();
        for name in names {
            writeln!(told, "{name:<24} {:?}", classify(name)).expect("writing to a string");
        }
        insta::assert_snapshot!(told, @r"
        000005.ldb               Table(5)
        000005.sst               Table(5)
        1234567.ldb              Table(1234567)
        000007.log               Journal(7)
        MANIFEST-000004          Manifest(4)
        CURRENT                  Current
        CURRENT.4                CurrentPending(4)
        CURRENT.bak              CurrentBackup
        LOCK                     Lock
        LOG                      InfoLog
        LOG.old                  InfoLog
        000009.dbtmp             Temporary
        000009.tmp               Temporary
        5.ldb                    Foreign
        0000005.ldb              Foreign
        +00005.ldb               Foreign
        000005.ldb.bak           Foreign
        MANIFEST-4               Foreign
        MANIFEST-                Foreign
        CURRENT.04               Foreign
        CURRENT.tmp              Foreign
        99999999999999999999.log Foreign
        notes.log                Foreign
        OPTIONS-000005           Foreign
                                 Foreign
        ");
    }

    #[test]
    fn a_name_that_is_not_text_is_foreign() {
        assert_eq!(classify(OsStr::from_bytes(b"00000\xff.ldb")), FileKind::Foreign);
    }
}
