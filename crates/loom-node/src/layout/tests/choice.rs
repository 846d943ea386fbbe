//! What the operator includes and excludes.

use super::*;

#[test]
fn includes_add_and_excludes_remove_and_outrank_them() {
    let home = Home::loom();
    home.store("evm.db");
    home.file("loom.yml", "AppStore: {Version: 3}");
    home.file("chaindata/config/addrbook.json", "");
    home.file("oracle/keys/a.key", "");
    home.file("oracle/keys/b.key", "");
    home.file("oracle/keys/b.pub", "");
    let chosen = options(
        &["chaindata/config/addrbook.json", "oracle/*/?.key", "absent/*"],
        &["evm.db", "oracle/**/b.*"],
    );
    insta::assert_snapshot!(table(&home.examine(&chosen).unwrap()), @"
    data     app.db store
    data     chaindata/config/addrbook.json
    config   chaindata/config/config.toml
    config   chaindata/config/genesis.json
    identity chaindata/config/node_key.json
    signing  chaindata/config/priv_validator.json
    data     chaindata/data/blockstore.db store
    data     chaindata/data/cs.wal
    data     chaindata/data/state.db store
    config   genesis.json
    config   loom.yml
    data     oracle/keys/a.key
    -        absent/* (named and not there)
    -        evm.db (excluded)
    -        oracle/keys/b.key (excluded)
    in . chaindata chaindata/config chaindata/data oracle oracle/keys
    ");

    let layout = home.examine(&options(&[], &["app.db/*.bak", "chaindata/data"])).unwrap();
    for (path, excluded) in [
        ("app.db/CURRENT.bak", true),
        ("app.db/CURRENT", false),
        ("chaindata/data/state.db/CURRENT", true),
        ("app.db/LOCK", true),
        ("app.db/LOG", true),
        ("contracts/LOCK", false),
        ("app.db/.loom-snapshot-1/x", true),
    ] {
        assert_eq!(layout.is_excluded(Path::new(path)), excluded, "{path}");
    }
    assert!(layout.entries.iter().all(|entry| !entry.path.starts_with("chaindata/data")));
}

#[test]
fn an_include_of_a_container_takes_what_else_is_in_it() {
    let home = Home::loom();
    home.file("chaindata/config/notes", "");
    home.file("chaindata/extra/x", "");
    let before = home.strict().entries;
    let after = home.examine(&options(&["chaindata"], &[])).unwrap().entries;
    let added: Vec<_> =
        after.iter().filter(|e| !before.contains(e)).map(|e| e.path.to_str().unwrap()).collect();
    assert_eq!(added, ["chaindata/config/notes", "chaindata/extra"]);
}

#[test]
fn a_pattern_that_leaves_the_home_or_searches_it_is_refused() {
    let home = Home::loom();
    let refusal = |include: &str| home.examine(&options(&[include], &[])).unwrap_err().to_string();
    insta::assert_snapshot!(refusal("../x"), @"include `../x` cannot be used: it leaves the home with `..`");
    insta::assert_snapshot!(refusal("/etc/passwd"), @"include `/etc/passwd` cannot be used: it is not relative to the home");
    insta::assert_snapshot!(refusal("**/*.key"), @"include `**/*.key` cannot be used: it has `**`, which would search where nothing of the node is");
    insta::assert_snapshot!(refusal("."), @"include `.` cannot be used: it names the home itself");
    insta::assert_snapshot!(refusal("a[b"), @"pattern `a[b` cannot be used");
    insta::assert_snapshot!(home.examine(&options(&[], &["a{b"])).unwrap_err(), @"pattern `a{b` cannot be used");
}
