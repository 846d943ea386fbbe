//! The layout of a Loom node: a closed list, because its home holds other things too.
//!
//! Names that are not in the list are left alone, with one exception: a database beside the known stores.
//! A later Loom may have added it, and a backup without it would not start.

use std::path::{Path, PathBuf};

use super::{
    Facts, Reason,
    collect::{Collector, Kind},
    config::{Settings, Tendermint, loom_files},
    rpc::local_url,
};
use crate::{Class, NodeError};

pub(super) fn collect(found: &mut Collector<'_>) -> Result<Facts, NodeError> {
    let files = loom_files(found.home());
    let settings = match files.first() {
        Some(file) => Settings::read(&found.home().join(file))?,
        None => Settings::default(),
    };
    let root = found.resolve_inside(Path::new(""), &text(&settings, "RootDir", "."), "RootDir")?;
    let chain = root.join("chaindata");
    let mut tendermint = Tendermint::read(found, &chain)?;
    // Loom's own Tendermint has one file; a later one in this layout would have made the other.
    if !found.exists(&chain.join("config/priv_validator_key.json")) {
        tendermint.expect_one_sign_file();
    }
    let engine = text(&settings, "DBBackend", "goleveldb");
    found.set_engine(&engine);

    for file in &files {
        found.add(file, Kind::plain(Class::Config))?;
    }
    add_stores(found, &settings, &root)?;
    add_chain(found, &tendermint)?;
    add_chain_config(found, &tendermint, &chain.join("config"))?;
    let genesis = found.resolve(&root, &text(&settings, "GenesisFile", "genesis.json"));
    found.add(&genesis, Kind::plain(Class::Config))?;
    let plugins = found.resolve(&root, &text(&settings, "PluginsDir", "contracts"));
    found.add(&plugins, Kind::directory(Class::Config))?;

    add_unknown_databases(found, &root)?;
    if !root.as_os_str().is_empty() {
        add_unknown_databases(found, Path::new(""))?;
    }
    add_unknown_databases(found, &tendermint.db_dir)?;
    leave_out_logs(found, &settings);

    let rpc = rpc_addresses(&settings, &tendermint.settings);
    Ok(tendermint.facts(engine, rpc))
}

fn text(settings: &Settings, key: &str, default: &str) -> String {
    settings.text(key).unwrap_or_else(|| default.to_owned())
}

/// The stores of the application. Named are those that this configuration makes the node open, as far as it
/// says so itself: defaults changed between versions, and stores appear when a feature is first used.
fn add_stores(found: &mut Collector<'_>, settings: &Settings, root: &Path) -> Result<(), NodeError> {
    let is = |key: &str, value: &str| settings.text(key).is_some_and(|text| text == value);
    let app = text(settings, "DBName", "app");
    let stores = [
        // Renamed to `app.db` at a start once it has caught up: both belong together.
        (format!("{app}_v2"), "DBBackend", None),
        (app, "DBBackend", Some("DBName")),
        (
            text(settings, "EvmStore.DBName", "evm"),
            "EvmStore.DBBackend",
            Some("AppStore.Version 3").filter(|_| is("AppStore.Version", "3")),
        ),
        (
            text(settings, "EventStore.DBName", "events"),
            "EventStore.DBBackend",
            Some("EventDispatcher.Dispatcher db_indexer")
                .filter(|_| is("EventDispatcher.Dispatcher", "db_indexer")),
        ),
        (
            text(settings, "BlockIndexStore.DBName", "block_index"),
            "BlockIndexStore.DBBackend",
            Some("BlockIndexStore.Enabled").filter(|key| settings.is_on(key)),
        ),
    ];
    for (name, backend, named_by) in stores {
        let path = found.resolve_inside(root, &format!("{name}.db"), "DBName")?;
        found.add(&path, Kind::store().named(named_by.filter(|_| !is(backend, "memdb"))))?;
    }
    // Without a suffix, and always in the working directory, wherever the root is.
    let receipts = Some("ReceiptsVersion 2").filter(|_| is("ReceiptsVersion", "2"));
    found.add(Path::new("receipts_db"), Kind::store().named(receipts))
}

/// What Tendermint keeps in its data directory.
fn add_chain(found: &mut Collector<'_>, tendermint: &Tendermint) -> Result<(), NodeError> {
    let dir = &tendermint.db_dir;
    found.add_container(dir);
    for name in ["blockstore.db", "state.db"] {
        found.add(&dir.join(name), Kind::store().named(Some("every node")))?;
    }
    for name in ["evidence.db", "tx_index.db", "fnConsensus.db"] {
        found.add(&dir.join(name), Kind::store())?;
    }
    add_wal(found, tendermint)?;
    found.add(&dir.join("priv_validator_state.json"), Kind::plain(Class::Signing))?;
    leave_out_scratch(found, dir)?;
    let mempool = dir.join("mempool.wal");
    if found.is_dir(&mempool) {
        found.leave_out(&mempool, Reason::MempoolWal);
    }
    Ok(())
}

