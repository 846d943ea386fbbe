//! Stops and starts a node's systemd service, proves that it is stopped, and sees to it that it comes back.
//!
//! The one rule of this crate: **it starts only what it stopped itself.** [`ServiceController::stop`] says what
//! it stopped ([`Stopped`], which callers write to their journal), [`ServiceController::start`] takes that
//! record back, and does nothing for a unit that was not up, and refuses one that others started since.
//!
//! A stop is believed only when nothing of the unit is left: state inactive or failed, no job, no main
//! process, no process in its control group. [`StoreLocks`] adds the proof from the databases' side: their
//! `LOCK` files, taken in both ways that engines take them, and held.
//!
//! Everything blocks, and every call of another program is limited in time. This crate does not read
//! the node (no RPC, no files of its home except `LOCK`), does not judge its health, does not edit unit
//! files, and keeps no journal of its own.

mod cgroup;
mod command;
mod controller;
mod dependents;
mod error;
mod exit;
mod lock;
mod properties;
mod start;
mod status;
mod stop;
mod systemd;
mod unit_name;
mod wait;

pub use controller::{NoService, ServiceController, Started, Stopped};
pub use error::{ServiceError, ServiceResult};
pub use lock::{LockHolder, LockKind, StoreLocks};
pub use status::{ActiveState, LoadState, ServiceStatus};
pub use systemd::{DefinitionFile, Manager, Systemd, SystemdOptions};
pub use unit_name::UnitName;
