//! Lists, checks and states.

use std::fs;

use insta::assert_snapshot;
use loom_tests::{FakeSystemctl, Fixture, Place, Tree, serve_status};

use crate::{RUN, holder::Holder};

#[test]
fn a_list_and_what_is_in_a_backup() {
    let place = Place::with(Fixture::Cometbft);
    place.set_rpc_port("home", Fixture::Cometbft, serve_status("cometbft-0.38-status.json"));
    place.back_up("").ends_with(0);
    assert_snapshot!(place.run("loom-backup list --to file:///T/repository"), @r"
    --- stdout
    n1  [id h36]  218.1 KiB  opaque  data,config,identity,signing
    --- exit code 0
    ");
    assert_snapshot!(place.run("loom-restore list --from file:///T/repository"), @r"
    --- stdout
    n1  [id h36]  218.1 KiB  opaque  data,config,identity,signing
    --- exit code 0
    ");
    assert_snapshot!(place.run("loom-restore show --from file:///T/repository"), @r"
    --- stdout
    backup    [id h36]
    node      n1
    created   [time]
    chain     test-chain-PD2JPq
    node id   c45fd99017a8bb950ee33959056815affab12ef1
    height    36
    layout    cometbft, goleveldb
    classes   data,config,identity,signing
    proof     opaque
    content   21 files, 218.1 KiB; packs: 1
    written   by loom-backup [version]
      config  config/config.toml
      config  config/genesis.json
      identity config/node_key.json
      signing config/priv_validator_key.json
      data    data/blockstore.db
      data    data/cs.wal
      data    data/evidence.db
      data    data/kvstore.db
      signing data/priv_validator_state.json
      data    data/state.db
      data    data/tx_index.db
    --- exit code 0
    ");
}

#[test]
fn a_repository_that_is_none_and_a_node_that_is_not_in_it() {
    let place = Place::with(Fixture::Cometbft);
    assert_snapshot!(place.run("loom-backup list --to file:///T/repository"), @r"
    --- stderr
    error: there is no repository at file:///T/repository
    hint: look at the URL; the first `loom-backup run` creates a repository
    --- exit code 10
    ");
    assert_snapshot!(place.run("loom-restore show --from file:///T/repository"), @r"
    --- stderr
    error: there is no repository at file:///T/repository
    hint: look at the URL; the first `loom-backup run` creates a repository
    --- exit code 10
    ");
    place.back_up("").ends_with(0);
    assert_snapshot!(place.run("loom-restore show --from file:///T/repository --node n2"), @r"
    --- stderr
    error: node n2 has no backup at all at file:///T/repository
    --- exit code 10
    ");
    assert_snapshot!(place.run("loom-backup list --to file:///T/repository --node n2"), @r"
    --- stdout
    no backups
    --- exit code 0
    ");
    let id = "--backup 20260101T000000Z-h7-0123456789abcdef0123456789abcdef";
    assert_snapshot!(place.run(&format!("loom-restore show --from file:///T/repository {id}")), @r"
    --- stderr
    error: node n1 has no backup [id h7] at file:///T/repository
    --- exit code 10
    ");
}

#[test]
fn a_repository_of_several_nodes_needs_to_be_told_which() {
    let place = Place::with(Fixture::Cometbft);
    place.back_up("").ends_with(0);
    place.run(&RUN.replace("n1", "n2")).ends_with(0);
    assert_snapshot!(place.run("loom-restore show --from file:///T/repository"), @r"
    --- stderr
    error: the repository at file:///T/repository holds n1, n2: name one with --node
    --- exit code 10
    ");
}

#[test]
fn check_says_whether_a_run_would_work() {
    let place = Place::with(Fixture::Cometbft);
    let check = RUN.replace("run", "check");
    let before = Tree::read(&place.home()).without_times_of(&[""]);
    assert_snapshot!(place.run(&check), @r"
    --- stdout
    ok   node      11 entries of a cometbft node (data,config,identity,signing)
    ok   rpc       no answer: the backup will be named without a height
    ok   snapshot  snapshots go into /T/home/.loom-snapshot, [size] free
    ok   state     /T/state can be written
    ok   storage   file:///T/repository can be written and read, and deleted; no repository yet: the first run creates it
    a run would work
    --- exit code 0
    ");
    before.assert_same(&Tree::read(&place.home()).without_times_of(&[""]));
    assert!(!place.path("repository/loom-repository.json").exists());
    fs::remove_dir_all(place.path("repository")).unwrap();
    fs::write(place.path("repository"), "in the way").unwrap();
    fs::remove_dir_all(place.home().join("data")).unwrap();
    assert_snapshot!(place.run(&check), @r"
    --- stderr
    error: open /T/repository
    caused by: not a directory
    hint: the repository must be a directory; something on its path is a file
    --- exit code 21
    ");
}

#[test]
fn a_monitor_learns_how_old_the_last_backup_is() {
    let place = Place::with(Fixture::Cometbft);
    let check = |age: &str| place.run(&format!("loom-backup check --node n1 --max-age {age}"));
    assert_snapshot!(check("26h"), @r"
    --- stdout
    n1: no successful backup is known here
    --- exit code 5
    ");
    place.back_up("").ends_with(0);
    let seconds = regex::Regex::new(r"is \d+s old").unwrap();
    let text = check("26h").to_string();
    assert_snapshot!(seconds.replace(&text, "is [time] old"), @r"
    --- stdout
    n1: the last successful backup is [time] old
    --- exit code 0
    ");
    let text = check("0s").to_string();
    assert_snapshot!(seconds.replace(&text, "is [time] old"), @r"
    --- stdout
    n1: the last successful backup is [time] old
    --- exit code 5
    ");
}

#[test]
fn status_tells_of_the_last_run_and_the_next() {
    let place = Place::with(Fixture::Cometbft);
    let _fake = FakeSystemctl::new(&place);
    assert_snapshot!(place.run("loom-backup status --node n1"), @r"
    --- stdout
    node     n1
    running  no
    last     never
    next     no timer of loom-backup.timer is known
    --- exit code 0
    ");
    place.back_up("").ends_with(0);
    assert_snapshot!(place.run("loom-backup status --node n1"), @r"
    --- stdout
    node     n1
    running  no
    last     succeeded [time]
    backup   [id hx], 218.1 KiB ([time])
    next     no timer of loom-backup.timer is known
    --- exit code 0
    ");
    let holder = Holder::of(&place, "state/n1.lock");
    assert_snapshot!(place.run("loom-backup status --node n1"), @r"
    --- stdout
    node     n1
    running  yes
    last     succeeded [time]
    backup   [id hx], 218.1 KiB ([time])
    next     no timer of loom-backup.timer is known
    --- exit code 0
    ");
    drop(holder);
    fs::remove_dir_all(place.home().join("data")).unwrap();
    place.back_up("").ends_with(10);
    assert_snapshot!(place.run("loom-backup status --node n1"), @r"
    --- stdout
    node     n1
    running  no
    last     FAILED [time]: /T/home holds no database at all: this node never ran, or its data is elsewhere
    backup   [id hx], 218.1 KiB ([time])
    next     no timer of loom-backup.timer is known
    --- exit code 0
    ");
}