/// The consensus WAL is a group of files in a directory of its own, unless it was put beside the stores.
fn add_wal(found: &mut Collector<'_>, tendermint: &Tendermint) -> Result<(), NodeError> {
    let (Some(dir), Some(head)) = (tendermint.wal.parent(), tendermint.wal.file_name()) else {
        return Ok(());
    };
    if !tendermint.db_dir.starts_with(dir) {
        return found.add(dir, Kind::directory(Class::Data));
    }
    for name in found.children(dir)? {
        if name.as_encoded_bytes().starts_with(head.as_encoded_bytes()) {
            found.add(&dir.join(name), Kind::plain(Class::Data))?;
        }
    }
    Ok(())
}

/// What Tendermint keeps in its configuration directory, and wherever that says it keeps it.
fn add_chain_config(found: &mut Collector<'_>, tendermint: &Tendermint, dir: &Path) -> Result<(), NodeError> {
    let keys = &tendermint.keys;
    for (path, class) in [
        (&keys.node_key, Class::Identity),
        (&keys.validator_key, Class::Signing),
        (&keys.sign_state, Class::Signing),
        (&tendermint.genesis, Class::Config),
        (&dir.join("config.toml"), Class::Config),
        (&dir.join("genesis.json"), Class::Config),
        (&dir.join("node_key.json"), Class::Identity),
        (&dir.join("priv_validator.json"), Class::Signing),
        (&dir.join("priv_validator_key.json"), Class::Signing),
    ] {
        found.add(path, Kind::plain(class))?;
    }
    found.add_container(dir);
    leave_out_scratch(found, dir)?;
    for book in [&tendermint.addr_book, &dir.join("addrbook.json")] {
        if found.exists(book) {
            found.leave_out(book, Reason::AddressBook);
        }
    }
    Ok(())
}

/// Scratch files of the atomic writes of key files: a write that was cut short.
fn leave_out_scratch(found: &mut Collector<'_>, dir: &Path) -> Result<(), NodeError> {
    for name in found.children(dir)? {
        let path = dir.join(&name);
        if is_scratch(&path) && !found.is_dir(&path) {
            found.leave_out(&path, Reason::Temporary);
        }
    }
    Ok(())
}

/// Whether the name is that of a write that was cut short.
pub(super) fn is_scratch(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tmp")
        || path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"write-file-atomic-"))
}

fn add_unknown_databases(found: &mut Collector<'_>, dir: &Path) -> Result<(), NodeError> {
    for name in found.children(dir)? {
        let path = dir.join(&name);
        // Never look into what hides itself: `.ssh` and the like.
        if name.as_encoded_bytes().starts_with(b".") || !found.is_dir(&path) || found.is_taken(&path) {
            continue;
        }
        if is_old_store(&path) {
            found.leave_out(&path, Reason::OldStore);
        } else if path.extension().is_some_and(|extension| extension == "db")
            || loom_leveldb::is_database(&found.home().join(&path))
        {
            found.add(&path, Kind::store().unclassified())?;
        }
    }
    Ok(())
}

/// `old_app_<unix time>.db`.
fn is_old_store(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let time = name.strip_prefix("old_app_").and_then(|rest| rest.strip_suffix(".db"));
    time.is_some_and(|time| !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit()))
}

fn leave_out_logs(found: &mut Collector<'_>, settings: &Settings) {
    let configured = ["LogDestination", "ChainConfig.LogDestination"]
        .into_iter()
        .filter_map(|key| settings.text(key)?.strip_prefix("file://").map(str::to_owned));
    for log in
        ["loom.log", "contract.log", "chainconfig.log"].map(str::to_owned).into_iter().chain(configured)
    {
        let path: PathBuf = found.resolve(Path::new(""), &log);
        if !path.is_absolute() && found.home().join(&path).is_file() && !found.is_taken(&path) {
            found.leave_out(&path, Reason::Log);
        }
    }
}

fn rpc_addresses(loom: &Settings, tendermint: &Settings) -> Vec<url::Url> {
    // `loom run` overwrites what config.toml says with its own; a plain Tendermint in this layout does not.
    let own = local_url(&text(loom, "RPCListenAddress", "tcp://127.0.0.1:46657"), "/");
    let plain = tendermint.text("rpc.laddr").and_then(|listen| local_url(&listen, "/"));
    let port = text(loom, "RPCProxyPort", "46658");
    let bind = text(loom, "RPCBindAddress", &format!("tcp://127.0.0.1:{port}"));
    let mut addresses = Vec::new();
    for url in [own, local_url(&bind, "/rpc/"), plain].into_iter().flatten() {
        if !addresses.contains(&url) {
            addresses.push(url);
        }
    }
    addresses
}
