//! The world fails: services, disks, files and rights.

use std::{fs, os::unix::fs::PermissionsExt};

use insta::assert_snapshot;
use loom_tests::{FakeSystemctl, Fixture, Outcome, Place, needs_root};

use crate::RUN;

#[test]
#[ignore = "needs root"]
fn a_user_who_may_not_control_the_service_is_told_what_is_missing() {
    needs_root();
    let place = Place::with(Fixture::Cometbft);
    let systemctl = FakeSystemctl::new(&place);
    systemctl.on("stop", "echo 'Failed to stop loom.service: Access denied' >&2; exit 4");
    let run = "loom-backup run --node n1 --home /T/home --to file:///T/repository";
    assert_snapshot!(place.run(run), @r"
    --- stderr
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    error: `/T/systemd/systemctl --no-ask-password --no-block stop loom.service` failed (exit status: 4): run it by hand to see why
    --- exit code 1
    ");
    systemctl.off("stop");
    systemctl.on("show", "echo LoadState=not-found; echo Id=loom.service; exit 0");
    assert_snapshot!(place.run(run), @r"
    --- stderr
    error: loom.service cannot be loaded (not-found), it would not start again; `systemctl status loom.service` says why
    --- exit code 10
    ");
}

#[test]
#[ignore = "needs root"]
fn a_service_that_does_not_come_back_is_shouted_about() {
    needs_root();
    let place = Place::with(Fixture::Cometbft);
    let systemctl = FakeSystemctl::new(&place);
    systemctl.on("start", "echo 'Failed to start loom.service: Access denied' >&2; exit 4");
    let run = "loom-backup run --node n1 --home /T/home --to file:///T/repository";
    assert_snapshot!(place.run(run), @r"
    --- stderr
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    error: THE NODE IS DOWN: loom.service was stopped for this run and did not come back
    caused by: `/T/systemd/systemctl --no-ask-password --no-block start loom.service` failed (exit status: 4): run it by hand to see why
    hint: start it by hand with `systemctl start`, and read its journal with `journalctl -u`
    --- exit code 40
    ");
    systemctl.off("start");
    assert_snapshot!(place.run("loom-backup recover --node n1"), @r"
    --- stdout
    the service that an interrupted run had stopped is back
    --- exit code 0
    ");
    assert!(systemctl.is_up());
    assert_snapshot!(place.run("loom-backup recover --node n1"), @r"
    --- stdout
    nothing to recover
    --- exit code 0
    ");
}

#[test]
#[ignore = "needs root"]
fn an_entry_that_vanishes_in_the_pause_is_named_and_the_service_comes_back() {
    needs_root();
    let place = Place::with(Fixture::Cometbft);
    let systemctl = FakeSystemctl::new(&place);
    // Between plan and capture: an entry that was planned is gone.
    systemctl.on("stop", "rm -r \"$dir/../home/data/cs.wal\"");
    let run = "loom-backup run --node n1 --home /T/home --to file:///T/repository";
    assert_snapshot!(place.run(run), @r"
    --- stderr
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    error: read /T/home/data/cs.wal
    caused by: No such file or directory (os error 2)
    --- exit code 1
    ");
    assert!(systemctl.is_up());
}

/// Runs a shell script in a mount namespace of its own, where it may mount what it likes at `/T/...`.
fn in_namespace(place: &Place, script: &str) -> Outcome {
    needs_root();
    let script = place.resolve(script);
    let script =
        script.replace("loom-backup run", &format!("{} run", loom_tests::program("loom-backup").display()));
    let script =
        script.replace("loom-restore run", &format!("{} run", loom_tests::program("loom-restore").display()));
    let mut command = place.command("unshare -m --propagation private sh -ec");
    place.outcome(command.arg(script))
}

#[test]
#[ignore = "needs root"]
fn a_disk_that_is_full_at_the_repository_is_said_to_be() {
    let place = Place::with(Fixture::Cometbft);
    fs::create_dir(place.path("repository")).unwrap();
    let full = "mount -t tmpfs -o size=16k none /T/repository";
    assert_snapshot!(in_namespace(&place, &format!("{full}; exec {RUN}")), @r"
    --- stderr
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    pause       21 files captured; the node was not running [time]
    error: no space left to write file:///T/repository/n1/packs/[pack].tar.zst
    caused by: No space left on device (os error 28)
    hint: make room or raise the quota; old backups can be pruned
    --- exit code 21
    ");
}

#[test]
#[ignore = "needs root"]
fn a_disk_that_is_full_at_the_snapshot_is_said_to_be() {
    let place = Place::with(Fixture::Cometbft);
    fs::create_dir(place.path("small")).unwrap();
    let full = "mount -t tmpfs -o size=600k none /T/small; cp -a /T/home /T/small/; \
        head -c 1m /dev/zero > /T/small/fill || true";
    let run = RUN.replace("/T/home", "/T/small/home");
    assert_snapshot!(in_namespace(&place, &format!("{full} 2>/dev/null; exec {run}")), @r"
    --- stderr
    head: error writing 'standard output': No space left on device
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    error: no space is left for /T/small/home/config/config.toml in /T/small/home/.loom-snapshot/[snapshot]: free some there, or move what holds the node's files to a file system with reflinks
    caused by: No space left on device (os error 28)
    --- exit code 1
    ");
}

#[test]
#[ignore = "needs root"]
fn a_disk_without_room_for_a_restore_is_refused_before_anything_is_fetched() {
    let place = Place::with(Fixture::Cometbft);
    place.back_up("").ends_with(0);
    fs::create_dir(place.path("small")).unwrap();
    let restore = "loom-restore run --yes --from file:///T/repository --service none --home /T/small/new";
    let script = format!("mount -t tmpfs -o size=1m none /T/small; exec {restore}");
    assert_snapshot!(in_namespace(&place, &script), @r"
    --- stderr
    backup    [id hx] of n1
    chain     test-chain-PD2JPq, proof opaque
    into      /T/small/new
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
    error: /T/small/new has [size] free and the restore needs 67331414
    hint: free some space there, or restore into another file system with --home
    --- exit code 10
    ");
}

#[test]
#[ignore = "needs root"]
fn a_file_that_may_not_be_read_is_named() {
    needs_root();
    let place = Place::with(Fixture::Cometbft);
    place.run("chown -R 4242:4242 /T/").ends_with(0);
    let secret = place.home().join("config/node_key.json");
    std::os::unix::fs::chown(&secret, Some(0), Some(0)).unwrap();
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let user = "setpriv --reuid 4242 --regid 4242 --clear-groups --";
    assert_snapshot!(place.run(&format!("{user} {RUN}")), @r"
    --- stderr
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    error: read /T/home/config/node_key.json
    caused by: Permission denied (os error 13)
    --- exit code 1
    ");
    fs::set_permissions(place.home().join("data/state.db"), PermissionsExt::from_mode(0o000)).unwrap();
    assert_snapshot!(place.run(&format!("{user} {RUN}")), @r"
    --- stderr
    error: /T/home/data/state.db is needed by every node and is not there or not a database
    --- exit code 10
    ");
}
