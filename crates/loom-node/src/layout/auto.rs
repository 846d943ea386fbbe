//! Which layout a home has, from the one or two names that only it has. Reads no file.

use std::path::{Path, PathBuf};

use super::{LayoutKind, config};
use crate::NodeError;

pub(super) fn detect(home: &Path) -> Result<LayoutKind, NodeError> {
    let chaindata = PathBuf::from("chaindata");
    let loom = if home.join(&chaindata).is_dir() {
        Some(chaindata)
    } else {
        config::loom_files(home).into_iter().next()
    };
    let cometbft = Some(PathBuf::from("config/config.toml")).filter(|path| home.join(path).is_file());
    match (loom, cometbft) {
        (Some(_), None) => Ok(LayoutKind::Loom),
        (None, Some(_)) => Ok(LayoutKind::Cometbft),
        (None, None) => Err(NodeError::LayoutUnknown { home: home.to_owned() }),
        (Some(loom), Some(cometbft)) => {
            Err(NodeError::LayoutAmbiguous { home: home.to_owned(), loom, cometbft })
        }
    }
}
