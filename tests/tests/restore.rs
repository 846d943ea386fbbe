//! What a restore does with what is there already: it moves it aside whole, brings only what it was told to, and never lowers what a
//! validator has signed.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use insta::assert_snapshot;
use loom_tests::{Fixture, Outcome, Place, Tree};
use serde_json::Value;

/// Times of directories into which, or out of which, entries are moved.
const CONTAINERS: [&str; 3] = ["", "config", "data"];

fn tree(path: &Path) -> Tree {
    Tree::read(path).without_times_of(&CONTAINERS)
}

/// The one `previous` directory in a home.
fn previous(home: &Path) -> PathBuf {
    let dirs: Vec<_> =
        fs::read_dir(home.join(".loom-restore")).unwrap().map(|dir| dir.unwrap().path()).collect();
    let [dir] = dirs.as_slice() else { panic!("{dirs:?}") };
    dir.join("previous")
}

/// Whether a path is, or is in, one of these.
fn is_in(names: &'static [&'static str]) -> impl Fn(&Path) -> bool {
    move |path| names.iter().any(|name| path == Path::new(name))
}

#[test]
fn what_is_replaced_is_kept_whole_and_nothing_is_mixed() {
    let place = Place::with(Fixture::Cometbft);
    let home = place.home();
    fs::create_dir(home.join("wasm")).unwrap();
    fs::write(home.join("wasm/old"), "of the backup").unwrap();
    place.back_up("").ends_with(0);
    let backed_up = tree(&home);

    fs::write(home.join("wasm/new"), "since the backup").unwrap();
    fs::remove_file(home.join("wasm/old")).unwrap();
    fs::write(home.join("data/state.db/000099.log"), "since the backup").unwrap();
    let before = tree(&home);
    place.restore("home", "--replace").ends_with(0);

    let after = tree(&home).without(is_in(&[".loom-restore"]));
    let left_out = |path: &Path| {
        let of_database = path.parent().is_some_and(|parent| parent.extension() == Some("db".as_ref()));
        of_database && (path.ends_with("LOCK") || path.ends_with("LOG"))
    };
    after.assert_same(&backed_up.without(left_out));
    // Aside is all that was replaced, as it was, and nothing else.
    let aside = ["config/config.toml", "config/genesis.json", "wasm", "data/cs.wal"];
    let databases =
        ["blockstore", "evidence", "kvstore", "state", "tx_index"].map(|name| format!("data/{name}.db"));
    let replaced = |path: &Path| {
        aside.iter().any(|name| path == Path::new(name))
            || databases.iter().any(|name| path == Path::new(name))
    };
    tree(&previous(&home)).only(replaced).assert_same(&before.only(replaced));
    let others = tree(&previous(&home)).without(replaced);
    assert_eq!(others.0.keys().collect::<Vec<_>>(), CONTAINERS.map(PathBuf::from).iter().collect::<Vec<_>>());
}

#[test]
fn a_restore_of_data_leaves_keys_and_sign_state_alone() {
    let place = Place::with(Fixture::Cometbft);
    place.back_up("").ends_with(0);
    let kept = ["config/node_key.json", "config/priv_validator_key.json", "data/priv_validator_state.json"];
    for name in kept {
        fs::write(place.home().join(name), "another").unwrap();
    }
    fs::write(place.home().join("config/addrbook.json"), "known peers").unwrap();
    place.restore("home", "--replace").ends_with(0);
    place.restore("home", "--replace --only data").ends_with(0);
    for name in kept {
        assert_eq!(fs::read_to_string(place.home().join(name)).unwrap(), "another", "{name}");
    }
    assert_eq!(fs::read_to_string(place.home().join("config/addrbook.json")).unwrap(), "known peers");
}

#[test]
fn a_node_key_comes_where_there_is_none_and_elsewhere_only_when_it_is_named() {
    let place = Place::with(Fixture::Cometbft);
    place.back_up("").ends_with(0);
    let key = fs::read(place.home().join("config/node_key.json")).unwrap();
    place.restore("new", "").ends_with(0);
    assert_eq!(fs::read(place.path("new/config/node_key.json")).unwrap(), key);
    assert!(!place.path("new/config/priv_validator_key.json").exists());
    assert!(!place.path("new/data/priv_validator_state.json").exists());
    place.add_home("other", Fixture::Cometbft);
    fs::write(place.path("other/config/node_key.json"), "another").unwrap();
    place.restore("other", "--replace --only identity").ends_with(0);
    assert_eq!(fs::read(place.path("other/config/node_key.json")).unwrap(), key);
}

