//! One node on disk and over RPC: layout and entries, classes, node key and id, sign state, status.
//!
//! Four questions, each with a module of its own:
//!
//! - *What belongs to this node?* [`examine`] reads the node's configuration and answers with a
//!   [`Layout`]: the entries a backup takes and a restore replaces, and what is left out and why.
//! - *Who is this node?* [`NodeKey`] reads the P2P key file, [`NodeId`] is what follows from it.
//! - *What has it signed?* [`SignFile`] reads and rewrites the sign state of a validator.
//! - *How is it?* [`Rpc`] asks the running node; [`Status`] is its answer, of any version.
//!
//! And [`binary::identify`] says which executable it runs, without running it.
//!
//! This crate never stops, starts or writes to a node, and it knows nothing of backups.

pub mod binary;
mod class;
mod error;
mod layout;
mod node_key;
mod rpc;
pub mod sign_state;
mod status;

pub use class::{Class, ClassSet};
pub use error::NodeError;
pub use layout::{Entry, KeyFiles, Layout, LayoutKind, LayoutOptions, LeftOut, Reason, examine};
pub use node_key::{IdScheme, NodeId, NodeKey};
pub use rpc::Rpc;
pub use sign_state::{SignFile, SignState};
pub use status::Status;
