//! What a tired person sees: output, errors, hints and exit codes of what happens to everybody sooner or later.

#![expect(clippy::unwrap_used, reason = "tests")]

mod backup;
mod faults;
mod holder;
mod json;
mod look;
mod refusals;
mod restore;

/// A run for the home of a [`loom_tests::Place`].
pub(crate) const RUN: &str =
    "loom-backup run --node n1 --home /T/home --service none --to file:///T/repository";
