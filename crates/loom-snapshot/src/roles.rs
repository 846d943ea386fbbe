//! What is to be done with each name in a directory: the rules of databases and of `cs.wal`. It captures
//! nothing.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::FileType;
use std::path::Path;

use loom_leveldb::{FileKind, LevelDbError, LiveFiles, classify};

use crate::source::Engine;

/// How one name in a directory is captured.
#[derive(Debug)]
pub(crate) enum Role {
    /// By what it is: file, directory or symlink.
    Ordinary(FileType),
    /// Never written again: to be linked.
    Settled(Settled),
    /// Only so many bytes from its beginning: they were read, and what was read is the image.
    Prefix(u64),
    /// Written again at any time.
    Changing,
    /// As a file named `CURRENT` with this content. Not as it is: it may change between the reading of the
    /// MANIFEST and its copying, or be one that goleveldb left under another name.
    Current(String),
    /// Not captured: a file of the engine that is not part of the database.
    LeftOut,
}

#[derive(Debug)]
pub(crate) enum Settled {
    Table {
        level: u32,
        size: u64,
    },
    /// A rotated piece of Tendermint's write-ahead log.
    WalPiece,
}

/// Assigns roles to all `entries` of the directory `dir`, sorted by name.
pub(crate) fn assign(
    dir: &Path,
    engine: Engine,
    entries: Vec<(OsString, FileType)>,
) -> Result<BTreeMap<OsString, Role>, LevelDbError> {
    let marks = |(name, kind): &(OsString, FileType)| !kind.is_dir() && classify(name).marks_database();
    if engine == Engine::LevelDb && entries.iter().any(marks) {
        return database(dir, entries);
    }
    let is_wal = dir.file_name() == Some(OsStr::new("cs.wal"));
    let role = |name: &OsStr, kind: FileType| {
        if is_wal && kind.is_file() && is_rotated(name) {
            Role::Settled(Settled::WalPiece)
        } else {
            Role::Ordinary(kind)
        }
    };
    Ok(entries
        .into_iter()
        .map(|(name, kind)| (role(&name, kind), name))
        .map(|(role, name)| (name, role))
        .collect())
}

fn database(
    dir: &Path,
    entries: Vec<(OsString, FileType)>,
) -> Result<BTreeMap<OsString, Role>, LevelDbError> {
    let (names, kinds): (Vec<OsString>, Vec<FileType>) = entries.into_iter().unzip();
    let live = loom_leveldb::live_files_among(dir, &names)?;
    let role = |name: &OsStr, kind: FileType| {
        let foreign = kind.is_dir() || classify(name) == FileKind::Foreign;
        if foreign { Role::Ordinary(kind) } else { Role::LeftOut }
    };
    let mut roles: BTreeMap<_, _> = names
        .into_iter()
        .zip(kinds)
        .map(|(name, kind)| (role(&name, kind), name))
        .map(|(role, name)| (name, role))
        .collect();
    // Over what was there when the directory was read: the MANIFEST was read later and may list more.
    roles.extend(live_roles(live).map(|(name, role)| (name.into(), role)));
    Ok(roles)
}

fn live_roles(live: LiveFiles) -> impl Iterator<Item = (String, Role)> {
    let current = (live.current, Role::Current(format!("{}\n", live.manifest)));
    let manifest = (live.manifest, Role::Prefix(live.manifest_size));
    let journals = live.journals.into_iter().map(|journal| (journal.name, Role::Changing));
    let tables = live
        .tables
        .into_iter()
        .map(|table| (table.name, Role::Settled(Settled::Table { level: table.level, size: table.size })));
    [current, manifest].into_iter().chain(journals).chain(tables)
}

/// `wal.000`, `wal.001`, …: what Tendermint's autofile renames its head `wal` to when it is full.
fn is_rotated(name: &OsStr) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix("wal."));
    digits.is_some_and(|digits| digits.len() >= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rotated_pieces_of_the_wal_are_settled() {
        for (name, rotated) in [
            ("wal", false),
            ("wal.000", true),
            ("wal.1234", true),
            ("wal.00", false),
            ("wal.bak", false),
            ("xwal.000", false),
        ] {
            assert_eq!(is_rotated(OsStr::new(name)), rotated, "{name}");
        }
    }
}
