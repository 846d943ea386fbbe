//! systemd unit files as text: parse, find the node's command and its peers, print; every other byte stays.
//!
//! [`UnitFile`] splits a text into lines as systemd does and prints the same text again, whatever it is.
//! [`Definition`] puts a unit file and its drop-ins together and says which commands are in force.
//! [`Definition::node`] finds the one that runs the node, and in it the peer lists, each with the place it
//! comes from. [`Peer`] and [`PeerList`] are what stands in such a list.
//!
//! Reads no files and asks no systemd: texts come in, in systemd's order. Does not expand specifiers (`%i`)
//! or variables (`$PEERS`), and does not rewrite anything.

mod command;
mod definition;
mod error;
mod file;
mod node;
mod peer;
mod words;

pub use command::{CommandLine, CommandPrefix};
pub use definition::{Definition, DefinitionText};
pub use error::UnitError;
pub use file::{Assignment, Entry, EntryKind, Logical, UnitFile};
pub use node::{ListKind, NodeCommand, PeerFlag, Place, Problem, ProblemKind};
pub use peer::{Host, Peer, PeerList};
pub use words::Word;
