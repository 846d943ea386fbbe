//! Reads `loom.yml` and `config.toml` as far as they say where things are. What they say besides is
//! neither checked nor kept.
//!
//! Environment variables (`LOOM_…`, `TM_…`) outrank the files for a node; they are in its service
//! definition, which is not read here.

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Facts, KeyFiles, collect::Collector};
use crate::NodeError;

/// A configuration file as a tree of settings.
#[derive(Default)]
pub(super) struct Settings(Value);

impl Settings {
    /// Reads a file by its extension; an absent one is one without settings.
    pub(super) fn read(path: &Path) -> Result<Self, NodeError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(NodeError::Read { path: path.to_owned(), source }),
        };
        let failed = |source| NodeError::Config { path: path.to_owned(), source };
        let tree = match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => toml::from_str(&text).map_err(|error| failed(toml_fault(&text, &error)))?,
            Some("json") => serde_json::from_str(&text).map_err(|error| failed(error.into()))?,
            _ => serde_yaml_ng::from_str(&text).map_err(|error| failed(error.into()))?,
        };
        Ok(Self(tree))
    }

    /// The value under a dotted key. As viper does, it does not mind upper and lower case; nor `-` for `_`,
    /// which Tendermint 0.35 wrote.
    fn get(&self, key: &str) -> Option<&Value> {
        key.split('.').try_fold(&self.0, |table, word| {
            table
                .as_object()?
                .iter()
                .find(|(name, _)| name.replace('-', "_").eq_ignore_ascii_case(word))
                .map(|(_, v)| v)
        })
    }

    /// A text or number, if it is set and not empty.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.get(key)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Whether a switch is on.
    pub(super) fn is_on(&self, key: &str) -> bool {
        match self.get(key) {
            Some(Value::Bool(on)) => *on,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// Whether the key is there at all, empty or not.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

/// The parser's message with its line. Its own text would quote the line, and a password with it.
fn toml_fault(text: &str, error: &toml::de::Error) -> Box<dyn Error + Send + Sync> {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.matches('\n').count() + 1, error.message()).into()
}

/// The configuration files of Loom that are there, relative to the home; the first is the one a node reads
/// (viper's order).
pub(super) fn loom_files(home: &Path) -> Vec<PathBuf> {
    ["", "config"]
        .iter()
        .flat_map(|dir| ["json", "toml", "yaml", "yml"].map(|ext| Path::new(dir).join(format!("loom.{ext}"))))
        .filter(|path| home.join(path).is_file())
        .collect()
}

/// Where Tendermint's own configuration puts things, relative to the home.
pub(super) struct Tendermint {
    pub(super) settings: Settings,
    /// Tendermint's home: the parent of `config/`.
    root: PathBuf,
    pub(super) db_dir: PathBuf,
    pub(super) genesis: PathBuf,
    pub(super) addr_book: PathBuf,
    /// The head of the consensus WAL, a group of files.
    pub(super) wal: PathBuf,
    pub(super) keys: KeyFiles,
}

impl Tendermint {
    pub(super) fn read(found: &Collector<'_>, root: &Path) -> Result<Self, NodeError> {
        let settings = Settings::read(&found.home().join(root).join("config/config.toml"))?;
        let path = |keys: &[&str], default: &str| {
            let value = keys.iter().find_map(|key| settings.text(key));
            found.resolve(root, value.as_deref().unwrap_or(default))
        };
        let db_dir = settings.text("db_dir").unwrap_or_else(|| "data".to_owned());
        Ok(Self {
            db_dir: found.resolve_inside(root, &db_dir, "db_dir")?,
            genesis: path(&["genesis_file"], "config/genesis.json"),
            addr_book: path(&["p2p.addr_book_file"], "config/addrbook.json"),
            wal: path(&["consensus.wal_file", "consensus.wal_path"], "data/cs.wal/wal"),
            keys: KeyFiles {
                node_key: path(&["node_key_file"], "config/node_key.json"),
                validator_key: path(
                    &["priv_validator_key_file", "priv_validator.key_file", "priv_validator_file"],
                    "config/priv_validator_key.json",
                ),
                sign_state: path(
                    &["priv_validator_state_file", "priv_validator.state_file", "priv_validator_file"],
                    "data/priv_validator_state.json",
                ),
            },
            root: root.to_owned(),
            settings,
        })
    }

    /// Key and state in one file, where the configuration does not say: the age before 0.31.
    pub(super) fn expect_one_sign_file(&mut self) {
        let says = |key| self.settings.is_set(key);
        if !["priv_validator_key_file", "priv_validator_state_file", "priv_validator_file", "priv_validator"]
            .into_iter()
            .any(says)
        {
            let file = self.root.join("config/priv_validator.json");
            self.keys.validator_key.clone_from(&file);
            self.keys.sign_state = file;
        }
    }

    /// What is the same for both layouts; engine and RPC are theirs to say.
    pub(super) fn facts(self, engine: String, rpc: Vec<url::Url>) -> Facts {
        let remote = ["priv_validator_laddr", "priv_validator.laddr"];
        Facts {
            engine,
            rpc,
            genesis: self.genesis,
            moniker: self.settings.text("moniker"),
            p2p_address: self.settings.text("p2p.laddr"),
            remote_signer: remote.into_iter().any(|key| self.settings.text(key).is_some()),
            keys: self.keys,
        }
    }
}
