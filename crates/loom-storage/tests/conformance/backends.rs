//! Where the contract is tested: a fresh place in each store, and the options to reach it.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use loom_storage::{Storage, StorageOptions, StorageUrl};

const NO_OAUTH: &str =
    r#"{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}"#;

/// An empty storage of a test's own.
pub(crate) struct Place {
    pub(crate) storage: Storage,
    /// Kept for as long as the storage.
    _directory: Option<tempfile::TempDir>,
}

pub(crate) fn memory(test: &str) -> Place {
    open(&format!("memory:///{test}"), &[])
}

pub(crate) fn local_disk(_: &str) -> Place {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("file://{}/repository", directory.path().display());
    Place { _directory: Some(directory), ..open(&url, &[]) }
}

pub(crate) fn s3(test: &str) -> Place {
    open(&fresh("LOOM_TEST_S3_URL", test), &s3_options("LOOM_TEST_S3_KEY", "LOOM_TEST_S3_SECRET"))
}

/// A server that ignores the condition of a put.
pub(crate) fn lax_s3(test: &str) -> Place {
    let options = [
        ("endpoint", var("LOOM_TEST_LAX_S3_ENDPOINT")),
        ("access_key_id", var("LOOM_TEST_LAX_S3_KEY")),
        ("secret_access_key", var("LOOM_TEST_LAX_S3_SECRET")),
        ("allow_http", "true".to_owned()),
    ];
    open(&fresh("LOOM_TEST_LAX_S3_URL", test), &options)
}

pub(crate) fn google(test: &str) -> Place {
    let options = [
        ("endpoint", var("LOOM_TEST_GCS_ENDPOINT")),
        // Not `skip_signature`: object_store's put looks for credentials nevertheless.
        ("google_service_account_key", NO_OAUTH.to_owned()),
        ("allow_http", "true".to_owned()),
    ];
    open(&fresh("LOOM_TEST_GCS_URL", test), &options)
}

pub(crate) fn azure(test: &str) -> Place {
    open(&fresh("LOOM_TEST_AZURE_URL", test), &azure_options())
}

pub(crate) fn s3_options(key: &str, secret: &str) -> [(&'static str, String); 4] {
    [
        ("endpoint", var("LOOM_TEST_S3_ENDPOINT")),
        ("access_key_id", var(key)),
        ("secret_access_key", var(secret)),
        ("allow_http", "true".to_owned()),
    ]
}

pub(crate) fn azure_options() -> [(&'static str, String); 2] {
    [
        ("azure_storage_use_emulator", "true".to_owned()),
        ("azurite_blob_storage_url", var("LOOM_TEST_AZURE_ENDPOINT")),
    ]
}

pub(crate) fn open(url: &str, options: &[(&str, String)]) -> Place {
    let url: StorageUrl = url.parse().unwrap();
    let options: BTreeMap<_, _> =
        options.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let options = StorageOptions { options, ..StorageOptions::default() };
    Place { storage: Storage::open(&url, &options).unwrap(), _directory: None }
}

/// The variable, which the test cannot do without.
pub(crate) fn var(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: start the servers of tests/servers and source their env")
    })
}

/// A prefix that no earlier run has used.
pub(crate) fn fresh(url: &str, test: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("{}/{test}-{now}", var(url))
}
