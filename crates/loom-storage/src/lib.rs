//! Whole objects under keys at a URL: S3, Google Cloud Storage, Azure Blob Storage, local disk, memory.
//!
//! A [`Storage`] is opened from a [`StorageUrl`] and [`StorageOptions`], and puts, gets, lists and deletes
//! objects under a [`Key`]. One contract holds wherever the objects are:
//!
//! - an object is there whole or not at all, and durable when a put has returned;
//! - [`Storage::put_new`] never replaces an object (on stores that honour it: see there);
//! - a get returns as many bytes as the store says the object has, or fails;
//! - deleting what is not there succeeds;
//! - a failure says what was being done to which address, what the server said, and where possible
//!   what to do about it ([`StorageError::hint`]); secrets are in no error and no `Debug` text.
//!
//! What the crate does not do: it knows nothing of backups, packs or encryption; it has no multipart
//! uploads (an object is put from memory in one request); it reads no configuration file and no
//! environment, except for what `object_store` itself looks up when it is given no credentials
//! (`gcloud`'s default credentials file, the metadata service of the cloud) and `reqwest`'s proxy variables.

mod answer;
mod disk;
mod error;
mod failure;
mod key;
mod object_stores;
mod options;
mod retry;
mod storage;
#[cfg(feature = "testing")]
pub mod testing;
mod url;

pub use answer::Answer;
pub use error::StorageError;
pub use key::Key;
pub use options::{StorageOptions, options_from_env};
pub use storage::{Object, Storage};
pub use url::StorageUrl;
