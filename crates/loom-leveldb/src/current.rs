//! Which MANIFEST counts, found as goleveldb's `fileStorage.GetMeta` finds it, but without repairing
//! anything.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::error::LevelDbError;
use crate::name::{FileKind, classify};

/// The CURRENT file that counts, and the MANIFEST it names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Current {
    /// `CURRENT`, or, after a crash of goleveldb, `CURRENT.N` or `CURRENT.bak`.
    pub(crate) name: String,
    pub(crate) manifest: String,
    number: u64,
}

/// Chooses among the CURRENT files in `names`, the names in `dir`: the highest pending one if its MANIFEST is
/// newer than that of CURRENT, else CURRENT, else its spare. A file that names nothing, or a MANIFEST that is
/// not there, is passed over.
pub(crate) fn choose(dir: &Path, names: &[OsString]) -> Result<Current, LevelDbError> {
    let mut pending: Vec<u64> = names
        .iter()
        .filter_map(
            |name| if let FileKind::CurrentPending(number) = classify(name) { Some(number) } else { None },
        )
        .collect();
    pending.sort_unstable_by(|a, b| b.cmp(a));
    let mut bad = None;
    let pending = first_good(dir, pending.iter().map(|number| format!("CURRENT.{number}")), &mut bad)?;
    let current = first_good(dir, ["CURRENT", "CURRENT.bak"].map(str::to_owned).into_iter(), &mut bad)?;
    match (pending, current) {
        (Some(pending), Some(current)) if pending.number <= current.number => Ok(current),
        (Some(chosen), _) | (None, Some(chosen)) => Ok(chosen),
        (None, None) => Err(bad.unwrap_or_else(|| LevelDbError::NoCurrent { dir: dir.to_owned() })),
    }
}

fn first_good(
    dir: &Path,
    names: impl Iterator<Item = String>,
    bad: &mut Option<LevelDbError>,
) -> Result<Option<Current>, LevelDbError> {
    for name in names {
        match read(dir, name) {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            Err(error @ LevelDbError::BadCurrent { .. }) => *bad = Some(error),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Reads one CURRENT file; `None` when it or its MANIFEST is not there.
fn read(dir: &Path, name: String) -> Result<Option<Current>, LevelDbError> {
    let path = dir.join(&name);
    // Longer than any name, and enough of a damaged file for the message.
    let mut content = Vec::with_capacity(64);
    match File::open(&path).and_then(|file| file.take(64).read_to_end(&mut content)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LevelDbError::Read { path, source }),
    }
    let manifest = content.strip_suffix(b"\n").and_then(|line| str::from_utf8(line).ok());
    let Some((manifest, FileKind::Manifest(number))) = manifest.map(|name| (name, classify(name))) else {
        return Err(LevelDbError::BadCurrent {
            path,
            content: String::from_utf8_lossy(&content).into_owned(),
        });
    };
    match fs::metadata(dir.join(manifest)) {
        Ok(_) => Ok(Some(Current { name, manifest: manifest.to_owned(), number })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LevelDbError::Read { path: dir.join(manifest), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chooses in a directory with these files.
    fn choice(files: &[(&str, &str)]) -> String {
        let dir = tempfile::tempdir().expect("a scratch directory");
        for (name, content) in files {
            fs::write(dir.path().join(name), content).expect("a scratch file");
        }
        let names: Vec<OsString> = files.iter().map(|(name, _)| name.into()).collect();
        match choose(dir.path(), &names) {
            Ok(current) => format!("{} -> {}", current.name, current.manifest),
            Err(error) => error.to_string().replace(&dir.path().display().to_string(), "DIR"),
        }
    }

    const OLD: (&str, &str) = ("MANIFEST-000004", "");
    const NEW: (&str, &str) = ("MANIFEST-000012", "");
    const CURRENT: (&str, &str) = ("CURRENT", "MANIFEST-000004\n");

    const PENDING: (&str, &str) = ("CURRENT.12", "MANIFEST-000012\n");
    const SPARE: (&str, &str) = ("CURRENT.bak", "MANIFEST-000004\n");

    #[test]
    fn the_manifest_is_chosen_as_goleveldb_chooses_it() {
        let check = |files: &[_], expected| assert_eq!(choice(files), expected, "{files:?}");
        check(&[CURRENT, OLD], "CURRENT -> MANIFEST-000004");
        check(&[CURRENT, OLD, NEW], "CURRENT -> MANIFEST-000004");
        check(&[CURRENT, OLD, NEW, PENDING], "CURRENT.12 -> MANIFEST-000012");
        check(&[OLD, NEW, PENDING], "CURRENT.12 -> MANIFEST-000012");
        check(&[CURRENT, OLD, NEW, PENDING, ("CURRENT.13", "MANI")], "CURRENT.12 -> MANIFEST-000012");
        // Left behind by an older run, or its MANIFEST did not reach the disk.
        check(&[CURRENT, OLD, ("CURRENT.4", "MANIFEST-000004\n")], "CURRENT -> MANIFEST-000004");
        check(&[CURRENT, OLD, PENDING], "CURRENT -> MANIFEST-000004");
        check(&[OLD, SPARE], "CURRENT.bak -> MANIFEST-000004");
        check(&[OLD, SPARE, ("CURRENT", "")], "CURRENT.bak -> MANIFEST-000004");
    }

    #[test]
    fn without_a_manifest_there_is_nothing_to_choose() {
        let check = |files: &[_], expected| assert_eq!(choice(files), expected, "{files:?}");
        check(&[], "no CURRENT file in DIR names a MANIFEST that is there");
        check(&[CURRENT], "no CURRENT file in DIR names a MANIFEST that is there");
        for content in ["", "MANIFEST-000004", "MANIFEST-4\n", "MANIFEST-000004\n\n", "../MANIFEST-000004\n"]
        {
            let expected = format!("DIR/CURRENT does not name a MANIFEST: it begins with {content:?}");
            assert_eq!(choice(&[OLD, ("CURRENT", content)]), expected);
        }
    }
}
