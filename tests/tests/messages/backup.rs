//! Backups that are taken, or would be.

use std::fs;

use insta::assert_snapshot;
use loom_tests::{Fixture, Place, Tree, serve_status};

use crate::RUN;

#[test]
fn a_first_run_and_one_that_finds_nothing_new() {
    let place = Place::with(Fixture::Cometbft);
    assert_snapshot!(place.run(RUN), @r"
    --- stdout
    [id hx]
    --- stderr
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    pause       21 files captured; the node was not running [time]
    store       223304 bytes read, 223024 new [time]
    publish     backup [id hx] [time]
    --- exit code 0
    ");
    assert_snapshot!(place.run(RUN), @r"
    --- stdout
    [id hx]
    --- stderr
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    pause       21 files captured; the node was not running [time]
    store       223304 bytes read, 0 new [time]
    publish     backup [id hx] [time]
    --- exit code 0
    ");
}

#[test]
fn a_node_that_answers_is_named_by_its_height() {
    let place = Place::with(Fixture::Cometbft);
    place.set_rpc_port("home", Fixture::Cometbft, serve_status("cometbft-0.38-status.json"));
    assert_snapshot!(place.run(RUN), @r"
    --- stdout
    [id h36]
    --- stderr
    plan        11 entries of a cometbft node (data,config,identity,signing), height 36 [time]
    open        repository file:///T/repository [time]
    pause       21 files captured; the node was not running [time]
    store       223308 bytes read, 223028 new [time]
    publish     backup [id h36] [time]
    --- exit code 0
    ");
}

#[test]
fn another_node_that_answers_is_warned_of() {
    let place = Place::with(Fixture::Cometbft);
    place.set_rpc_port("home", Fixture::Cometbft, serve_status("tendermint-0.27.3-status.json"));
    assert_snapshot!(place.run(&format!("{RUN} --dry-run")), @r"
    --- stdout
    layout cometbft, engine goleveldb, classes data,config,identity,signing
    chain test-chain-ThdAYD, node id c45fd99017a8bb950ee33959056815affab12ef1
      take  config     config/config.toml
      take  config     config/genesis.json
      take  identity   config/node_key.json
      take  signing    config/priv_validator_key.json
      take  data       data/blockstore.db
      take  data       data/cs.wal
      take  data       data/evidence.db
      take  data       data/kvstore.db
      take  signing    data/priv_validator_state.json
      take  data       data/state.db
      take  data       data/tx_index.db
      leave            config/addrbook.json (address book)
    warning: the node that answers RPC has id bb396103c9060e51c20af8165ec7e5188e6979cf, the key in this home has id c45fd99017a8bb950ee33959056815affab12ef1: is this the right home?
    --- exit code 3
    ");
}

#[test]
fn a_dry_run_changes_nothing() {
    let place = Place::with(Fixture::Loom);
    fs::create_dir(place.home().join("old_app_1546300800.db")).unwrap();
    let before = Tree::read(place.root());
    assert_snapshot!(place.run(&format!("{RUN} --dry-run")), @r"
    --- stdout
    layout loom, engine goleveldb, classes data,config,identity,signing
    chain test-chain-ThdAYD, node id bb396103c9060e51c20af8165ec7e5188e6979cf
      take  data       app.db
      take  config     chaindata/config/config.toml
      take  config     chaindata/config/genesis.json
      take  identity   chaindata/config/node_key.json
      take  signing    chaindata/config/priv_validator.json
      take  data       chaindata/data/blockstore.db
      take  data       chaindata/data/cs.wal
      take  data       chaindata/data/evidence.db
      take  data       chaindata/data/state.db
      take  data       chaindata/data/tx_index.db
      take  config     genesis.json
      take  config     loom.yml
      leave            old_app_1546300800.db (store put aside by Loom)
    --- exit code 0
    ");
    before.assert_same(&Tree::read(place.root()));
}
