//! What opening a storage needs beside its URL, and how the environment's standard names spell it.
//!
//! Reads no environment itself: a binary hands its variables to [`options_from_env`].

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;

/// Sent with every put: `STANDARD_IA`, `NEARLINE`, `Cool`, …
pub(crate) const STORAGE_CLASS: &str = "storage_class";
/// Path of a PEM file with the certificates of private authorities.
pub(crate) const ROOT_CERTIFICATE: &str = "root_certificate";
/// Where Azurite is, if `azure_storage_use_emulator` is set.
pub(crate) const AZURITE_URL: &str = "azurite_blob_storage_url";

const OURS: [&str; 3] = [STORAGE_CLASS, ROOT_CERTIFICATE, AZURITE_URL];
/// Said elsewhere: by the URL and by the fields of [`StorageOptions`].
const ELSEWHERE: [&str; 6] =
    ["bucket", "bucket_name", "container_name", "timeout", "connect_timeout", "default_content_type"];
/// Standard names that `object_store` has under another name.
const OTHER_NAMES: [(&str, &str); 4] = [
    ("AWS_CA_BUNDLE", ROOT_CERTIFICATE),
    ("AZURE_STORAGE_ACCOUNT", "azure_storage_account_name"),
    ("AZURE_STORAGE_KEY", "azure_storage_account_key"),
    ("AZURITE_BLOB_STORAGE_URL", AZURITE_URL),
];

/// How to talk to a store.
#[derive(Clone)]
pub struct StorageOptions {
    /// `object_store`'s configuration keys and their values, plus two of this crate:
    /// `storage_class` (sent with every put to a cloud) and `root_certificate` (a PEM file).
    ///
    /// Keys are lower case, with the cloud in front (`aws_region`) or without (`region`). Where both are given
    /// the shorter wins, so a configuration file that says `endpoint` outranks what the environment said about AWS
    /// in general. Keys of another cloud than the URL's are ignored; keys that no cloud knows are an error.
    /// `endpoint` also works for Google, where `object_store` calls it `base_url`.
    pub options: BTreeMap<String, String>,
    /// How long one request may take in all, its body included. Ten minutes by default: a pack of 32 MiB on a
    /// slow line takes longer than `object_store`'s 30 seconds.
    pub timeout: Duration,
    /// How long a connection may take to be made. Five seconds by default.
    pub connect_timeout: Duration,
    /// How often a request is made again after a failure that may pass (on top of a few quick attempts by
    /// `object_store`). Eight by default.
    pub retries: usize,
    /// How long after its first failure a request is still made again. Two minutes by default. An endpoint that
    /// never answered is given up after 5 to 20 seconds whatever this says: it is misspelt rather than ill.
    pub retry_timeout: Duration,
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self {
            options: BTreeMap::new(),
            timeout: Duration::from_mins(10),
            connect_timeout: Duration::from_secs(5),
            retries: 8,
            retry_timeout: Duration::from_mins(2),
        }
    }
}

/// Shows which options are set, never their values: half of them are secrets.
impl fmt::Debug for StorageOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageOptions")
            .field("options", &self.options.keys())
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("retries", &self.retries)
            .field("retry_timeout", &self.retry_timeout)
            .finish()
    }
}

/// The options that the environment's standard names spell: `AWS_*`, `GOOGLE_*`, `AZURE_*` and a few more.
///
/// Variables that mean nothing to a store, or that the URL says already (`GOOGLE_BUCKET`), are left out. Merge the
/// result *under* what a configuration file says.
///
/// ```
/// # use loom_storage::options_from_env;
/// let vars = [("AWS_REGION", "eu-west-1"), ("AWS_PAGER", "less"), ("HOME", "/root")];
/// let options = options_from_env(vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter());
/// assert_eq!(options.into_iter().collect::<Vec<_>>(), [("aws_region".to_owned(), "eu-west-1".to_owned())]);
/// ```
#[must_use]
pub fn options_from_env(vars: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    vars.filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| Some((option_named(&name)?, value)))
        .collect()
}

fn option_named(name: &str) -> Option<String> {
    if let Some((_, option)) = OTHER_NAMES.iter().find(|(other, _)| *other == name) {
        return Some((*option).to_owned());
    }
    let upper = !name.contains(|c: char| c.is_ascii_lowercase());
    let option = name.to_ascii_lowercase();
    (upper && of_some_cloud(&option)).then_some(option)
}

/// Whether `key` is one that every kind of storage accepts, if only to ignore it.
pub(crate) fn is_ignorable(key: &str) -> bool {
    OURS.contains(&key) || of_some_cloud(key)
}

/// Whether the URL or a field of the options says what `key` would say.
pub(crate) fn is_said_elsewhere(key: &str) -> bool {
    let short = ["aws_", "google_", "azure_"].iter().find_map(|cloud| key.strip_prefix(cloud)).unwrap_or(key);
    ELSEWHERE.contains(&short)
}

/// Whether `key` names a cloud and is an option of it.
fn of_some_cloud(key: &str) -> bool {
    let known = match key.split_once('_') {
        Some(("aws", _)) => key.parse::<AmazonS3ConfigKey>().is_ok(),
        Some(("google", _)) => key.parse::<GoogleConfigKey>().is_ok(),
        Some(("azure", _)) => key.parse::<AzureConfigKey>().is_ok(),
        _ => false,
    };
    known && !is_said_elsewhere(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_names_of_each_cloud_become_options() {
        for (name, option) in [
            ("AWS_ACCESS_KEY_ID", Some("aws_access_key_id")),
            ("AWS_SECRET_ACCESS_KEY", Some("aws_secret_access_key")),
            ("AWS_SESSION_TOKEN", Some("aws_session_token")),
            ("AWS_REGION", Some("aws_region")),
            ("AWS_DEFAULT_REGION", Some("aws_default_region")),
            ("AWS_ENDPOINT_URL", Some("aws_endpoint_url")),
            ("AWS_ENDPOINT_URL_S3", Some("aws_endpoint_url_s3")),
            ("AWS_ALLOW_HTTP", Some("aws_allow_http")),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", Some("aws_web_identity_token_file")),
            ("AWS_CA_BUNDLE", Some("root_certificate")),
            ("GOOGLE_APPLICATION_CREDENTIALS", Some("google_application_credentials")),
            ("GOOGLE_SERVICE_ACCOUNT", Some("google_service_account")),
            ("AZURE_STORAGE_ACCOUNT_NAME", Some("azure_storage_account_name")),
            ("AZURE_STORAGE_ACCOUNT", Some("azure_storage_account_name")),
            ("AZURE_STORAGE_KEY", Some("azure_storage_account_key")),
            ("AZURE_STORAGE_USE_EMULATOR", Some("azure_storage_use_emulator")),
            ("AZURITE_BLOB_STORAGE_URL", Some("azurite_blob_storage_url")),
            ("AWS_PROFILE", None),
            ("AWS_BUCKET", None),
            ("AWS_TIMEOUT", None),
            ("aws_region", None),
            ("REGION", None),
            ("HOME", None),
        ] {
            assert_eq!(option_named(name).as_deref(), option, "{name}");
        }
    }

    #[test]
    fn no_value_is_shown() {
        let options = [("aws_secret_access_key".to_owned(), "s3cr3t".to_owned())];
        let options = StorageOptions { options: options.into(), ..StorageOptions::default() };
        insta::assert_snapshot!(format!("{options:?}"), @r#"StorageOptions { options: ["aws_secret_access_key"], timeout: 600s, connect_timeout: 5s, retries: 8, retry_timeout: 120s }"#);
    }
}