#[test]
fn a_store_that_the_backup_does_not_have_is_moved_aside_with_the_data() {
    let place = Place::with(Fixture::Loom);
    place.back_up("").ends_with(0);
    loom_tests::copy_tree(&place.home().join("app.db"), &place.home().join("evm.db"));
    let stale = Tree::read(&place.home().join("evm.db"));
    let outcome = place.restore("home", "--replace").with_code(0);
    assert!(outcome.stderr.contains("  remove  data       evm.db\n"), "\n{outcome}");
    assert!(!place.home().join("evm.db").exists());
    Tree::read(&previous(&place.home()).join("evm.db")).assert_same(&stale);
}

#[test]
fn neighbours_of_a_loom_node_are_not_in_the_way() {
    let place = Place::with(Fixture::Loom);
    place.back_up("").ends_with(0);
    fs::create_dir_all(place.path("new/.ssh")).unwrap();
    fs::write(place.path("new/loom"), "the program").unwrap();
    place.restore("new", "").ends_with(0);
    assert!(place.path("new/.ssh").is_dir());
    assert_eq!(fs::read_to_string(place.path("new/loom")).unwrap(), "the program");
    assert!(!place.path("new/.loom-restore").exists());
}

#[test]
fn a_second_restore_keeps_what_the_first_one_moved_aside() {
    let place = Place::with(Fixture::Cometbft);
    place.back_up("").ends_with(0);
    place.restore("home", "--replace --only config").ends_with(0);
    let first = previous(&place.home());
    let kept = Tree::read(&first);
    place.restore("home", "--replace --only config").ends_with(0);
    Tree::read(&first).assert_same(&kept);
    assert_eq!(fs::read_dir(place.home().join(".loom-restore")).unwrap().count(), 2);
}

