//! The closed list of a Loom home.

use super::*;

#[test]
fn a_loom_home_gives_its_closed_list_and_leaves_the_rest_alone() {
    let home = Home::loom();
    for store in ["evm.db", "receipts_db", "app_v2.db", "chaindata/data/tx_index.db", "old_app_1620000000.db"]
    {
        home.store(store);
    }
    home.file("loom.yml", "AppStore:\n  Version: 3\nReceiptsVersion: 2\n");
    home.file("contracts/coin.1.0.0", "");
    for worthless in [
        "loom.log",
        "chaindata/data/mempool.wal/wal",
        "chaindata/config/addrbook.json",
        "chaindata/config/write-file-atomic-1234",
        "chaindata/config/node_key.json.tmp",
    ] {
        home.file(worthless, "");
    }
    for foreign in
        [".ssh/id_ed25519", "loom", "notes.txt", "projects/wallet/CURRENT", ".cache.db/CURRENT", "x.db"]
    {
        home.file(foreign, "");
    }
    home.file(".loom-snapshot/1/CURRENT", "");
    home.file(".loom-restore/1/app.db/CURRENT", "");
    insta::assert_snapshot!(table(&home.strict()), @"
    data     app.db store
    data     app_v2.db store
    config   chaindata/config/config.toml
    config   chaindata/config/genesis.json
    identity chaindata/config/node_key.json
    signing  chaindata/config/priv_validator.json
    data     chaindata/data/blockstore.db store
    data     chaindata/data/cs.wal
    data     chaindata/data/state.db store
    data     chaindata/data/tx_index.db store
    config   contracts
    data     evm.db store
    config   genesis.json
    config   loom.yml
    data     receipts_db store
    -        chaindata/config/addrbook.json (address book)
    -        chaindata/config/node_key.json.tmp (temporary)
    -        chaindata/config/write-file-atomic-1234 (temporary)
    -        chaindata/data/mempool.wal (mempool WAL)
    -        loom.log (log)
    -        old_app_1620000000.db (store put aside by Loom)
    in . chaindata chaindata/config chaindata/data
    ");
}

#[test]
fn what_the_configuration_of_a_loom_node_says_is_known() {
    let home = Home::loom();
    home.file("loom.yaml", "rpclistenaddress: tcp://0.0.0.0:40000\nRPCPROXYPORT: 40001\n");
    let layout = home.strict();
    assert_eq!((layout.kind, layout.engine.as_str()), (LayoutKind::Loom, "goleveldb"));
    assert_eq!(layout.chain_id.as_deref(), Some("default"));
    assert_eq!(layout.moniker.as_deref(), Some("n1"));
    assert_eq!(layout.p2p_address.as_deref(), Some("tcp://0.0.0.0:46656"));
    assert!(!layout.remote_signer);
    assert_eq!(
        layout.rpc.iter().map(Url::as_str).collect::<Vec<_>>(),
        ["http://127.0.0.1:40000/", "http://127.0.0.1:40001/rpc/"]
    );
    assert_eq!(layout.keys.node_key, Path::new("chaindata/config/node_key.json"));
    assert_eq!(layout.keys.sign_state, Path::new("chaindata/config/priv_validator.json"));
    assert_eq!(layout.keys.validator_key, layout.keys.sign_state);
}

#[test]
fn the_fixture_home_of_a_real_node_is_a_loom_home() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/loom-home");
    let layout = examine(&home, &LayoutOptions { strict: true, ..LayoutOptions::default() }).unwrap();
    assert_eq!(layout.chain_id.as_deref(), Some("test-chain-ThdAYD"));
    insta::assert_snapshot!(table(&layout), @"
    data     app.db store
    config   chaindata/config/config.toml
    config   chaindata/config/genesis.json
    identity chaindata/config/node_key.json
    signing  chaindata/config/priv_validator.json
    data     chaindata/data/blockstore.db store
    data     chaindata/data/cs.wal
    data     chaindata/data/evidence.db store
    data     chaindata/data/state.db store
    data     chaindata/data/tx_index.db store
    config   genesis.json
    config   loom.yml
    in . chaindata chaindata/config chaindata/data
    ");
}

#[test]
fn names_moved_by_the_configuration_are_followed() {
    let home = Home::new();
    home.file("config/loom.json", "{\"dbname\": \"ledger\", \"EVMSTORE\": {\"DBName\": \"vm\"}, \"RootDir\": \"root\", \"GenesisFile\": \"g.json\", \"PluginsDir\": \"plugins\"}");
    for store in [
        "root/ledger.db",
        "root/vm.db",
        "receipts_db",
        "root/chaindata/db/blockstore.db",
        "root/chaindata/db/state.db",
    ] {
        home.store(store);
    }
    home.file("root/chaindata/config/config.toml", "db_dir = \"db\"\nnode_key_file = \"keys/p2p.json\"\npriv_validator_file = \"keys/val.json\"\n[consensus]\nwal_file = \"db/wal\"\n");
    for file in [
        "root/g.json",
        "root/plugins/a",
        "root/chaindata/keys/p2p.json",
        "root/chaindata/keys/val.json",
        "root/chaindata/db/wal",
        "root/chaindata/db/wal.000",
    ] {
        home.file(file, "");
    }
    let layout = home
        .examine(&LayoutOptions { strict: true, kind: Some(LayoutKind::Loom), ..LayoutOptions::default() })
        .unwrap();
    insta::assert_snapshot!(table(&layout), @"
    config   config/loom.json
    data     receipts_db store
    config   root/chaindata/config/config.toml
    data     root/chaindata/db/blockstore.db store
    data     root/chaindata/db/state.db store
    data     root/chaindata/db/wal
    data     root/chaindata/db/wal.000
    identity root/chaindata/keys/p2p.json
    signing  root/chaindata/keys/val.json
    config   root/g.json
    data     root/ledger.db store
    config   root/plugins
    data     root/vm.db store
    in . config root root/chaindata root/chaindata/config root/chaindata/db root/chaindata/keys
    ");
    assert_eq!(layout.keys.sign_state, Path::new("root/chaindata/keys/val.json"));
}

#[test]
fn a_loom_configuration_of_2018_without_the_newer_keys_needs_only_the_older_stores() {
    let home = Home::loom();
    home.file(
        "loom.yml",
        "QueryServerHost: \"tcp://127.0.0.1:9999\"\nPeers: \"\"\nDBName: app\nEventDispatcherURI: \"log\"\n",
    );
    assert_eq!(home.strict().databases().count(), 3);
    home.file("loom.yml", "# only comments\n");
    assert_eq!(home.strict().databases().count(), 3);
}

#[test]
fn a_named_store_that_is_absent_is_an_error_where_a_backup_asks_and_a_remark_where_a_restore_does() {
    for (yml, named) in [
        ("AppStore: {Version: 3}", "evm.db"),
        ("ReceiptsVersion: 2", "receipts_db"),
        ("BlockIndexStore: {Enabled: true, DBName: idx}", "idx.db"),
        ("EventDispatcher: {Dispatcher: db_indexer}", "events.db"),
        ("DBName: other", "other.db"),
    ] {
        let home = Home::loom();
        home.file("loom.yml", yml);
        assert!(
            home.refusal().starts_with(&format!("HOME/{named} is needed by ")),
            "{yml}: {}",
            home.refusal()
        );
        let lenient = home.examine(&LayoutOptions::default()).unwrap();
        assert_eq!(lenient.left_out, [LeftOut { path: named.into(), reason: Reason::Absent }], "{yml}");
        home.file(&format!("{named}/LOG"), "a directory that is no database");
        assert!(home.refusal().ends_with("is not there or not a database"), "{yml}");
        home.store(named);
        home.strict();
    }
    let home = Home::loom();
    fs::remove_dir_all(home.path().join("chaindata/data/state.db")).unwrap();
    insta::assert_snapshot!(home.refusal(), @"HOME/chaindata/data/state.db is needed by every node and is not there or not a database");
}

#[test]
fn an_unknown_database_beside_known_ones_is_taken_and_marked() {
    let home = Home::loom();
    home.store("dpos4.db");
    home.store("chaindata/data/newIndex.db");
    home.store("kv_without_suffix");
    fs::create_dir(home.path().join("empty.db")).unwrap();
    let layout = home.strict();
    let unclassified: Vec<_> =
        layout.entries.iter().filter(|e| e.unclassified).map(|e| e.path.to_str().unwrap()).collect();
    assert_eq!(unclassified, ["chaindata/data/newIndex.db", "dpos4.db", "empty.db", "kv_without_suffix"]);
}

#[test]
fn a_configuration_that_cannot_be_understood_is_named_and_not_quoted() {
    let home = Home::loom();
    home.file("loom.toml", "HsmAuthPassword = \"secret\nDBName = 1");
    let error = home.examine(&LayoutOptions::default()).unwrap_err();
    insta::assert_snapshot!(error.to_string().replace(home.path().to_str().unwrap(), "HOME"), @"parse HOME/loom.toml");
    insta::assert_snapshot!(std::error::Error::source(&error).unwrap(), @r#"line 1: invalid basic string, expected `"`"#);
}

#[test]
fn a_configuration_that_puts_one_entry_in_another_is_refused() {
    let home = Home::loom();
    home.file("loom.yml", "PluginsDir: chaindata");
    insta::assert_snapshot!(home.refusal(), @"the configuration puts chaindata/config/config.toml inside chaindata: each must be a name of its own");
}
