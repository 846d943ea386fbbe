//! Plans and restores.

use insta::assert_snapshot;
use loom_tests::{Fixture, Place};

#[test]
fn a_plan_and_its_restore() {
    let place = Place::with(Fixture::Cometbft);
    place.back_up("").ends_with(0);
    let command = "--from file:///T/repository --service none --home /T/new";
    assert_snapshot!(place.run(&format!("loom-restore plan {command}")), @r"
    --- stdout
    backup    [id hx] of n1
    chain     test-chain-PD2JPq, proof opaque
    into      /T/new
    download  19 files, 217.3 KiB; [size] free there
      create  config     config/config.toml
      create  config     config/genesis.json
      create  identity   config/node_key.json
      create  data       data/blockstore.db
      create  data       data/cs.wal
      create  data       data/evidence.db
      create  data       data/kvstore.db
      create  data       data/state.db
      create  data       data/tx_index.db
    --- exit code 0
    ");
    assert!(!place.path("new").exists());
    assert_snapshot!(place.run(&format!("loom-restore run {command}")), @r"
    --- stderr
    backup    [id hx] of n1
    chain     test-chain-PD2JPq, proof opaque
    into      /T/new
    download  19 files, 217.3 KiB; [size] free there
      create  config     config/config.toml
      create  config     config/genesis.json
      create  identity   config/node_key.json
      create  data       data/blockstore.db
      create  data       data/cs.wal
      create  data       data/evidence.db
      create  data       data/kvstore.db
      create  data       data/state.db
      create  data       data/tx_index.db
    error: nothing was done: the plan above was not confirmed
    hint: --yes goes on without asking
    --- exit code 10
    ");
    assert!(!place.path("new").exists());
    assert_snapshot!(place.run(&format!("loom-restore run {command} --yes")), @r"
    --- stdout
    restored 19 files, 217.3 KiB of backup [id hx] into /T/new
    --- stderr
    backup    [id hx] of n1
    chain     test-chain-PD2JPq, proof opaque
    into      /T/new
    download  19 files, 217.3 KiB; [size] free there
      create  config     config/config.toml
      create  config     config/genesis.json
      create  identity   config/node_key.json
      create  data       data/blockstore.db
      create  data       data/cs.wal
      create  data       data/evidence.db
      create  data       data/kvstore.db
      create  data       data/state.db
      create  data       data/tx_index.db
    stage       19 files, 222550 bytes [time]
    stop        nothing was running [time]
    swap        9 entries [time]
    --- exit code 0
    ");
}

#[test]
fn entries_that_are_there_are_not_replaced_unless_somebody_says_so() {
    let place = Place::with(Fixture::Loom);
    place.back_up("").ends_with(0);
    assert_snapshot!(place.restore("home", ""), @r"
    --- stderr
    backup    [id hx] of n1
    chain     test-chain-ThdAYD, proof opaque
    into      /T/home
    download  20 files, 8.6 MiB; [size] free there
      replace data       app.db
      replace config     chaindata/config/config.toml
      replace config     chaindata/config/genesis.json
      replace data       chaindata/data/blockstore.db
      replace data       chaindata/data/cs.wal
      replace data       chaindata/data/evidence.db
      replace data       chaindata/data/state.db
      replace data       chaindata/data/tx_index.db
      replace config     genesis.json
      replace config     loom.yml
    error: /T/home already has app.db, chaindata/config/config.toml, chaindata/config/genesis.json, chaindata/data/blockstore.db, chaindata/data/cs.wal and 5 more
    hint: --replace puts the backup's entries in their place and keeps the old ones under .loom-restore/
    --- exit code 10
    ");
    assert_snapshot!(place.restore("home", "--replace --only data"), @r"
    --- stdout
    restored 16 files, 8.6 MiB of backup [id hx] into /T/home
    what was there before is kept in /T/home/.loom-restore/[restore]/previous
    --- stderr
    backup    [id hx] of n1
    chain     test-chain-ThdAYD, proof opaque
    into      /T/home
    download  16 files, 8.6 MiB; [size] free there
      replace data       app.db
      replace data       chaindata/data/blockstore.db
      replace data       chaindata/data/cs.wal
      replace data       chaindata/data/evidence.db
      replace data       chaindata/data/state.db
      replace data       chaindata/data/tx_index.db
    stage       16 files, 9059352 bytes [time]
    stop        nothing was running [time]
    swap        6 entries [time]
    --- exit code 0
    ");
}

#[test]
fn a_class_that_the_backup_does_not_have_is_named() {
    let place = Place::with(Fixture::Cometbft);
    place.back_up("--only data,config").ends_with(0);
    assert_snapshot!(place.restore("new", "--only data,signing"), @r"
    --- stderr
    error: node n1 has no backup with data, signing at file:///T/repository
    --- exit code 10
    ");
}
