//! Backups that are not taken, and why.

use std::fs;

use insta::assert_snapshot;
use loom_tests::{Fixture, Place};

use crate::{RUN, holder::Holder};

#[test]
fn whoever_does_not_say_whether_there_is_a_service_is_asked() {
    let place = Place::with(Fixture::Cometbft);
    assert_snapshot!(place.run("loom-backup run --node n1 --home /T/home --to file:///T/repository"), @r"
    --- stderr
    error: the service that runs the node is not said: --service UNIT, or --service none when nothing runs it
    --- exit code 2
    ");
}

#[test]
fn whoever_does_not_say_where_to_is_asked() {
    let place = Place::with(Fixture::Cometbft);
    assert_snapshot!(place.run("loom-backup run --node n1 --home /T/home --service none"), @r"
    --- stderr
    error: the repository's URL is not said: --to URL
    --- exit code 2
    ");
    assert_snapshot!(place.run("loom-backup run --node n1 --to file:///T/repository --service none"), @r"
    --- stderr
    error: the directory the node runs in is not said: --home DIR, or WorkingDirectory= in the service
    --- exit code 2
    ");
}

#[test]
fn words_that_are_none_are_refused_before_anything_is_touched() {
    let place = Place::with(Fixture::Cometbft);
    let texts = [
        "--to /srv/backups",
        "--only keys",
        "--node a/b",
        "--layout geth",
        "--service ../x",
        "--to ftp://h/x",
    ]
    .map(|flag| place.run(&format!("loom-backup run {flag}")).to_string());
    assert_snapshot!(texts.join("\n"), @r#"
    --- stderr
    error: invalid value '/srv/backups' for '--to <URL>': `/srv/backups` is not a storage URL: expected file:///absolute/path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or memory:///name

    For more information, try '--help'.
    --- exit code 2
    --- stderr
    error: invalid value 'keys' for '--only <CLASSES>': unknown class `keys`: expected data, config, identity or signing

    For more information, try '--help'.
    --- exit code 2
    --- stderr
    error: invalid value 'a/b' for '--node <NAME>': "a/b" is not a node's name (1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit)

    For more information, try '--help'.
    --- exit code 2
    --- stderr
    error: invalid value 'geth' for '--layout <LAYOUT>': expected auto, loom or cometbft

    For more information, try '--help'.
    --- exit code 2
    --- stderr
    error: invalid value '../x' for '--service <UNIT|none>': unit name `../x`: a unit is named without its directory

    For more information, try '--help'.
    --- exit code 2
    --- stderr
    error: invalid value 'ftp://h/x' for '--to <URL>': `ftp://h/x` is not a storage URL: expected file:///absolute/path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or memory:///name

    For more information, try '--help'.
    --- exit code 2
    "#);
}

#[test]
fn a_configuration_with_an_unknown_key_is_refused_with_its_place() {
    let place = Place::with(Fixture::Cometbft);
    place.configure("node = \"n1\"\n\n[backup]\nsecret = \"exclude\"\n");
    assert_snapshot!(place.run("loom-backup run"), @r#"
    --- stderr
    error: understand the configuration /T/config.toml
    caused by: TOML parse error at line 4, column 1
      |
    4 | secret = "exclude"
      | ^^^^^^
    unknown field `secret`, expected one of `classes`, `secrets`, `quiesce`, `stop_timeout`, `start_timeout`, `copy_max`, `include`, `exclude`, `workers`, `uploads`, `compression_level`

    hint: `loom-backup config` prints every key
    --- exit code 2
    "#);
    assert_snapshot!(place.run("loom-backup run --config /T/absent.toml"), @r"
    --- stderr
    error: read the configuration /T/absent.toml
    caused by: No such file or directory (os error 2)
    --- exit code 2
    ");
}

#[test]
fn homes_that_are_none_are_said_to_be() {
    let place = Place::with(Fixture::Cometbft);
    fs::create_dir(place.path("empty")).unwrap();
    assert_snapshot!(place.run(&RUN.replace("/T/home", "/T/empty")), @r"
    --- stderr
    error: no node found in /T/empty: looked for chaindata/ and loom.yml (layout loom) and config/config.toml (layout cometbft); name one with --layout if the home is right
    --- exit code 10
    ");
    assert_snapshot!(place.run(&RUN.replace("/T/home", "/T/absent")), @r"
    --- stderr
    error: open the node's home /T/absent
    caused by: No such file or directory (os error 2)
    --- exit code 10
    ");
    fs::remove_file(place.home().join("data/state.db/CURRENT")).unwrap();
    fs::remove_dir_all(place.home().join("data/blockstore.db")).unwrap();
    assert_snapshot!(place.run(RUN), @r"
    --- stderr
    error: /T/home/data/blockstore.db is needed by every node and is not there or not a database
    --- exit code 10
    ");
}

#[test]
fn a_store_that_the_configuration_names_and_that_is_absent_is_named() {
    let place = Place::with(Fixture::Loom);
    let config = place.home().join("loom.yml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}ReceiptsVersion: 2\n")).unwrap();
    assert_snapshot!(place.run(RUN), @r"
    --- stderr
    error: /T/home/receipts_db is needed by ReceiptsVersion 2 and is not there or not a database
    --- exit code 10
    ");
}

#[test]
fn a_store_that_no_list_knows_is_taken_and_has_an_exit_code_of_its_own() {
    let place = Place::with(Fixture::Loom);
    loom_tests::copy_tree(&place.home().join("app.db"), &place.home().join("plasma.db"));
    assert_snapshot!(place.run(RUN), @r"
    --- stdout
    [id hx]
    --- stderr
    warning: plasma.db is a store that the layout does not know: it is backed up as data; name it under `include` in the configuration to say that this is right, or under `exclude`
    plan        13 entries of a loom node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    pause       25 files captured; the node was not running [time]
    store       9408121 bytes read, 9068575 new [time]
    publish     backup [id hx] [time]
    --- exit code 4
    ");
}

#[test]
fn a_database_that_is_not_whole_is_named_with_what_it_lacks() {
    let place = Place::with(Fixture::Cometbft);
    let dir = place.home().join("data/state.db");
    fs::write(dir.join("MANIFEST-000000"), "not a manifest").unwrap();
    assert_snapshot!(place.run(RUN), @r"
    --- stderr
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    error: database /T/home/data/state.db is not whole
    caused by: /T/home/data/state.db/MANIFEST-000000 holds no comparator
    --- exit code 1
    ");
}

#[test]
fn a_database_that_a_process_has_open_is_not_copied_under_it() {
    let place = Place::with(Fixture::Cometbft);
    let holder = Holder::of(&place, "home/data/state.db/LOCK");
    let outcome = place.run(RUN);
    let text = outcome.to_string().replace(&holder.0.id().to_string(), "[pid]");
    assert_snapshot!(text, @r"
    --- stderr
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    error: the flock lock on /T/home/data/state.db/LOCK is held by flock (process [pid])
    hint: stop the node first, or name its service with --service, or copy it running with --quiesce none (such a copy may not be restorable)
    --- exit code 10
    ");
    assert_snapshot!(place.run(&format!("{RUN} --quiesce none")), @r"
    --- stdout
    [id hx]
    --- stderr
    warning: the node is copied while it runs (--quiesce none): this backup is probably not restorable and will never be the latest
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    open        repository file:///T/repository [time]
    pause       21 files captured from the running node [time]
    store       223304 bytes read, 223024 new [time]
    publish     backup [id hx] [time]
    --- exit code 3
    ");
    assert_snapshot!(place.run("loom-restore plan --from file:///T/repository --service none --home /T/new"), @r"
    --- stderr
    error: node n1 has no backup at all at file:///T/repository
    --- exit code 10
    ");
}

#[test]
fn only_one_run_of_a_node_goes_on_at_a_time() {
    let place = Place::with(Fixture::Cometbft);
    place.back_up("").ends_with(0);
    let _holder = Holder::of(&place, "state/n1.lock");
    assert_snapshot!(place.run(RUN), @r"
    --- stderr
    error: another run of this node is going on (it holds /T/state/n1.lock)
    hint: wait for it, or see what it does with `loom-backup status`
    --- exit code 11
    ");
}

#[test]
fn keys_do_not_leave_the_machine_unencrypted_unless_somebody_says_so() {
    let place = Place::with(Fixture::Cometbft);
    let remote = RUN.replace("file:///T/repository", "s3://x/y");
    assert_snapshot!(place.run(&remote), @r#"
    --- stderr
    error: the node's keys (class identity and signing) would be stored unencrypted at s3://x/y
    hint: set `secrets = "exclude"` in [backup] to leave keys out, or `secrets = "plaintext"` to store them readable by whoever can read the bucket
    --- exit code 10
    "#);
    let here = |command: &mut std::process::Command| {
        command.envs([("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_REGION", "c")]);
    };
    let mut command = place.command(&remote);
    here(&mut command);
    assert_snapshot!(place.outcome(&mut command), @r#"
    --- stderr
    error: the node's keys (class identity and signing) would be stored unencrypted at s3://x/y
    hint: set `secrets = "exclude"` in [backup] to leave keys out, or `secrets = "plaintext"` to store them readable by whoever can read the bucket
    --- exit code 10
    "#);
}

#[test]
fn an_endpoint_that_does_not_answer_is_named() {
    let place = Place::with(Fixture::Cometbft);
    place.configure(
        "[backup]\nsecrets = \"exclude\"\n[storage.options]\nallow_http = \"true\"\n\
         aws_endpoint = \"http://127.0.0.1:1\"\naws_region = \"c\"\naws_access_key_id = \"a\"\naws_secret_access_key = \"b\"\n",
    );
    assert_snapshot!(place.run(&RUN.replace("file:///T/repository", "s3://x/y")), @r"
    --- stderr
    plan        8 entries of a cometbft node (data,config) [time]
    error: cannot reach http://127.0.0.1:1
    caused by: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    hint: check the endpoint, the name resolution and the firewall
    --- exit code 21
    ");
}

#[test]
fn a_repository_is_not_created_among_other_things() {
    let place = Place::with(Fixture::Cometbft);
    fs::create_dir(place.path("repository")).unwrap();
    fs::write(place.path("repository/holiday.jpg"), "").unwrap();
    assert_snapshot!(place.run(RUN), @r"
    --- stderr
    plan        11 entries of a cometbft node (data,config,identity,signing) [time]
    error: file:///T/repository holds objects of something else and no repository
    hint: choose an empty prefix; if this was a repository, its loom-repository.json is lost: restore that object
    --- exit code 10
    ");
}

#[test]
fn a_place_that_is_no_directory_is_said_to_be_none() {
    let place = Place::with(Fixture::Cometbft);
    fs::write(place.path("repository"), "").unwrap();
    assert_snapshot!(place.run(RUN), @r"
    --- stderr
    error: open /T/repository
    caused by: not a directory
    hint: the repository must be a directory; something on its path is a file
    --- exit code 21
    ");
}
