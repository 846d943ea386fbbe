//! Reads a `LevelDB` directory without opening it: which files are live, and whether they are there.
//!
//! For the databases of `LevelDB` (C++) and goleveldb. Nothing here writes, locks or creates a file, no input
//! makes it panic, and memory is bounded by the number of live tables. What it reads is described in
//! `LevelDB`'s `doc/log_format.md` and `doc/impl.md`; where the two engines differ it does as goleveldb, the
//! engine of Tendermint nodes.
//!
//! It answers what the MANIFEST says. It does not say that the tables' contents are good, and it cannot see
//! that a MANIFEST was cut exactly between two records or that a journal is missing: the engines cannot
//! either.
//!
//! ```no_run
//! # fn main() -> Result<(), loom_leveldb::LevelDbError> {
//! let live = loom_leveldb::live_files("app.db".as_ref())?;
//! for table in &live.tables {
//!     println!("{} at level {}: {} bytes", table.name, table.level, table.size);
//! }
//! # Ok(())
//! # }
//! ```

mod current;
mod edit;
mod error;
mod live;
mod log;
mod manifest;
mod name;
#[cfg(test)]
mod testing;

pub use error::LevelDbError;
pub use live::{Journal, LiveFiles, Table, is_database, live_files, live_files_among};
pub use name::{FileKind, classify};