#[test]
fn a_store_that_is_a_symlink_to_another_disk_comes_back_as_a_directory_with_a_warning() {
    let place = Place::with(Fixture::Cometbft);
    fs::create_dir(place.path("disk")).unwrap();
    fs::rename(place.home().join("data/kvstore.db"), place.path("disk/kvstore.db")).unwrap();
    std::os::unix::fs::symlink(place.path("disk/kvstore.db"), place.home().join("data/kvstore.db")).unwrap();
    place.back_up("").ends_with(0);
    let outcome = place.restore("new", "").with_code(3);
    assert_snapshot!(outcome, @r"
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
    warning: data/kvstore.db was a symlink to /T/disk/kvstore.db; it is restored as a directory in the home
    stage       19 files, 222550 bytes [time]
    stop        nothing was running [time]
    swap        9 entries [time]
    --- exit code 3
    ");
    assert!(place.path("new/data/kvstore.db/CURRENT").is_file());
}

// What a validator has signed.

/// What the sign state of a home says.
fn signed(home: &Path) -> String {
    let Ok(text) = fs::read_to_string(home.join("data/priv_validator_state.json")) else {
        return "none".to_owned();
    };
    let state: Value = serde_json::from_str(&text).unwrap();
    let signature = if state.get("signature").is_some() { "with a signature" } else { "without one" };
    format!("{}/{}/{} {signature}", state["height"].as_str().unwrap(), state["round"], state["step"])
}

fn set_signed(home: &Path, height: u64) {
    let text =
        format!(r#"{{"height": "{height}", "round": 0, "step": 3, "signature": "AA==", "signbytes": "00"}}"#);
    fs::write(home.join("data/priv_validator_state.json"), text).unwrap();
}

/// Which sign state a home has before a restore. The backup's is 36/0/3.
#[derive(Debug, Clone, Copy)]
enum Before {
    None,
    Lower,
    Higher,
    OfAnotherKey,
}

fn prepare(place: &Place, home: &str, before: Before) {
    place.add_home(home, Fixture::Cometbft);
    let home = place.path(home);
    match before {
        Before::None => {
            fs::remove_file(home.join("data/priv_validator_state.json")).unwrap();
            fs::remove_file(home.join("config/priv_validator_key.json")).unwrap();
        }
        Before::Lower => set_signed(&home, 7),
        Before::Higher => set_signed(&home, 99),
        Before::OfAnotherKey => {
            let key = home.join("config/priv_validator_key.json");
            let text = fs::read_to_string(&key).unwrap();
            let address = regex::Regex::new(r#""address": "[0-9A-F]{40}""#).unwrap();
            assert!(address.is_match(&text));
            let other = format!(r#""address": "{}""#, "A".repeat(40));
            fs::write(&key, address.replace(&text, other.as_str()).as_bytes()).unwrap();
            set_signed(&home, 7);
        }
    }
}

#[test]
fn a_sign_state_is_never_lowered_and_never_guessed() {
    let place = Place::with(Fixture::Cometbft);
    place.back_up("").ends_with(0);
    let mut table = Vec::new();
    for before in [Before::None, Before::Lower, Before::Higher, Before::OfAnotherKey] {
        for flag in ["", "--sign-state-from-backup", "--min-sign-height 50"] {
            let home = format!("{before:?}{flag}").replace([' ', '-'], "");
            prepare(&place, &home, before);
            let tree_before = tree(&place.path(&home));
            let outcome = place.restore(&home, &format!("--replace --only data,signing {flag}"));
            let code = outcome.code.unwrap();
            if code != 0 {
                tree_before.assert_same(&tree(&place.path(&home)));
            }
            table.push(format!("{before:?} {flag}: exit code {code}, {}", signed(&place.path(&home))));
        }
    }
    assert_snapshot!(table.join("\n"), @r"
    None : exit code 10, none
    None --sign-state-from-backup: exit code 0, 36/0/3 with a signature
    None --min-sign-height 50: exit code 0, 51/0/0 without one
    Lower : exit code 0, 36/0/3 with a signature
    Lower --sign-state-from-backup: exit code 0, 36/0/3 with a signature
    Lower --min-sign-height 50: exit code 0, 51/0/0 without one
    Higher : exit code 0, 99/0/3 with a signature
    Higher --sign-state-from-backup: exit code 0, 99/0/3 with a signature
    Higher --min-sign-height 50: exit code 0, 99/0/3 with a signature
    OfAnotherKey : exit code 10, 7/0/3 with a signature
    OfAnotherKey --sign-state-from-backup: exit code 0, 36/0/3 with a signature
    OfAnotherKey --min-sign-height 50: exit code 0, 51/0/0 without one
    ");
}

#[test]
fn the_one_file_of_an_old_validator_keeps_its_key_and_the_highest_state() {
    let place = Place::with(Fixture::Loom);
    place.back_up("").ends_with(0);
    let file = place.home().join("chaindata/config/priv_validator.json");
    let text = fs::read_to_string(&file).unwrap();
    let height = || {
        let file: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert!(file["priv_key"]["value"].as_str().unwrap().starts_with("MJI9"));
        file["last_height"].as_str().unwrap().to_owned()
    };
    fs::write(&file, text.replace("\"1982\"", "\"3000\"")).unwrap();
    place.restore("home", "--replace --only signing").ends_with(0);
    assert_eq!(height(), "3000");
    // The file was lost since. What was moved aside earlier is no proof that nothing was signed after it, but it counts.
    fs::remove_file(&file).unwrap();
    place.restore("home", "--replace --only signing").ends_with(10);
    place.restore("home", "--replace --only signing --sign-state-from-backup").ends_with(0);
    assert_eq!(height(), "3000");
}

#[test]
fn what_a_person_sees_of_a_validator_without_a_sign_state() {
    let place = Place::with(Fixture::Cometbft);
    place.back_up("").ends_with(0);
    assert_snapshot!(place.restore("new", "--only signing"), @r"
    --- stderr
    backup    [id hx] of n1
    chain     test-chain-PD2JPq, proof opaque
    into      /T/new
    download  2 files, 754 B; [size] free there
      create  signing    config/priv_validator_key.json
      create  signing    data/priv_validator_state.json
    signing   this home has no sign state; the higher of it and the backup's is kept
    error: /T/new/config/priv_validator_key.json: this node has no sign state for the key in the backup
    hint: if the machine that signed with this key is off and stays off: --sign-state-from-backup; else --min-sign-height H with a height above anything it can have signed
    --- exit code 10
    ");
    assert!(!place.path("new").exists());
    assert_snapshot!(place.restore("new", "--only signing --min-sign-height 50"), @r"
    --- stdout
    restored 2 files, 754 B of backup [id hx] into /T/new
    signing: nothing at or below height 50 will be signed (height 51)
    --- stderr
    backup    [id hx] of n1
    chain     test-chain-PD2JPq, proof opaque
    into      /T/new
    download  2 files, 754 B; [size] free there
      create  signing    config/priv_validator_key.json
      create  signing    data/priv_validator_state.json
    signing   this home has no sign state; the highest of it, the backup's and 50 is kept
    stage       2 files, 754 bytes [time]
    stop        nothing was running [time]
    swap        2 entries [time]
    --- exit code 0
    ");
}

// A swap that is cut short.

/// Restores under strace, which kills the program at its nth rename without replacement.
fn restore_killed_at(place: &Place, rename: usize) -> Outcome {
    let restore = "run --yes --replace --service none --from file:///T/repository --home /T/home";
    let program = loom_tests::program("loom-restore");
    let inject = format!("inject=renameat2:signal=KILL:when={rename}");
    place.run(&format!(
        "strace -f -qq -o /T/trace -e trace=renameat2 -e {inject} {} {restore}",
        program.display()
    ))
}

#[test]
#[ignore = "needs strace"]
fn a_swap_that_is_cut_short_anywhere_is_undone_by_the_next_run() {
    let mut killed = 0;
    loop {
        let place = Place::with(Fixture::Cometbft);
        place.back_up("").ends_with(0);
        fs::write(place.home().join("data/state.db/000099.log"), "since the backup").unwrap();
        let before = tree(&place.home());
        let outcome = restore_killed_at(&place, killed + 1);
        if outcome.code == Some(0) {
            break;
        }
        killed += 1;
        assert_eq!(outcome.code, None, "\n{outcome}");

        // A run that finds the backup damaged and puts nothing in place: what it leaves is what was there before.
        let damaged = Damaged::flip(&place);
        let undo = place.restore("home", "--replace");
        assert_eq!(undo.code, Some(20), "killed at rename {killed}\n{undo}");
        before.assert_same(&tree(&place.home()));
        drop(damaged);
        place.restore("home", "--replace").ends_with(0);
    }
    // Eight entries, each moved aside and replaced: the node key stays.
    assert_eq!(killed, 16);
}

#[test]
#[ignore = "needs strace"]
fn a_restore_after_one_that_was_killed_in_its_swap_succeeds_at_once() {
    let place = Place::with(Fixture::Cometbft);
    place.back_up("").ends_with(0);
    let whole = tree(&place.home());
    assert_eq!(restore_killed_at(&place, 6).code, None);
    place.restore("home", "--replace").ends_with(0);
    let names = |tree: Tree| tree.0.into_keys().collect::<Vec<_>>();
    let rubbish =
        |path: &Path| path.ends_with("LOCK") || path.ends_with("LOG") || path == Path::new(".loom-restore");
    assert_eq!(names(tree(&place.home()).without(rubbish)), names(whole.without(rubbish)));
}

/// A repository with one flipped bit in a pack, until dropped.
struct Damaged(PathBuf);

impl Damaged {
    fn flip(place: &Place) -> Self {
        let root = place.path("repository");
        let names = Tree::read(&root).0.into_keys();
        let pack = names
            .filter(|name| name.extension() == Some("zst".as_ref()))
            .find(|name| name.to_str().unwrap().contains("/packs/"));
        let damaged = Self(root.join(pack.unwrap()));
        damaged.flip_bit();
        damaged
    }

    fn flip_bit(&self) {
        let mut bytes = fs::read(&self.0).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&self.0, bytes).unwrap();
    }
}

impl Drop for Damaged {
    fn drop(&mut self) {
        self.flip_bit();
    }
}
