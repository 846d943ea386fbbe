//! What is to be captured, and how. Which files those are is the caller's knowledge.

use std::collections::BTreeMap;
use std::path::{Component, PathBuf};

use crate::error::SnapshotError;

/// A file, directory or symlink of the home that is to be captured with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Relative to the home, plain names only. A source inside another one is captured once, as its own
    /// source.
    pub path: PathBuf,
    /// If the path is a symlink, what it points to is captured in its place; else the symlink itself.
    pub follow: bool,
}

/// How a snapshot is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureOptions {
    /// Bytes that may be copied where files cannot be linked or reflinked: copying is what makes a pause
    /// long.
    pub copy_max: u64,
    /// What wrote the databases.
    pub engine: Engine,
}

impl Default for CaptureOptions {
    /// At most 2 GiB of copies, and databases are `LevelDB`'s.
    fn default() -> Self {
        Self { copy_max: 2 << 30, engine: Engine::LevelDb }
    }
}

/// What wrote the databases, and with it what is known of their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// `LevelDB` or goleveldb: a directory with a CURRENT or MANIFEST is captured by what its MANIFEST lists.
    LevelDb,
    /// Another one, whose CURRENT and MANIFEST look alike (`RocksDB`, Pebble): its files are captured as any
    /// others.
    Opaque,
}

/// Checks the paths of sources: relative, plain names, no path twice. Gives the index of each.
pub(crate) fn index(sources: &[Source]) -> Result<BTreeMap<PathBuf, usize>, SnapshotError> {
    let mut index = BTreeMap::new();
    for (number, source) in sources.iter().enumerate() {
        let mut names = source.path.components();
        let plain = names.clone().count() > 0 && names.all(|name| matches!(name, Component::Normal(_)));
        if !plain || index.insert(source.path.clone(), number).is_some() {
            return Err(SnapshotError::Source { path: source.path.clone() });
        }
    }
    Ok(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_inside_the_home_and_given_once() {
        let indexed = |paths: &[&str]| {
            let sources: Vec<_> =
                paths.iter().map(|path| Source { path: path.into(), follow: false }).collect();
            index(&sources).map(|index| index.len()).map_err(|error| error.to_string())
        };
        assert_eq!(indexed(&["app.db", "chaindata", "chaindata/data/app.db"]), Ok(3));
        for refused in
            [&[""][..], &["."], &["./app.db"], &["/app.db"], &["../app.db"], &["a/../../b"], &["a", "a/"]]
        {
            assert!(indexed(refused).is_err(), "{refused:?}");
        }
        insta::assert_snapshot!(indexed(&["a", "../b"]).expect_err("it is outside"), @r#""../b" is not a path inside the home, given once"#);
    }
}
