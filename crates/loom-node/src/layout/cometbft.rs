//! The layout of a Tendermint or `CometBFT` node: its home is its own, so every child is an entry, minus what
//! is known to be worthless. A closed list would forget what the application keeps beside `data/`, as so
//! many forgot `wasm/`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Facts, Reason,
    collect::{Collector, Kind},
    config::Tendermint,
    loom::is_scratch,
    rpc::local_url,
};
use crate::{Class, NodeError};

/// Directories of the application that are followed where they are symlinks to another disk.
const KNOWN_DIRECTORIES: [&str; 4] = ["wasm", "snapshots", "cs.wal", "cosmovisor"];

struct Home {
    tendermint: Tendermint,
    /// What the configuration says is where, and its class.
    special: BTreeMap<PathBuf, Class>,
    /// Whether stores are directories of an engine that has to be there: not in memory, not one file each.
    on_disk: bool,
}

pub(super) fn collect(found: &mut Collector<'_>) -> Result<Facts, NodeError> {
    let mut tendermint = Tendermint::read(found, Path::new(""))?;
    let exists = |path| found.exists(Path::new(path));
    if exists("config/priv_validator.json") && !exists("config/priv_validator_key.json") {
        tendermint.expect_one_sign_file();
    }
    let engine = tendermint.settings.text("db_backend").unwrap_or_else(|| "goleveldb".to_owned());
    found.set_engine(&engine);
    let keys = &tendermint.keys;
    let special = [
        (keys.node_key.clone(), Class::Identity),
        (keys.validator_key.clone(), Class::Signing),
        (keys.sign_state.clone(), Class::Signing),
        (tendermint.genesis.clone(), Class::Config),
    ];
    let on_disk = !matches!(engine.as_str(), "memdb" | "boltdb");
    let home = Home { special: special.into(), on_disk, tendermint };
    home.walk(found, Path::new(""))?;
    home.require_stores(found)?;
    for (path, class) in &home.special {
        // Those in the home are taken by now; this says which are not in it.
        if !found.is_taken(path) && !found.is_left_out(path) {
            found.add(path, Kind::plain(*class))?;
        }
    }
    let listen = home.tendermint.settings.text("rpc.laddr");
    let listen = match listen {
        // Set to nothing: the RPC is off.
        None if home.tendermint.settings.is_set("rpc.laddr") => None,
        None => Some("tcp://127.0.0.1:26657".to_owned()),
        listen => listen,
    };
    let rpc = listen.and_then(|listen| local_url(&listen, "/")).into_iter().collect();
    Ok(home.tendermint.facts(engine, rpc))
}

impl Home {
    fn walk(&self, found: &mut Collector<'_>, dir: &Path) -> Result<(), NodeError> {
        for name in found.children(dir)? {
            let path = dir.join(&name);
            if let Some(reason) = self.worthless(found, &path) {
                found.leave_out(&path, reason);
            } else if self.is_container(&path) && found.is_dir(&path) {
                found.add_container(&path);
                self.walk(found, &path)?;
            } else {
                found.add(&path, self.kind(found, &path))?;
            }
        }
        Ok(())
    }

    /// Named by the preset: there is no node without them.
    fn require_stores(&self, found: &mut Collector<'_>) -> Result<(), NodeError> {
        for name in ["blockstore.db", "state.db"] {
            let path = self.tendermint.db_dir.join(name);
            if self.on_disk && !found.is_taken(&path) {
                found.add(&path, Kind::store().named(Some("every node")))?;
            }
        }
        Ok(())
    }

    /// Whether the children of a directory are entries, not the directory itself.
    fn is_container(&self, path: &Path) -> bool {
        path == Path::new("config")
            || self.tendermint.db_dir.starts_with(path)
            || self.special.keys().any(|special| special != path && special.starts_with(path))
    }

    fn kind(&self, found: &Collector<'_>, path: &Path) -> Kind {
        let store = path.extension().is_some_and(|extension| extension == "db") && found.is_dir(path);
        if path.starts_with(&self.tendermint.db_dir) {
            if let Some(class) = self.class(path) {
                return Kind::plain(class);
            }
            let named = Some("every node")
                .filter(|_| self.on_disk && (path.ends_with("blockstore.db") || path.ends_with("state.db")));
            return match (
                store || named.is_some(),
                is_known_directory(path) || self.tendermint.wal.parent() == Some(path),
            ) {
                (true, _) => Kind::store().named(named),
                (false, true) => Kind::directory(Class::Data),
                (false, false) => Kind::plain(Class::Data),
            };
        }
        let config = path.starts_with("config");
        let class = self.class(path).unwrap_or(if config { Class::Config } else { Class::Data });
        if class == Class::Data && (store || loom_leveldb::is_database(&found.home().join(path))) {
            Kind::store().unclassified()
        } else if is_known_directory(path) {
            Kind::directory(class)
        } else {
            Kind::plain(class)
        }
    }

    fn class(&self, path: &Path) -> Option<Class> {
        self.special.get(path).copied().or_else(|| Class::of_name(path))
    }

    fn worthless(&self, found: &Collector<'_>, path: &Path) -> Option<Reason> {
        let name = path.file_name()?;
        // What is this tool's own is passed over without a word.
        let (bytes, top) = (name.as_encoded_bytes(), path.parent() == Some(Path::new("")));
        if top && bytes.starts_with(b".") && !bytes.starts_with(b".loom-") {
            return Some(Reason::Hidden);
        }
        if *path == self.tendermint.addr_book || name == "addrbook.json" {
            return Some(Reason::AddressBook);
        }
        if name == "mempool.wal" {
            return Some(Reason::MempoolWal);
        }
        let file = !found.is_dir(path);
        if file && (is_scratch(path) || name == "LOCK") {
            return Some(Reason::Temporary);
        }
        (file && (name == "LOG" || name == "LOG.old")).then_some(Reason::Log)
    }
}

fn is_known_directory(path: &Path) -> bool {
    KNOWN_DIRECTORIES.iter().any(|name| path.ends_with(name))
}
