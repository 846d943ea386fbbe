//! Why a node could not be read. One variant for each decision a caller can make or step that failed.
//!
//! No variant holds key material: a JSON fault in a key file is told by its place only.

use std::{error::Error, io, path::PathBuf};

use url::Url;

/// Why a question about a node has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A word that stands for one of a few things is none of them.
    #[error("unknown {what} `{word}`: expected {expected}")]
    UnknownWord {
        /// What the word should have named.
        what: &'static str,
        /// The word as given.
        word: String,
        /// The valid words.
        expected: &'static str,
    },

    /// The home shows no known layout.
    #[error(
        "no node found in {}: looked for chaindata/ and loom.yml (layout loom) and config/config.toml \
         (layout cometbft); name one with --layout if the home is right",
        home.display()
    )]
    LayoutUnknown {
        /// The directory examined.
        home: PathBuf,
    },

    /// The home shows both layouts.
    #[error(
        "{} has both {} (layout loom) and {} (layout cometbft): choose with --layout",
        home.display(), loom.display(), cometbft.display()
    )]
    LayoutAmbiguous {
        /// The directory examined.
        home: PathBuf,
        /// What speaks for Loom, relative to the home.
        loom: PathBuf,
        /// What speaks for `CometBFT`, relative to the home.
        cometbft: PathBuf,
    },

    /// A file or directory of the node could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A configuration file is there and cannot be understood.
    #[error("parse {}", path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// Where and why.
        source: Box<dyn Error + Send + Sync>,
    },

    /// The configuration puts a directory of the node outside its home.
    #[error(
        "`{key}` names {}, which is not inside {}: use the directory that holds both as the home, or a \
         symlink in the home",
        path.display(), home.display()
    )]
    OutsideHome {
        /// The configuration key.
        key: &'static str,
        /// What it names.
        path: PathBuf,
        /// The directory examined.
        home: PathBuf,
    },

    /// An include or exclude pattern is not a pattern.
    #[error("pattern `{glob}` cannot be used")]
    Glob {
        /// The pattern as given.
        glob: String,
        /// Why.
        source: globset::Error,
    },

    /// An include pattern asks for more than names inside the home.
    #[error("include `{glob}` cannot be used: it {reason}")]
    Include {
        /// The pattern as given.
        glob: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A store that the configuration names is absent.
    #[error("{} is needed by {named_by} and is not there or not a database", path.display())]
    StoreAbsent {
        /// Where the store should be.
        path: PathBuf,
        /// The configuration key, or the part of the node, that needs it.
        named_by: &'static str,
    },

    /// The home has a configuration and not one database: a node that never ran, or the wrong home.
    #[error("{} holds no database at all: this node never ran, or its data is elsewhere", home.display())]
    NoDatabase {
        /// The directory examined.
        home: PathBuf,
    },

    /// A store is a symlink that leads nowhere.
    #[error("{} is a symlink to {}, which is not there", path.display(), target.display())]
    DanglingStore {
        /// The symlink.
        path: PathBuf,
        /// What it says.
        target: PathBuf,
    },

    /// The configuration puts one entry inside another.
    #[error("the configuration puts {} inside {}: each must be a name of its own", inner.display(), outer.display())]
    Overlap {
        /// The outer entry, relative to the home.
        outer: PathBuf,
        /// The inner entry, relative to the home.
        inner: PathBuf,
    },

    /// A text is not a node id.
    #[error("`{text}` is not a node id: expected 40 lower-case hexadecimal digits")]
    NodeId {
        /// The text as given.
        text: String,
    },

    /// A key or signing file is not one; `source` says what is wrong with its text.
    #[error("{} is not usable", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with its text.
        source: Box<NodeError>,
    },

    /// The text of a key or signing file is not the JSON expected.
    #[error("no valid JSON of a {what} at line {line}, column {column}")]
    KeyJson {
        /// Which kind of file it should have been.
        what: &'static str,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },

    /// The node key is of a type that no node id is known for.
    #[error("node key of unknown type `{type_name}`")]
    KeyType {
        /// The `type` of the key.
        type_name: String,
    },

    /// The node key is not 64 bytes in base64.
    #[error("the node key is not 64 bytes in base64")]
    KeyLength,

    /// The public half of the node key is not the one that follows from its seed.
    #[error("the two halves of the node key do not belong together")]
    KeyHalves,

    /// The text is JSON, and of none of the known signing files.
    #[error(
        "neither a validator key nor a sign state: no field `pub_key`, `priv_key`, `height` or `last_height`"
    )]
    NotASignFile,

    /// A field of a signing file occurs twice: engines differ in which they take.
    #[error("field `{field}` occurs twice")]
    DuplicateField {
        /// The name of the field.
        field: String,
    },

    /// A field of a signing file is not the number it must be.
    #[error("field `{field}` is not a whole number that is not negative")]
    SignField {
        /// The name of the field.
        field: &'static str,
    },

    /// A signing file that should hold a sign state holds a key only.
    #[error("this file holds a validator's key and no sign state")]
    NoSignState,

    /// The RPC client could not be made.
    #[error("prepare an RPC client for {url}")]
    RpcClient {
        /// The address.
        url: Url,
        /// Why.
        source: reqwest::Error,
    },

    /// The address is not one that RPC can be spoken to.
    #[error("{url} is not an http or https address")]
    RpcAddress {
        /// The address.
        url: Url,
    },

    /// The node gave no answer.
    #[error("ask {url}")]
    RpcSilent {
        /// The address asked.
        url: Url,
        /// Why.
        source: reqwest::Error,
    },

    /// The answer is larger than any answer of a node.
    #[error("{url} answered more than {limit} bytes")]
    RpcTooLarge {
        /// The address asked.
        url: Url,
        /// The limit in bytes.
        limit: usize,
    },

    /// Something answered that is not what was asked for; `source` says what is wrong with it.
    #[error("understand the answer of {url}")]
    RpcAnswer {
        /// The address asked.
        url: Url,
        /// What is wrong with the answer.
        source: Box<NodeError>,
    },

    /// An answer is not the JSON of a node.
    #[error("not the answer of a Tendermint node")]
    Answer {
        /// Where and why.
        source: serde_json::Error,
    },

    /// The node answered with an error.
    #[error("the node answered with error {code}: {message}")]
    Refused {
        /// JSON-RPC error code.
        code: i64,
        /// The node's words, with its `data` after a colon.
        message: String,
    },
}
