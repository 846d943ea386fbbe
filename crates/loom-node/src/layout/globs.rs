//! The operator's globs: what to leave out, and what to take besides.

use std::path::{Component, Path, PathBuf};

use globset::{Candidate, Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::collect::{Collector, Kind};
use crate::{Class, NodeError};

fn glob(text: &str) -> Result<Glob, NodeError> {
    GlobBuilder::new(text)
        .literal_separator(true)
        .build()
        .map_err(|source| NodeError::Glob { glob: text.to_owned(), source })
}

/// The excludes as one set.
pub(super) fn set(globs: &[String]) -> Result<GlobSet, NodeError> {
    let mut set = GlobSetBuilder::new();
    for text in globs {
        set.add(glob(text.trim_end_matches('/').trim_start_matches("./"))?);
    }
    set.build().map_err(|source| NodeError::Glob { glob: globs.join(" "), source })
}

/// Whether the set matches `path` or a directory that holds it.
pub(super) fn matches(set: &GlobSet, path: &Path) -> bool {
    !set.is_empty()
        && path
            .ancestors()
            .filter(|path| !path.as_os_str().is_empty())
            .any(|path| set.is_match_candidate(&Candidate::new(path)))
}

/// Adds what the includes name. One that names nothing is listed as absent: it may be a slip.
pub(super) fn include(found: &mut Collector<'_>, globs: &[String]) -> Result<(), NodeError> {
    for text in globs {
        let refused = |reason| NodeError::Include { glob: text.clone(), reason };
        let mut paths = vec![PathBuf::new()];
        for component in Path::new(text).components() {
            let name = match component {
                Component::CurDir => continue,
                Component::Normal(name) => name.to_str().ok_or_else(|| refused("is not UTF-8"))?,
                Component::ParentDir => return Err(refused("leaves the home with `..`")),
                Component::RootDir | Component::Prefix(_) => {
                    return Err(refused("is not relative to the home"));
                }
            };
            if name.contains("**") {
                return Err(refused("has `**`, which would search where nothing of the node is"));
            }
            paths = step(found, &paths, name)?;
        }
        if paths == [PathBuf::new()] {
            return Err(refused("names the home itself"));
        }
        if paths.is_empty() {
            found.leave_out_absent(Path::new(text));
        }
        for path in paths {
            take(found, &path)?;
        }
    }
    Ok(())
}

/// The children of `dirs` that the pattern `name` matches.
fn step(found: &Collector<'_>, dirs: &[PathBuf], name: &str) -> Result<Vec<PathBuf>, NodeError> {
    if !name.contains(['*', '?', '[', '{', '\\']) {
        let children = dirs.iter().map(|dir| dir.join(name));
        return Ok(children.filter(|path| found.home().join(path).symlink_metadata().is_ok()).collect());
    }
    let pattern = glob(name)?.compile_matcher();
    let mut children = Vec::new();
    for dir in dirs {
        if found.home().join(dir).is_dir() {
            let names = found.children(dir)?.into_iter();
            children.extend(names.filter(|name| pattern.is_match(name)).map(|name| dir.join(name)));
        }
    }
    Ok(children)
}

/// Takes `path`; where entries are in it already, its other children.
fn take(found: &mut Collector<'_>, path: &Path) -> Result<(), NodeError> {
    if found.holds_entries(path) {
        for name in found.children(path)? {
            take(found, &path.join(name))?;
        }
        return Ok(());
    }
    if !found.is_taken(path) {
        found.forget_left_out(path);
        let class = Class::of_name(path).unwrap_or(Class::Data);
        found.add(path, Kind::plain(class))?;
    }
    Ok(())
}
