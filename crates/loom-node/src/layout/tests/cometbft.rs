//! A home that is the node's own, and the databases in it.

use super::*;

#[test]
fn a_cometbft_home_is_taken_whole_but_for_what_is_worthless() {
    let home = Home::cometbft();
    home.store("data/snapshots/metadata.db");
    home.store("index/extra");
    home.store("extra.db");
    for file in [
        "config/app.toml",
        "config/addrbook.json",
        "config/gentx/a.json",
        "config/priv_validator_key.json.bak",
        "config/write-file-atomic-99",
        "data/upgrade-info.json",
        "data/mempool.wal/wal",
        "data/x.tmp",
        "data/LOCK",
        "wasm/wasm/state/1",
        "keyring-file/a.info",
        ".loom-snapshot/1/x",
        ".loom-restore/journal",
        "node_key.json.old",
        ".ssh/id_ed25519",
        "wasm/.kept",
    ] {
        home.file(file, "");
    }
    let layout = home.strict();
    insta::assert_snapshot!(table(&layout), @"
    config   config/app.toml
    config   config/config.toml
    config   config/genesis.json
    config   config/gentx
    identity config/node_key.json
    signing  config/priv_validator_key.json
    signing  config/priv_validator_key.json.bak
    data     data/application.db store
    data     data/blockstore.db store
    data     data/cs.wal
    data     data/evidence.db store
    signing  data/priv_validator_state.json
    data     data/snapshots
    data     data/state.db store
    data     data/tx_index.db store
    data     data/upgrade-info.json
    data     extra.db store unclassified
    data     index
    identity keyring-file
    identity node_key.json.old
    data     wasm
    -        .ssh (hidden)
    -        config/addrbook.json (address book)
    -        config/write-file-atomic-99 (temporary)
    -        data/LOCK (temporary)
    -        data/mempool.wal (mempool WAL)
    -        data/x.tmp (temporary)
    in . config data
    ");
    assert_eq!(layout.chain_id.as_deref(), Some("c-1"));
    assert_eq!(layout.rpc.iter().map(Url::as_str).collect::<Vec<_>>(), ["http://127.0.0.1:36657/"]);
    assert_eq!(layout.keys.sign_state, Path::new("data/priv_validator_state.json"));
}

#[test]
fn engines_that_are_not_leveldb_are_told_by_their_directories() {
    let home = Home::new();
    home.file("config/config.toml", "db_backend = \"badgerdb\"\n");
    for store in ["blockstore.db", "state.db"] {
        home.file(&format!("data/{store}/KEYREGISTRY"), "");
    }
    let layout = home.strict();
    assert_eq!((layout.engine.as_str(), layout.databases().count()), ("badgerdb", 2));
}

#[test]
fn every_database_in_or_under_an_entry_has_its_lock_found() {
    let home = Home::cometbft();
    home.store("data/snapshots/metadata.db");
    home.file("wasm/LOCK", "not a database");
    home.move_out("data/state.db");
    let locks = home.strict().lock_files(&home.path()).unwrap();
    let locks: Vec<_> =
        locks.iter().map(|lock| lock.strip_prefix(home.path()).unwrap().to_str().unwrap()).collect();
    assert_eq!(
        locks,
        [
            "data/application.db/LOCK",
            "data/blockstore.db/LOCK",
            "data/evidence.db/LOCK",
            "data/snapshots/metadata.db/LOCK",
            "data/state.db/LOCK",
            "data/tx_index.db/LOCK",
        ]
    );
}

#[test]
fn the_fixture_home_of_a_real_node_is_a_cometbft_home() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/cometbft-home");
    let layout = examine(&home, &LayoutOptions { strict: true, ..LayoutOptions::default() }).unwrap();
    insta::assert_snapshot!(table(&layout), @"
    config   config/config.toml
    config   config/genesis.json
    identity config/node_key.json
    signing  config/priv_validator_key.json
    data     data/blockstore.db store
    data     data/cs.wal
    data     data/evidence.db store
    data     data/kvstore.db store
    signing  data/priv_validator_state.json
    data     data/state.db store
    data     data/tx_index.db store
    -        config/addrbook.json (address book)
    in . config data
    ");
    let status = fs::read(home.join("../rpc/cometbft-0.38-status.json")).unwrap();
    let status = crate::Status::parse(&status).unwrap();
    let key = crate::NodeKey::read(&home.join(&layout.keys.node_key)).unwrap();
    assert_eq!(Some(key.node_id()), status.id);
    assert_eq!(layout.chain_id, Some(status.network));
    let sign = |path| crate::SignFile::parse(&fs::read(home.join(path)).unwrap()).unwrap();
    assert_eq!(sign(&layout.keys.validator_key).address(), status.validator_address);
    assert!(sign(&layout.keys.sign_state).state().unwrap().height >= status.height);
}
