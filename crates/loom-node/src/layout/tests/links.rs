//! Symlinks, and paths that lead out of the home.

use super::*;

#[test]
fn a_database_elsewhere_is_followed_and_one_in_the_home_stays_a_symlink() {
    let home = Home::loom();
    home.move_out("app.db");
    home.move_out("chaindata/data");
    home.store("disk/evm.db");
    symlink("disk/evm.db", home.path().join("evm.db")).unwrap();
    symlink("app.db", home.path().join("copy.db")).unwrap();
    insta::assert_snapshot!(table(&home.strict()), @"
    data     app.db store follow
    config   chaindata/config/config.toml
    config   chaindata/config/genesis.json
    identity chaindata/config/node_key.json
    signing  chaindata/config/priv_validator.json
    data     chaindata/data/blockstore.db store
    data     chaindata/data/cs.wal
    data     chaindata/data/state.db store
    data     copy.db unclassified
    data     evm.db store follow
    config   genesis.json
    in . chaindata chaindata/config chaindata/data
    ");
}

#[test]
fn a_store_that_is_a_symlink_to_nowhere_is_named() {
    let home = Home::loom();
    home.move_out("app.db");
    fs::remove_dir_all(home.dir.path().join("app.db")).unwrap();
    insta::assert_snapshot!(home.refusal(), @"HOME/app.db is a symlink to ELSEWHERE/app.db, which is not there");
    let lenient = home.examine(&LayoutOptions::default()).unwrap();
    assert!(lenient.entries.iter().any(|e| e.path == Path::new("app.db") && !e.follow && !e.store));
}

#[test]
fn directories_of_a_cometbft_home_on_other_disks_are_followed_and_other_links_are_told() {
    let home = Home::cometbft();
    home.file("wasm/code", "");
    home.file("other/code", "");
    for path in ["wasm", "other", "data", "config/node_key.json"] {
        home.move_out(path);
    }
    insta::assert_snapshot!(table(&home.strict()), @"
    config   config/config.toml
    config   config/genesis.json
    identity config/node_key.json
    signing  config/priv_validator_key.json
    data     data/application.db store
    data     data/blockstore.db store
    data     data/cs.wal
    data     data/evidence.db store
    signing  data/priv_validator_state.json
    data     data/state.db store
    data     data/tx_index.db store
    data     other
    data     wasm follow
    -        config/node_key.json (only the symlink is taken)
    -        other (only the symlink is taken)
    in . config data
    ");
}

#[test]
fn keys_outside_the_home_are_told_and_stores_outside_are_refused() {
    let home = Home::cometbft();
    fs::write(home.dir.path().join("key.json"), "{}").unwrap();
    home.file(
        "config/config.toml",
        "node-key-file = \"../key.json\"\npriv_validator_laddr = \"tcp://0.0.0.0:1\"\n[rpc]\nladdr = \"\"\n",
    );
    let layout = home.strict();
    let outside = layout.left_out.iter().find(|left| left.reason == Reason::OutsideHome).unwrap();
    assert_eq!(fs::read_to_string(&outside.path).unwrap(), "{}");
    assert!(layout.remote_signer);
    assert!(layout.rpc.is_empty());
    home.file("config/config.toml", "db_dir = \"/mnt/data\"\n");
    insta::assert_snapshot!(home.refusal(), @"`db_dir` names /mnt/data, which is not inside HOME: use the directory that holds both as the home, or a symlink in the home");
    home.file("config/config.toml", &format!("db_dir = \"{}\"\n", home.path().join("data").display()));
    assert_eq!(home.strict().databases().count(), 5);
}
