//! What every end-to-end test needs: a place of its own, the binaries run in it, and trees compared.
//!
//! It knows nothing of the crates: what is tested is what an operator can see.

#![expect(clippy::unwrap_used, reason = "this crate is tests only: what is not as it must be fails one")]

mod fake;
mod outcome;
mod place;
mod rpc;
mod tree;

pub use fake::FakeSystemctl;
pub use outcome::Outcome;
pub use place::{Fixture, Place};
pub use rpc::serve_status;
pub use tree::{Difference, Node, Tree, What, copy_tree};

use std::path::PathBuf;

/// Where a binary of this workspace is built to, beside the tests that run.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join(name);
    assert!(program.is_file(), "{} is not built: cargo build --workspace --bins", program.display());
    program
}

/// The root of the workspace.
///
/// # Panics
/// When this crate is not in it.
#[must_use]
pub fn workspace() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Whether this process may do what only root may.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Fails a test that was asked for and cannot run here: a skip would look like a success.
///
/// # Panics
/// When this process is not root's.
pub fn needs_root() {
    assert!(is_root(), "this test needs root");
}
