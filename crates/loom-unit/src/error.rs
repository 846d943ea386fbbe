//! Why a text is no peer, or a service definition runs no node.

use std::path::PathBuf;

/// What is wrong with a peer, a peer list or a service definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// The text is no peer.
    #[error("`{peer}` is no peer of the form tcp://<40 hex digits>@<host>:<port>: {reason}")]
    BadPeer {
        /// The text as given.
        peer: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A peer stands twice in one list.
    #[error("the node id {id} stands twice in the peer list")]
    DuplicatePeer {
        /// The node id.
        id: String,
    },

    /// No command of the service runs a node: none has the word `run` or `start`.
    #[error("no ExecStart of {} runs a node with `run` or `start`", path.display())]
    NoNode {
        /// The unit file.
        path: PathBuf,
    },

    /// More than one command of the service runs a node.
    #[error("more than one ExecStart of {} runs a node", path.display())]
    ManyNodes {
        /// The unit file.
        path: PathBuf,
    },

    /// The command line that starts the service cannot be split into words, and systemd ignores it.
    #[error("line {line} of {} has a quote without its end", path.display())]
    OpenQuote {
        /// The unit file or drop-in.
        path: PathBuf,
        /// The line on which the assignment begins, from 1.
        line: usize,
    },
}
