//! Homes as they are found in the field, and the entries they give.
#![expect(clippy::unwrap_used, reason = "tests")]

mod choice;
mod cometbft;
mod links;
mod loom;

use std::{fmt::Write as _, fs, os::unix::fs::symlink};

use tempfile::TempDir;

use super::*;

/// A home under a temporary directory, with room beside it for what lies elsewhere.
struct Home {
    dir: TempDir,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("home")).unwrap();
        Self { dir }
    }

    /// A Loom node as `loom init` and a few blocks leave it.
    fn loom() -> Self {
        let home = Self::new();
        for store in ["app.db", "chaindata/data/blockstore.db", "chaindata/data/state.db"] {
            home.store(store);
        }
        home.file("chaindata/data/cs.wal/wal", "");
        home.file(
            "chaindata/config/config.toml",
            "moniker = \"n1\"\n[p2p]\nladdr = \"tcp://0.0.0.0:46656\"\n",
        );
        home.file(
            "chaindata/config/genesis.json",
            r#"{"genesis_time":"x","chain_id":"default","validators":[]}"#,
        );
        home.file("chaindata/config/node_key.json", "{}");
        home.file("chaindata/config/priv_validator.json", "{}");
        home.file("genesis.json", "{}");
        home
    }

    fn cometbft() -> Self {
        let home = Self::new();
        for store in ["application.db", "blockstore.db", "state.db", "tx_index.db", "evidence.db"] {
            home.store(&format!("data/{store}"));
        }
        home.file("data/cs.wal/wal", "");
        home.file("data/priv_validator_state.json", "{}");
        home.file(
            "config/config.toml",
            "db_backend = \"goleveldb\"\n[rpc]\nladdr = \"tcp://0.0.0.0:36657\"\n",
        );
        home.file("config/genesis.json", r#"{"app_state":{"chain_id":"wrong"},"chain_id":"c-1","rest":"#);
        home.file("config/node_key.json", "{}");
        home.file("config/priv_validator_key.json", "{}");
        home
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn store(&self, path: &str) {
        self.file(&format!("{path}/CURRENT"), "MANIFEST-000000\n");
        self.file(&format!("{path}/LOCK"), "");
    }

    /// Moves `path` out of the home and leaves a symlink to it.
    fn move_out(&self, path: &str) {
        let elsewhere = self.dir.path().join(path.replace('/', "-"));
        fs::rename(self.path().join(path), &elsewhere).unwrap();
        symlink(elsewhere, self.path().join(path)).unwrap();
    }

    fn examine(&self, options: &LayoutOptions) -> Result<Layout, NodeError> {
        examine(&self.path(), options)
    }

    fn strict(&self) -> Layout {
        self.examine(&LayoutOptions { strict: true, ..LayoutOptions::default() }).unwrap()
    }

    fn refusal(&self) -> String {
        let refused = self.examine(&LayoutOptions { strict: true, ..LayoutOptions::default() });
        refused
            .unwrap_err()
            .to_string()
            .replace(self.path().to_str().unwrap(), "HOME")
            .replace(self.dir.path().to_str().unwrap(), "ELSEWHERE")
    }
}

/// The table a person would want to see.
fn table(layout: &Layout) -> String {
    let mut table = String::new();
    for entry in &layout.entries {
        write!(table, "{:8} {}", entry.class, entry.path.display()).unwrap();
        for (on, word) in
            [(entry.store, "store"), (entry.follow, "follow"), (entry.unclassified, "unclassified")]
        {
            if on {
                write!(table, " {word}").unwrap();
            }
        }
        table.push('\n');
    }
    for left_out in &layout.left_out {
        writeln!(table, "-        {} ({})", left_out.path.display(), left_out.reason).unwrap();
    }
    let containers: Vec<_> = layout.containers.iter().map(|path| path.display().to_string()).collect();
    write!(table, "in {}", containers.join(" ")).unwrap();
    table
}

fn options(include: &[&str], exclude: &[&str]) -> LayoutOptions {
    let list = |globs: &[&str]| globs.iter().map(|&glob| glob.to_owned()).collect();
    LayoutOptions { include: list(include), exclude: list(exclude), strict: true, kind: None }
}

#[test]
fn a_node_that_never_ran_is_told_in_one_clear_error() {
    let home = Home::new();
    home.file("chaindata/config/config.toml", "");
    insta::assert_snapshot!(home.refusal(), @"HOME holds no database at all: this node never ran, or its data is elsewhere");
    let home = Home::new();
    home.file("config/config.toml", "");
    insta::assert_snapshot!(home.refusal(), @"HOME holds no database at all: this node never ran, or its data is elsewhere");
    assert!(home.examine(&LayoutOptions::default()).is_ok());
}

#[test]
fn a_home_without_or_with_both_layouts_is_refused_with_what_was_looked_for() {
    insta::assert_snapshot!(Home::new().refusal(), @"no node found in HOME: looked for chaindata/ and loom.yml (layout loom) and config/config.toml (layout cometbft); name one with --layout if the home is right");
    let both = Home::cometbft();
    both.file("chaindata/x", "");
    insta::assert_snapshot!(both.refusal(), @"HOME has both chaindata (layout loom) and config/config.toml (layout cometbft): choose with --layout");
    insta::assert_snapshot!("ethereum".parse::<LayoutKind>().unwrap_err(), @"unknown layout `ethereum`: expected loom or cometbft");
    for kind in [LayoutKind::Loom, LayoutKind::Cometbft] {
        assert_eq!(kind.to_string().parse::<LayoutKind>().unwrap(), kind);
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
    }
}
