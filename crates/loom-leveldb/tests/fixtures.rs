//! Databases that real nodes wrote: goleveldb under Loom's Tendermint 0.27 and under `CometBFT`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use loom_leveldb::{is_database, live_files};

#[test]
fn the_databases_of_real_nodes_are_read() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let mut told = String::new();
    for home in ["loom-home", "cometbft-home"] {
        for database in databases(&fixtures.join(home)) {
            let live = live_files(&database).expect("a whole database");
            let tables: Vec<_> = live.tables.iter().map(|table| &table.name).collect();
            let journals: Vec<_> = live.journals.iter().map(|journal| &journal.name).collect();
            let name = database.strip_prefix(&fixtures).expect("under it").display();
            writeln!(told, "{name}: {} {tables:?} {journals:?}", live.manifest).expect("writing to a string");
            assert_eq!(live.comparator, "leveldb.BytewiseComparator");
            assert!(!live.torn_tail);
        }
    }
    insta::assert_snapshot!(told, @r#"
    loom-home/app.db: MANIFEST-000000 [] ["000001.log"]
    loom-home/chaindata/data/blockstore.db: MANIFEST-000000 [] ["000001.log"]
    loom-home/chaindata/data/evidence.db: MANIFEST-000000 [] ["000001.log"]
    loom-home/chaindata/data/state.db: MANIFEST-000000 [] ["000001.log"]
    loom-home/chaindata/data/tx_index.db: MANIFEST-000000 [] ["000001.log"]
    cometbft-home/data/blockstore.db: MANIFEST-000000 [] ["000001.log"]
    cometbft-home/data/evidence.db: MANIFEST-000000 [] ["000001.log"]
    cometbft-home/data/kvstore.db: MANIFEST-000000 [] ["000001.log"]
    cometbft-home/data/state.db: MANIFEST-000000 [] ["000001.log"]
    cometbft-home/data/tx_index.db: MANIFEST-000000 [] ["000001.log"]
    "#);
}

fn databases(dir: &Path) -> Vec<PathBuf> {
    if is_database(dir) {
        return vec![dir.to_owned()];
    }
    let entries = std::fs::read_dir(dir).expect("the fixtures are there");
    let mut inside: Vec<_> =
        entries.map(|entry| entry.expect("readable").path()).filter(|path| path.is_dir()).collect();
    inside.sort();
    inside.iter().flat_map(|dir| databases(dir)).collect()
}
